import { ProtobufError } from '../../base/protobuf.ts';
import { Status, type StatusCode, StatusError } from '../../wire/grpc.ts';
import { undecodable } from '../errors.ts';
import { JsonError } from './json-reader.ts';

/** How grpc-gateway says in HTTP what gRPC says in codes. Source: its runtime/errors.go. */
const HTTP_STATUS: Readonly<Record<StatusCode, readonly [status: number, text: string]>> = {
  [Status.ok]: [200, 'OK'],
  [Status.cancelled]: [499, 'Client Closed Request'],
  [Status.unknown]: [500, 'Internal Server Error'],
  [Status.invalidArgument]: [400, 'Bad Request'],
  [Status.deadlineExceeded]: [504, 'Gateway Timeout'],
  [Status.notFound]: [404, 'Not Found'],
  [Status.alreadyExists]: [409, 'Conflict'],
  [Status.permissionDenied]: [403, 'Forbidden'],
  [Status.resourceExhausted]: [429, 'Too Many Requests'],
  [Status.failedPrecondition]: [400, 'Bad Request'],
  [Status.aborted]: [409, 'Conflict'],
  [Status.outOfRange]: [400, 'Bad Request'],
  [Status.unimplemented]: [501, 'Not Implemented'],
  [Status.internal]: [500, 'Internal Server Error'],
  [Status.unavailable]: [503, 'Service Unavailable'],
  [Status.dataLoss]: [500, 'Internal Server Error'],
  [Status.unauthenticated]: [401, 'Unauthorized'],
};

export const JSON_TYPE = { 'content-type': 'application/json' };
/** Of an answer that is a message. */
export const ANSWERED = { ...JSON_TYPE, 'grpc-metadata-content-type': 'application/grpc' };

/** As the wire refuses it. */
export function tooLarge(bytes: number, bytesMax: number): StatusError {
  return new StatusError(Status.resourceExhausted, `grpc: received message larger than max (${bytes} vs. ${bytesMax})`);
}

/** An answer of its own: with `error`, as clients of etcd up to 3.5 look for, and `code` and `message`, as those of later ones do. */
export function errorAnswer({ code, message }: StatusError): { readonly status: number; readonly body: string } {
  return { status: HTTP_STATUS[code][0], body: JSON.stringify({ error: message, code, message }) };
}

/** The last line of a stream that had begun. */
export function errorLine({ code, message }: StatusError): string {
  const [http_code, http_status] = HTTP_STATUS[code];
  return `${JSON.stringify({ error: { grpc_code: code, http_code, message, http_status, code } })}\n`;
}

/** What the client is told of anything that was thrown; undefined: that is nobody's fault but ours. */
export function toldOf(error: unknown): StatusError | undefined {
  if (error instanceof StatusError) return error;
  if (error instanceof JsonError) return new StatusError(Status.invalidArgument, error.message, { cause: error });
  if (error instanceof ProtobufError) return undecodable(error);
  return undefined;
}
