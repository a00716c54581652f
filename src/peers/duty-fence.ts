import type { Clock } from '../base/clock.ts';
import type { MemberId } from './types.ts';

/**
 * The one that decides who acts: a row per duty in the store's database, with an epoch that only grows.
 *
 * `claim` is one transaction by the database's clock: is it `dueAfterMs` since the last claim? then the epoch is raised,
 * and holder and time noted. The work is another transaction, which begins by asking whether the row still has that epoch
 * and repeats the work's own condition (the lease has expired by the database's clock, the horizon is below …). A runner
 * that slept in between finds a higher epoch and rolls back; two that claim at once get one epoch, because the row is
 * locked. So views may be wrong and runners late: work is done twice or for nothing, never wrongly.
 */
export interface DutyFence {
  /** The new epoch; undefined: not due yet, or somebody was faster. Rejects when the database does not answer. */
  claim(duty: string, holder: MemberId, dueAfterMs: number): Promise<number | undefined>;
  /** All duties that were ever claimed. */
  read(): Promise<readonly DutyRecord[]>;
}

export interface DutyRecord {
  readonly duty: string;
  readonly epoch: number;
  readonly holder: MemberId;
  /** Since the last claim, by the database's clock. */
  readonly ageMs: number;
}

/** The fence of a store in one process, and the model of the others: nothing happens between its question and its answer. */
export class MemoryDutyFence implements DutyFence {
  readonly #clock: Clock;
  readonly #rows = new Map<string, { epoch: number; holder: MemberId; atMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async claim(duty: string, holder: MemberId, dueAfterMs: number): Promise<number | undefined> {
    const nowMs = this.#clock.monotonicMs();
    const row = this.#rows.get(duty);
    if (row !== undefined && nowMs - row.atMs < dueAfterMs) return undefined;
    const epoch = (row?.epoch ?? 0) + 1;
    this.#rows.set(duty, { epoch, holder, atMs: nowMs });
    return epoch;
  }

  async read(): Promise<readonly DutyRecord[]> {
    const nowMs = this.#clock.monotonicMs();
    return [...this.#rows].map(([duty, { epoch, holder, atMs }]) => ({ duty, epoch, holder, ageMs: nowMs - atMs }));
  }

  /** For the work's own transaction. */
  holds(duty: string, epoch: number): boolean {
    return this.#rows.get(duty)?.epoch === epoch;
  }
}
