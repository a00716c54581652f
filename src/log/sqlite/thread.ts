import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../base/clock.ts';
import { InvariantError, invariant } from '../../base/invariant.ts';
import { lookForNext, serveSlot } from './append-slot.ts';
import { translate } from './errors.ts';
import type { AnswerMessage, CallMessage, ThreadStart } from './protocol.ts';
import { createReader } from './reader.ts';
import { createWriter } from './writer.ts';

/*
 * The entry of the writer's and the reader's thread: takes a call, does it, answers; one after the other. Everything
 * here is synchronous, so the thread has no use for an event loop: it sleeps on the bell that the caller rings after
 * each message. That wakes it some 30 µs earlier than the event loop would, and costs nothing while it sleeps.
 */

const { role, options, bell, slot } = workerData as ThreadStart;
const port = parentPort;
invariant(port !== null, 'this file is the entry of a worker thread');

type Handler = (argument: unknown) => unknown;
let handlers: Record<string, Handler> | undefined;
/** The append served last asks to look for the next one, once. */
let looks = false;

for (let open = true; open; ) {
  // Read before the messages are: a ring that comes in between ends the sleep at once.
  const rung = Atomics.load(bell, 0);
  serveWriterSlot();
  for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
    // Before each message: what came as one while the slot was taken, an append or the end, is later than the slot's.
    serveWriterSlot();
    const message = next.message as CallMessage;
    const answer = answerTo(message);
    port.postMessage(answer, transferables(answer));
    if (message.call === 'close') open = false;
  }
  if (open && looks && slot !== undefined) lookForNext(slot, () => Atomics.load(bell, 0) !== rung, systemClock);
  looks = false;
  if (open) Atomics.wait(bell, 0, rung);
}

function serveWriterSlot(): void {
  if (slot === undefined) return;
  if (serveSlot(slot, (call) => handlerOf('append')(call), options.file)) looks = true;
}

function answerTo({ id, call, argument }: CallMessage): AnswerMessage {
  try {
    const answer = handlerOf(call)(argument);
    return answer === undefined ? id : { id, answer, error: undefined };
  } catch (error) {
    // A defect of ours: the thread ends, and with it every call.
    if (error instanceof InvariantError) throw error;
    const { code, message } = translate(error, options.file);
    return { id, answer: undefined, error: { code, message } };
  }
}

function handlerOf(call: string): Handler {
  handlers ??= (role === 'writer' ? createWriter(options) : createReader(options)) as unknown as Record<
    string,
    Handler
  >;
  const handler = handlers[call];
  invariant(handler !== undefined, `the ${role} knows no call ${call}`);
  return handler;
}

function transferables(message: AnswerMessage): ArrayBuffer[] {
  if (typeof message === 'number') return [];
  const { answer } = message;
  if (typeof answer === 'object' && answer !== null && 'buffer' in answer && answer.buffer instanceof ArrayBuffer) {
    return [answer.buffer];
  }
  return [];
}
