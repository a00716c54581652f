import type { MessageType } from '../etcd/messages/schema.ts';

/** A method of a gRPC service, for the client: its name and how its messages are written. */
export interface Method<Request extends object, Response extends object> {
  /** `/etcdserverpb.KV/Range`. */
  readonly path: string;
  readonly request: MessageType<Request>;
  readonly response: MessageType<Response>;
  /** It changes nothing, so that it may be asked twice. */
  readonly readOnly: boolean;
}

/** A method that may change something. */
export function writeMethod<Request extends object, Response extends object>(
  name: string,
  request: MessageType<Request>,
  response: MessageType<Response>,
): Method<Request, Response> {
  return { path: `/etcdserverpb.${name}`, request, response, readOnly: false };
}

/** A method that only reads. */
export function readMethod<Request extends object, Response extends object>(
  name: string,
  request: MessageType<Request>,
  response: MessageType<Response>,
): Method<Request, Response> {
  return { ...writeMethod(name, request, response), readOnly: true };
}
