import type { Log } from './log.ts';
import type { TxnOp, WriteRequest } from './requests.ts';
import type { StoreStats } from './store-stats.ts';

/** etcd's estimates of what a key and a lease cost beside their bytes. Source: etcd's server/storage/quota.go. */
const KEY_OVERHEAD_BYTES = 256;
const LEASE_OVERHEAD_BYTES = 64;

/** Asked anew when the estimate has grown by this part of the quota, so that it never strays far. */
const REFRESH_PART = 64;

/**
 * How big the store may become. etcd looks at the size of its file before every write; asking costs a trip to the log
 * here, so between two answers the size is estimated from what was written, and asked anew when it matters.
 */
export class Quota {
  /** In bytes; below 0: no limit. */
  readonly bytesMax: number;
  readonly #log: Log;
  readonly #stats: StoreStats;
  #known = 0;
  #grown = 0;

  constructor(log: Log, bytesMax: number, stats: StoreStats) {
    this.#log = log;
    this.bytesMax = bytesMax;
    this.#stats = stats;
  }

  /** Asks the log. Rejects with LogError. */
  async refresh(): Promise<void> {
    // Nothing is written while the Writer waits for this.
    const size = await this.#log.size();
    this.#known = size.totalBytes;
    this.#grown = 0;
    this.#stats.totalBytes.value = size.totalBytes;
    this.#stats.inUseBytes.value = size.inUseBytes;
  }

  /** Whether the log must be asked before writes of this cost can be judged. */
  isStale(cost: number): boolean {
    if (this.bytesMax < 0 || this.#grown === 0) return false;
    return this.#grown > this.bytesMax / REFRESH_PART || this.#known + this.#grown + cost >= this.bytesMax;
  }

  /** Whether a request of this cost fits. A request without a cost always does. */
  allows(cost: number): boolean {
    return cost === 0 || this.bytesMax < 0 || this.#known + this.#grown + cost < this.bytesMax;
  }

  /** A request was let through. */
  grow(cost: number): void {
    this.#grown += cost;
  }

  /** Something else than a write changed the size: compaction, defragmentation. */
  forget(): void {
    this.#grown += 1;
  }
}

/** What a request costs against the quota, in bytes; 0 for one that puts nothing. */
export function costOf(request: WriteRequest | TxnOp): number {
  switch (request.kind) {
    case 'put':
      return KEY_OVERHEAD_BYTES + request.key.length + request.value.length;
    case 'txn':
      return Math.max(sum(request.success), sum(request.failure));
    case 'lease-grant':
      return LEASE_OVERHEAD_BYTES;
    default:
      return 0;
  }
}

function sum(ops: readonly TxnOp[]): number {
  let cost = 0;
  for (const op of ops) cost += costOf(op);
  return cost;
}
