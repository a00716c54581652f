import { Counter } from '../base/metrics.ts';
import { encodeChange } from './key-value.ts';
import type { Log } from './log.ts';
import { type KeyValueBytes, StoreError } from './requests.ts';
import { toStoreError } from './store-error.ts';
import type { Position } from './types.ts';

/**
 * Reads what the cache has not, from the log. One read is under way at a time; all that is asked for meanwhile goes
 * into the next one, like a group commit. Reads end in the order in which they came.
 */
export class ValueReader {
  readonly stats: ValueReaderStats;
  readonly #log: Log;
  readonly #rowsPerReadMax: number;
  readonly #rowsWaitingMax: number;
  #waiting: Wanted[] = [];
  #rowsWaiting = 0;
  #running = false;

  constructor(log: Log, limits: ValueReaderLimits, stats = new ValueReaderStats()) {
    this.stats = stats;
    this.#log = log;
    this.#rowsPerReadMax = limits.rowsPerReadMax;
    this.#rowsWaitingMax = limits.rowsWaitingMax;
  }

  /**
   * The KeyValue messages at these positions, in bytes of their own; undefined where there is no row.
   * Rejects with StoreError; `too-many-requests` when too many rows wait already.
   */
  read(at: readonly Position[]): Promise<readonly (KeyValueBytes | undefined)[]> {
    if (this.#rowsWaiting > 0 && this.#rowsWaiting + at.length > this.#rowsWaitingMax) {
      return Promise.reject(new StoreError('too-many-requests'));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        at,
        messages: new Array(at.length).fill(undefined),
        next: 0,
        left: at.length,
        resolve,
        reject,
      });
      this.#rowsWaiting += at.length;
      if (!this.#running) {
        this.#running = true;
        // What else is asked for in this turn shares the read.
        queueMicrotask(() => void this.#run());
      }
    });
  }

  /** Resolves when every read asked for so far has ended. */
  async drained(): Promise<void> {
    if (this.#running) await this.read([]).catch(() => undefined);
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) await this.#readOnce();
    this.#running = false;
  }

  async #readOnce(): Promise<void> {
    const taken: { wanted: Wanted; from: number; count: number }[] = [];
    const positions: Position[] = [];
    while (this.#waiting.length > 0 && positions.length < this.#rowsPerReadMax) {
      const wanted = this.#waiting[0];
      if (wanted === undefined) break;
      const count = Math.min(wanted.at.length - wanted.next, this.#rowsPerReadMax - positions.length);
      for (let i = 0; i < count; i += 1) {
        const at = wanted.at[wanted.next + i];
        if (at !== undefined) positions.push(at);
      }
      taken.push({ wanted, from: wanted.next, count });
      wanted.next += count;
      if (wanted.next === wanted.at.length) this.#waiting.shift();
    }
    try {
      const rows = positions.length === 0 ? [] : await this.#log.rows(positions);
      this.stats.reads.value += 1;
      this.stats.rows.value += positions.length;
      let row = 0;
      for (const { wanted, from, count } of taken) {
        for (let i = 0; i < count; i += 1) {
          const change = rows[row];
          row += 1;
          if (change !== undefined) wanted.messages[from + i] = encodeChange(change);
        }
        this.#rowsWaiting -= count;
        wanted.left -= count;
        if (wanted.left === 0) wanted.resolve(wanted.messages);
      }
    } catch (error) {
      const first = this.#waiting[0];
      if (first !== undefined && first.next > 0) this.#waiting.shift();
      for (const { wanted } of taken) {
        this.#rowsWaiting -= wanted.left;
        wanted.reject(toStoreError(error));
      }
    }
  }
}

export interface ValueReaderLimits {
  /** Rows in one read of the log. */
  readonly rowsPerReadMax: number;
  /** Rows that wait at most; a single request may go beyond when nothing else waits. */
  readonly rowsWaitingMax: number;
}

export class ValueReaderStats {
  readonly reads = new Counter();
  readonly rows = new Counter();
}

interface Wanted {
  readonly at: readonly Position[];
  readonly messages: (KeyValueBytes | undefined)[];
  /** Positions before it have been asked of the log. */
  next: number;
  /** Positions without an answer. */
  left: number;
  readonly resolve: (messages: readonly (KeyValueBytes | undefined)[]) => void;
  readonly reject: (error: StoreError) => void;
}
