import { keepAliveTtlSeconds } from '../etcd/answers.ts';
import { KeepAliveMessage, LeaseGrantMessage } from '../etcd/messages.ts';
import type { Call, Message } from '../http2/call.ts';
import type { Workload } from '../load/workload.ts';

const firstLease = 1000;
const ttlSeconds = 600;

/** Grants the leases that `KeepAliveWorkload` keeps alive, and is done. */
export class GrantWorkload implements Workload {
  readonly kind = 'unary';
  readonly #message = new LeaseGrantMessage(ttlSeconds);
  readonly #leases: number;
  #granted = 0;

  constructor(leases: number) {
    this.#leases = leases;
  }

  next(call: Call): Message | undefined {
    if (this.#granted === this.#leases) return undefined;
    call.key = firstLease + this.#granted++;
    return this.#message;
  }

  check(): void {
    // The status says it all.
  }
}

/** A stream per call that keeps a lease of its own alive, one message at a time. */
export class KeepAliveWorkload implements Workload {
  readonly kind = 'stream';
  readonly #message = new KeepAliveMessage();

  next(call: Call): Message {
    call.key = firstLease + call.place;
    return this.#message;
  }

  check(_call: Call, bytes: Buffer, from: number, to: number): void {
    if (keepAliveTtlSeconds(bytes, from, to) !== ttlSeconds) throw new Error('a lease that was not renewed');
  }
}
