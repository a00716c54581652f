import { headerRevision, txnSucceeded } from '../etcd/answers.ts';
import { TxnMessage } from '../etcd/messages.ts';
import type { Call, Message } from '../http2/call.ts';
import type { Workload } from '../load/workload.ts';

/** Kubernetes' creation of an object: a key that does not exist yet (mod revision 0). Keys run on over a server's rounds. */
export class TxnCreateWorkload implements Workload {
  readonly kind = 'unary';
  readonly #message: TxnMessage;
  #next: number;

  constructor(firstKey: number, valueBytes: number) {
    this.#next = firstKey;
    this.#message = new TxnMessage(valueBytes);
  }

  /** The first key not yet asked for: the next round begins there. */
  get nextKey(): number {
    return this.#next;
  }

  next(call: Call): Message {
    call.key = this.#next++;
    call.revision = 0;
    return this.#message;
  }

  check(_call: Call, bytes: Buffer, from: number, to: number): void {
    if (!txnSucceeded(bytes, from, to)) throw new Error('a create lost its comparison');
  }
}

/**
 * Kubernetes' update: put if the mod revision is the one last seen. Every call has keys of its own, as every object has
 * one writer at a time; `revisions` holds what is known of each key, 0 for a key not yet created.
 */
export class TxnUpdateWorkload implements Workload {
  readonly kind = 'unary';
  readonly #message: TxnMessage;
  readonly #revisions: Float64Array;
  readonly #calls: number;

  constructor(revisions: Float64Array, calls: number, valueBytes: number) {
    this.#revisions = revisions;
    this.#calls = calls;
    this.#message = new TxnMessage(valueBytes);
  }

  next(call: Call): Message {
    const key = call.key + this.#calls;
    call.key = key % this.#calls === call.place && key < this.#revisions.length ? key : call.place;
    call.revision = this.#revisions[call.key] as number;
    return this.#message;
  }

  check(call: Call, bytes: Buffer, from: number, to: number): void {
    if (!txnSucceeded(bytes, from, to)) throw new Error('an update lost its comparison though it alone writes the key');
    this.#revisions[call.key] = headerRevision(bytes, from, to);
  }
}
