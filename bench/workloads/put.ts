import { headerRevision } from '../etcd/answers.ts';
import { PutMessage } from '../etcd/messages.ts';
import type { Call, Message } from '../http2/call.ts';
import type { Workload } from '../load/workload.ts';

/** Puts over `keys` keys, in order and around again: what exists is overwritten. */
export class PutWorkload implements Workload {
  readonly kind = 'unary';
  readonly #message: PutMessage;
  readonly #keys: number;
  #next = 0;

  constructor(keys: number, valueBytes: number) {
    this.#keys = keys;
    this.#message = new PutMessage(valueBytes);
  }

  next(call: Call): Message {
    call.key = this.#next;
    this.#next = this.#next + 1 === this.#keys ? 0 : this.#next + 1;
    return this.#message;
  }

  check(_call: Call, bytes: Buffer, from: number, to: number): void {
    headerRevision(bytes, from, to);
  }
}

/** Writes `rounds` times every key from `first` to `end` (exclusive), and is done. */
export class LoadWorkload implements Workload {
  readonly kind = 'unary';
  readonly #message: PutMessage;
  readonly #first: number;
  readonly #keys: number;
  readonly #total: number;
  #asked = 0;
  #answered = 0;
  /** The newest revision an answer named. */
  revision = 0;

  constructor(first: number, end: number, valueBytes: number, rounds = 1) {
    this.#first = first;
    this.#keys = end - first;
    this.#total = this.#keys * rounds;
    this.#message = new PutMessage(valueBytes);
  }

  /** How many puts were answered so far. */
  get answered(): number {
    return this.#answered;
  }

  next(call: Call): Message | undefined {
    if (this.#asked === this.#total) return undefined;
    call.key = this.#first + (this.#asked++ % this.#keys);
    return this.#message;
  }

  check(_call: Call, bytes: Buffer, from: number, to: number): void {
    this.#answered++;
    this.revision = Math.max(this.revision, headerRevision(bytes, from, to));
  }
}
