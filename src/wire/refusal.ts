import { Status, type StatusCode } from './grpc.ts';
import type { RequestHead } from './request-head.ts';
import { encodeStatusMessage } from './status-message.ts';
import type { WireHost } from './wire-host.ts';

/** The whole answer, as header fields, to a request that no handler will see; undefined: let it in. Texts as grpc-go's. */
export function refusalOf(head: RequestHead, host: WireHost): readonly string[] | undefined {
  if (head.tooLarge) return [':status', '431'];
  if (head.method === 'CONNECT') return [':status', '405'];
  const max = host.limits.statusMessageBytesMax;
  if (!head.grpc) {
    // Meant for gRPC, but not in its words; anything else is plain HTTP.
    if (head.entry === undefined && !head.contentType.startsWith('application/grpc')) return undefined;
    const text = `invalid gRPC request content-type "${head.contentType}"`;
    return answer(415, Status.invalidArgument, text, max);
  }
  if (head.method !== 'POST') {
    return answer(
      405,
      Status.internal,
      `Received a HEADERS frame with :method "${head.method}" which should be POST`,
      max,
    );
  }
  if (Number.isNaN(head.timeoutMs)) {
    return answer(400, Status.internal, `malformed grpc-timeout: "${head.timeoutText}"`, max);
  }
  if (head.encoding !== '' && head.encoding !== 'identity' && head.encoding !== 'gzip') {
    const text = `grpc: Decompressor is not installed for grpc-encoding "${head.encoding}"`;
    return [...answer(200, Status.unimplemented, text, max), 'grpc-accept-encoding', 'identity,gzip'];
  }
  return head.entry === undefined ? answer(200, Status.unimplemented, unknownText(head.path, host), max) : undefined;
}

function unknownText(path: string, host: WireHost): string {
  const name = path.startsWith('/') ? path.slice(1) : path;
  const slash = name.lastIndexOf('/');
  if (slash < 0) return `malformed method name: "${path}"`;
  const service = name.slice(0, slash);
  if (!host.serviceNames.has(service)) return `unknown service ${service}`;
  return `unknown method ${name.slice(slash + 1)} for service ${service}`;
}

function answer(httpStatus: number, code: StatusCode, message: string, messageBytesMax: number): string[] {
  return [
    ':status',
    String(httpStatus),
    'content-type',
    'application/grpc',
    'grpc-status',
    String(code),
    'grpc-message',
    encodeStatusMessage(message, messageBytesMax),
  ];
}
