import type { Call, Message } from '../http2/call.ts';

/** What is asked, and what a right answer is. */
export interface Workload {
  /** Unary calls one after another, or one stream per call with a message and an answer at a time. */
  readonly kind: 'unary' | 'stream';
  /** Notes on `call` what it asks next and returns the message for it; undefined when there is nothing left to ask. */
  next(call: Call): Message | undefined;
  /** Looks at an answer; throws an Error that says what is wrong with it. */
  check(call: Call, bytes: Buffer, from: number, to: number): void;
}

/** How many calls are in flight, spread over how many connections. */
export interface Shape {
  readonly connections: number;
  readonly callsPerConnection: number;
}

/** The spread used for 1, 8, 64 and 1,000 in flight: some connections with several streams each, as Go clients do it. */
export function shapeOf(inFlight: number): Shape {
  if (inFlight <= 4) return { connections: 1, callsPerConnection: inFlight };
  if (inFlight <= 100) return { connections: Math.ceil(inFlight / 8), callsPerConnection: 8 };
  return { connections: Math.ceil(inFlight / 20), callsPerConnection: 20 };
}
