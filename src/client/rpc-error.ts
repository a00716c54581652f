/** gRPC's status codes by number. Source: https://grpc.github.io/grpc/core/md_doc_statuscodes.html, names as in Go. */
const CODE_NAMES = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
];

export const RpcCode = { canceled: 1, deadlineExceeded: 4, internal: 13, unavailable: 14 } as const;

/** A call failed. The message is clientv3's: etcd's own errors as they are, others with their code. */
export class RpcError extends Error {
  override readonly name = 'RpcError';
  readonly code: number;
  /** What the server, or the transport, said. */
  readonly details: string;
  /** What stood in the way of a connection, for people; empty: nothing. */
  readonly hint: string;

  constructor(code: number, details: string, hint = '') {
    super(messageOf(code, details));
    this.code = code;
    this.details = details;
    this.hint = hint;
  }
}

function messageOf(code: number, details: string): string {
  if (code === RpcCode.deadlineExceeded && !isEtcds(details)) return 'context deadline exceeded';
  if (code === RpcCode.canceled && !isEtcds(details)) return 'context canceled';
  if (isEtcds(details)) return details;
  return `rpc error: code = ${CODE_NAMES[code] ?? `Code(${code})`} desc = ${details}`;
}

function isEtcds(details: string): boolean {
  return details.startsWith('etcdserver: ');
}

/** Of whatever gRPC threw. */
export function rpcErrorOf(error: unknown): RpcError {
  if (error instanceof RpcError) return error;
  const { code, details, message } = error as { code?: number; details?: string; message?: string };
  return new RpcError(typeof code === 'number' ? code : 2, details ?? message ?? String(error));
}
