import type { UnaryCall, UnaryMethod } from '../wire/grpc.ts';
import { translated } from './errors.ts';
import type { MessageType } from './messages/schema.ts';

/** A unary method of a cold service: decoded and encoded by table, answered with a plain object. */
export function tableMethod<Request, Response>(
  requestType: MessageType<Request>,
  responseType: MessageType<Response>,
  answer: (request: Request, call: UnaryCall) => Partial<Response> | Promise<Partial<Response>>,
): UnaryMethod {
  const run = async (bytes: Uint8Array, call: UnaryCall): Promise<void> => {
    try {
      call.answer(responseType.encode(await answer(requestType.decode(bytes), call)));
    } catch (error) {
      call.fail(translated(error));
    }
  };
  return {
    kind: 'unary',
    handle(bytes, call) {
      void run(bytes, call);
      return undefined;
    },
  };
}
