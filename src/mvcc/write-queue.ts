import type { WriteResult } from './decide.ts';
import type { MissingMessage } from './messages.ts';
import { costOf } from './quota.ts';
import type { StoreError, WriteRequest } from './requests.ts';
import type { StoreStats } from './store-stats.ts';

/** Requests that wait to be decided, the oldest first. Bounded: what does not fit is refused. */
export class WriteQueue {
  readonly #limits: WriteQueueLimits;
  readonly #stats: StoreStats;
  #waiting: QueuedWrite[] = [];
  #bytes = 0;
  #nextNumber = 1;

  constructor(limits: WriteQueueLimits, stats: StoreStats) {
    this.#limits = limits;
    this.#stats = stats;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** Whether there is room for one of so many bytes. An empty queue takes any. */
  hasRoom(bytes: number): boolean {
    if (this.#waiting.length >= this.#limits.queueRequestsMax) return false;
    return this.#bytes === 0 || this.#bytes + bytes <= this.#limits.queueBytesMax;
  }

  add(write: QueuedWrite): void {
    write.number = this.#nextNumber;
    this.#nextNumber += 1;
    this.#waiting.push(write);
    this.#count(write.bytes);
  }

  /** Takes the oldest, up to these limits; `atLeastOne`: even if it alone is beyond `bytesMax`. */
  take(requestsMax: number, bytesMax: number, atLeastOne: boolean): QueuedWrite[] {
    let count = 0;
    let bytes = 0;
    for (const write of this.#waiting) {
      const fits = count < requestsMax && bytes + write.bytes <= bytesMax;
      if (!fits && (count > 0 || !atLeastOne)) break;
      bytes += write.bytes;
      count += 1;
    }
    const all = count === this.#waiting.length;
    const taken = all ? this.#waiting : this.#waiting.slice(0, count);
    this.#waiting = all ? [] : this.#waiting.slice(count);
    this.#count(-bytes);
    return taken;
  }

  /** They wait again, in the place that is theirs by age. */
  putBack(writes: readonly QueuedWrite[]): void {
    if (writes.length === 0) return;
    let bytes = 0;
    for (const write of writes) bytes += write.bytes;
    this.#waiting = [...writes, ...this.#waiting].sort((a, b) => a.number - b.number);
    this.#count(bytes);
  }

  /** Whether one waits that came before these. */
  hasOlderThan(writes: readonly QueuedWrite[]): boolean {
    const [waiting] = this.#waiting;
    const [other] = writes;
    return waiting !== undefined && other !== undefined && waiting.number < other.number;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#stats.queuedRequests.value = this.#waiting.length;
    this.#stats.queuedBytes.value = this.#bytes;
  }
}

export interface WriteQueueLimits {
  readonly queueRequestsMax: number;
  readonly queueBytesMax: number;
}

/** A request on its way through the Writer, and what was decided of it. */
export class QueuedWrite {
  readonly request: WriteRequest;
  /** What it holds in memory, about. */
  readonly bytes: number;
  /** By age, from 1. */
  number = 0;
  /** Against the quota; 0 as soon as it has been let through. */
  cost: number;
  readonly resolve: (result: WriteResult) => void;
  readonly reject: (error: StoreError) => void;
  result: WriteResult | undefined = undefined;
  error: StoreError | undefined = undefined;
  missing: readonly MissingMessage[] = NOTHING_MISSING;

  constructor(request: WriteRequest, resolve: (result: WriteResult) => void, reject: (error: StoreError) => void) {
    this.request = request;
    this.cost = costOf(request);
    this.bytes = bytesOf(request, this.cost);
    this.resolve = resolve;
    this.reject = reject;
  }
}

const NOTHING_MISSING: readonly MissingMessage[] = [];
const OVERHEAD_BYTES = 128;

function bytesOf(request: WriteRequest, cost: number): number {
  if (request.kind === 'put') return OVERHEAD_BYTES + request.key.length + request.value.length;
  return request.kind === 'txn' ? OVERHEAD_BYTES + cost : OVERHEAD_BYTES;
}
