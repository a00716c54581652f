import { headerRevision } from '../etcd/answers.ts';
import { GetMessage, PutMessage } from '../etcd/messages.ts';
import type { Call, Message } from '../http2/call.ts';
import type { Workload } from '../load/workload.ts';
import { Shuffle } from './shuffle.ts';

/** Linearizable gets of single keys, all over the first `keys` keys. */
export class GetWorkload implements Workload {
  readonly kind = 'unary';
  readonly #message = new GetMessage();
  readonly #keys: number;
  readonly #valueBytes: number;
  readonly #shuffle = new Shuffle();

  constructor(keys: number, valueBytes: number) {
    this.#keys = keys;
    this.#valueBytes = valueBytes;
  }

  next(call: Call): Message {
    call.key = this.#shuffle.below(this.#keys);
    return this.#message;
  }

  check(_call: Call, _bytes: Buffer, from: number, to: number): void {
    if (to - from < this.#valueBytes) throw new Error('a get without its value');
  }
}

/** Four gets and one put, all over the first `keys` keys. */
export class MixedWorkload implements Workload {
  readonly kind = 'unary';
  readonly #get = new GetMessage();
  readonly #put: PutMessage;
  readonly #keys: number;
  readonly #valueBytes: number;
  readonly #shuffle = new Shuffle();

  constructor(keys: number, valueBytes: number) {
    this.#keys = keys;
    this.#valueBytes = valueBytes;
    this.#put = new PutMessage(valueBytes);
  }

  next(call: Call): Message {
    call.key = this.#shuffle.below(this.#keys);
    return this.#shuffle.below(5) === 0 ? this.#put : this.#get;
  }

  check(call: Call, bytes: Buffer, from: number, to: number): void {
    if (call.message === this.#put) headerRevision(bytes, from, to);
    else if (to - from < this.#valueBytes) throw new Error('a get without its value');
  }
}
