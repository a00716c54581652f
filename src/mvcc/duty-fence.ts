import type { Clock } from '../base/clock.ts';

/**
 * What is done once for all replicas of a store (a *duty*) is begun by a claim: a row per duty in the store's database,
 * with an epoch that only grows. A claim is one commit, by the database's clock: is it so long since the last one? Then
 * the epoch is raised, holder and time are noted, and who claimed may run the duty, once.
 *
 * The fence says who begins, and so keeps replicas from doing everything twice. It does not make the work right: a
 * runner may be stopped after its claim and go on when another has claimed and run. So the work repeats its own
 * condition in its own commit (docs/ordering.md), and what is done late or twice does nothing.
 */
export interface DutyFence {
  /**
   * Claims those of the duties that are due, all in one commit. Answers how each of them stands, in any order: those
   * that were claimed with their new epoch and how long they had been left. Of several callers that claim a duty at once
   * one gets it at most. Rejects with LogError.
   */
  claimDuties(wanted: readonly WantedDuty[], holder: string): Promise<readonly DutyClaim[]>;

  /** All duties that were ever claimed. Rejects with LogError. */
  readDuties(): Promise<readonly DutyRecord[]>;
}

export interface WantedDuty {
  readonly duty: string;
  /** It is due so long after its last claim; one that was never claimed is. */
  readonly dueAfterMs: number;
}

export interface DutyRecord {
  readonly duty: string;
  /** 1 for the first claim. */
  readonly epoch: number;
  /** Who claimed it last. */
  readonly holder: string;
  /** Since then, by the database's clock. */
  readonly ageMs: number;
}

/** `ageMs` of one that was granted: since the claim before; Infinity for the first. */
export interface DutyClaim extends DutyRecord {
  readonly isGranted: boolean;
}

/** A claim so far in the future is from before the clock was set back: it does not count. */
export const CLOCK_SLACK_MS = 1000;

export function isDue(ageMs: number, dueAfterMs: number): boolean {
  return ageMs >= dueAfterMs || ageMs < -CLOCK_SLACK_MS;
}

/** The fence of a store that one process has to itself, and the model of the others. */
export class MemoryDutyFence implements DutyFence {
  readonly #nowMs: () => number;
  readonly #rows = new Map<string, { epoch: number; holder: string; atMs: number }>();

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#nowMs = () => clock.monotonicMs();
  }

  async claimDuties(wanted: readonly WantedDuty[], holder: string): Promise<readonly DutyClaim[]> {
    const nowMs = this.#nowMs();
    return wanted.map(({ duty, dueAfterMs }) => {
      const row = this.#rows.get(duty);
      const ageMs = row === undefined ? Number.POSITIVE_INFINITY : nowMs - row.atMs;
      if (row !== undefined && !isDue(ageMs, dueAfterMs)) {
        return { duty, epoch: row.epoch, holder: row.holder, ageMs, isGranted: false };
      }
      const epoch = (row?.epoch ?? 0) + 1;
      this.#rows.set(duty, { epoch, holder, atMs: nowMs });
      return { duty, epoch, holder, ageMs, isGranted: true };
    });
  }

  async readDuties(): Promise<readonly DutyRecord[]> {
    const nowMs = this.#nowMs();
    return [...this.#rows].map(([duty, { epoch, holder, atMs }]) => ({ duty, epoch, holder, ageMs: nowMs - atMs }));
  }
}
