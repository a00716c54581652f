import { parentPort, workerData } from 'node:worker_threads';
import { invariant } from '../../base/invariant.ts';
import { translate } from './errors.ts';
import type { AnswerMessage, CallMessage, ThreadStart } from './protocol.ts';
import { createReader } from './reader.ts';
import { createWriter } from './writer.ts';

// The entry of the writer's and the reader's thread: takes a call, does it, answers; one after the other.

const { role, options } = workerData as ThreadStart;
const port = parentPort;
invariant(port !== null, 'this file is the entry of a worker thread');

type Handler = (argument: unknown) => unknown;
let handlers: Record<string, Handler> | undefined;

port.on('message', ({ id, call, argument }: CallMessage) => {
  let message: AnswerMessage;
  try {
    handlers ??= (role === 'writer' ? createWriter(options) : createReader(options)) as unknown as Record<
      string,
      Handler
    >;
    const handler = handlers[call];
    invariant(handler !== undefined, `the ${role} knows no call ${call}`);
    message = { id, answer: handler(argument), error: undefined };
  } catch (error) {
    const { code, message: text } = translate(error, options.file);
    message = { id, answer: undefined, error: { code, message: text } };
  }
  port.postMessage(message, transferables(message.answer));
  if (call === 'close') port.close();
});

function transferables(answer: unknown): ArrayBuffer[] {
  if (typeof answer === 'object' && answer !== null && 'buffer' in answer && answer.buffer instanceof ArrayBuffer) {
    return [answer.buffer];
  }
  return [];
}
