import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Duty } from './duty.ts';
import { COMPACT_DUTY, VACUUM_DUTY } from './duty-names.ts';
import type { KeyIndex } from './key-index.ts';
import { type Log, LogError } from './log.ts';
import type { Quota } from './quota.ts';
import { StoreError } from './requests.ts';
import { Ripening } from './ripening.ts';
import { toStoreError } from './store-error.ts';
import type { StoreStats } from './store-stats.ts';
import { SweepPace, type SweepPaceLimits } from './sweep-pace.ts';
import type { Position, Revision } from './types.ts';

/**
 * The Compactor: moves the horizon, then sweeps what nobody can see any more.
 *
 *   compact(r) ─▶ log.compact(r) ─▶ horizon = r ─▶ wait for reads that began before ─▶ sweep a slice ─▶ … ─▶ vacuum
 *                 one small commit   readers below                                    └── pause ──┘
 *                                    are refused
 *
 * The index knows which rows are superseded, in the order in which they became so; a slice is the next some hundred of
 * them, named to the log one by one. Nothing live is ever scanned. Slices are sized by how long they take, and while
 * others write there is a pause after each, longer than the slice, so that writes see only a part of the disk taken.
 * A slice that fails is kept and tried again later: an unswept row is harmless, a row swept from the index alone would
 * stay for ever.
 *
 * With a shared log whoever has claimed the duty `compact` may sweep rows for a turn of a second, and says with the last
 * ones up to where. The others keep superseded versions in their index until then, so that any of them can take the duty
 * over, and drop them when the rows are known to be gone (`noteShared`). A turn that is over by our own clock, because the
 * process stood still, ends with the slice under way; a row swept twice is swept. Who swept gives space back, as a duty too.
 * Since others write of whom we do not know, there is a pause after each slice there (sweep-pace.ts). The sweep begins a
 * little after the horizon has moved: whoever has not seen by then what it takes away must load the store anew.
 */
export class Compactor {
  /** What one replica does for all that share a log. */
  readonly duties: readonly Duty[];
  readonly #parts: CompactorParts;
  readonly #limits: CompactorLimits;
  #horizon: Revision = 0;
  /** Rows that a horizon up to here lets go of are gone from a shared log. */
  #swept: Revision = 0;
  /** Until then sweeping a shared log is ours. */
  #turnEndsMs = Number.NEGATIVE_INFINITY;
  /** We have swept a shared log since space was given back last. */
  #hasSwept = false;
  #onWanted: (() => void) | undefined;
  /** Ends with the last compact() asked for. */
  #moving: Promise<unknown> = Promise.resolve();
  #sweeping: Promise<void> | undefined;
  #vacuuming: Promise<void> | undefined;
  readonly #ripening: Ripening;
  #holds = 0;
  #released: (() => void)[] = [];
  #stopped = false;
  /** End the pauses under way, and the one in which a turn or another replica is waited for. */
  readonly #wakes = new Set<() => void>();
  #wakeIdle: (() => void) | undefined;
  readonly #pace: SweepPace;

  constructor(parts: CompactorParts, limits: CompactorLimits) {
    this.#parts = parts;
    this.#limits = limits;
    this.#pace = new SweepPace(limits, parts.isShared);
    this.#ripening = new Ripening(parts.isShared ? limits.sharedGraceMs : 0);
    this.duties = parts.isShared ? [this.#sweepDuty(), this.#vacuumDuty()] : [];
  }

  /** etcd's compact revision: nothing below it can be read. */
  get horizon(): Revision {
    return this.#horizon;
  }

  /** Rows are being swept, or wait for it: for a replica, by another one too. */
  get isSweeping(): boolean {
    return this.#sweeping !== undefined;
  }

  /** Takes up a sweep that a stop or crash broke off. */
  start(horizon: Revision): void {
    this.#horizon = horizon;
    this.#ripening.moved(horizon, this.#parts.clock.monotonicMs());
    this.#parts.stats.horizon.value = horizon;
    if (this.#parts.index.hasSuperseded(horizon)) this.#sweep();
  }

  /**
   * Moves the horizon; with `physical` resolves when all below it is swept. Rejects with StoreError: `compacted`,
   * `future-revision`, or why the log cannot.
   */
  async compact(revision: Revision, physical: boolean): Promise<void> {
    const moving = this.#moving.then(() => this.#move(revision));
    this.#moving = moving.catch(() => undefined);
    await moving;
    this.#sweep();
    if (!physical) return;
    // A sweep that was at its end when the horizon moved may have missed it.
    do {
      this.#sweep();
      await this.#sweeping;
    } while (!this.#stopped && this.#parts.index.hasSuperseded(revision));
  }

  /** What a shared log tells: another replica may have moved the horizon, or swept. */
  noteShared(horizon: Revision, swept: Revision): void {
    if (horizon > this.#horizon) this.#setHorizon(horizon);
    if (this.#parts.index.hasSuperseded(this.#horizon)) this.#sweep();
    if (swept <= this.#swept) return;
    this.#swept = swept;
    this.#wakeIdle?.();
  }

  /** No row is swept until the returned function is called. For whoever reads rows below the horizon in steps. */
  hold(): () => void {
    this.#holds += 1;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#holds -= 1;
      if (this.#holds === 0) for (const resolve of this.#released.splice(0)) resolve();
    };
  }

  /** Breaks off after the slice under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const wake of this.#wakes) wake();
    for (const resolve of this.#released.splice(0)) resolve();
    await this.#moving;
    await this.#sweeping?.catch(() => undefined);
    await this.#vacuuming;
  }

  async #move(revision: Revision): Promise<void> {
    const { log } = this.#parts;
    if (this.#stopped) throw new StoreError('stopped');
    if (revision <= this.#horizon) throw new StoreError('compacted');
    if (revision > this.#parts.head()) throw new StoreError('future-revision');
    await log.compact(revision).catch((error: unknown) => {
      throw toStoreError(error);
    });
    if (revision > this.#horizon) this.#setHorizon(revision);
  }

  #setHorizon(revision: Revision): void {
    this.#pace.isBehind = this.#sweeping !== undefined;
    this.#horizon = revision;
    this.#ripening.moved(revision, this.#parts.clock.monotonicMs());
    this.#parts.stats.horizon.value = revision;
    this.#parts.onMoved(revision);
  }

  #sweep(): void {
    if (this.#stopped || this.#sweeping !== undefined) return;
    this.#sweeping = this.#sweepAll().then(
      () => {
        this.#sweeping = undefined;
        // The horizon may have moved at the very end.
        if (this.#parts.index.hasSuperseded(this.#horizon)) this.#sweep();
      },
      (error: unknown) => {
        this.#sweeping = undefined;
        throw error;
      },
    );
    // Whoever waits hears of it; it has been logged. A defect ends the process.
    this.#sweeping.catch((error: unknown) => {
      if (!(error instanceof StoreError)) throw error;
    });
  }

  async #sweepAll(): Promise<void> {
    const { index, stats, clock, quota, isShared } = this.#parts;
    const beganMs = clock.monotonicMs();
    while (!this.#stopped && index.hasSuperseded(this.#horizon)) {
      await this.#parts.readsDrained();
      if (this.#holds > 0) {
        await new Promise<void>((resolve) => this.#released.push(resolve));
        continue;
      }
      if (index.hasSuperseded(this.#swept)) await this.#dropSlice();
      else if (!this.#isRipe) await this.#ripen();
      else if (!isShared || this.#hasTurn) await this.#sweepSlice();
      else await this.#awaitTurn();
    }
    this.#pace.isBehind = false;
    stats.compactionLag.value = 0;
    stats.compactionMs.observe(clock.monotonicMs() - beganMs);
    stats.lastCompaction.value = Math.floor(clock.wallMs() / 1000);
    quota.forget();
    if (!isShared) {
      this.#vacuuming ??= this.#vacuum().finally(() => {
        this.#vacuuming = undefined;
      });
    }
    if (this.#stopped && index.hasSuperseded(this.#horizon)) throw new StoreError('stopped');
  }

  #ripen(): Promise<void> {
    return this.#pause(this.#ripening.leftMs(this.#parts.clock.monotonicMs()), true);
  }

  /** Takes out of the index what another replica has swept. */
  async #dropSlice(): Promise<void> {
    this.#parts.index.takeSuperseded(this.#swept, this.#limits.sliceRowsMax, []);
    await this.#pause(0);
  }

  /** There is something to sweep. */
  get #isRipe(): boolean {
    return this.#parts.index.hasSuperseded(this.#ripening.horizon(this.#parts.clock.monotonicMs()));
  }

  get #hasTurn(): boolean {
    return this.#parts.clock.monotonicMs() < this.#turnEndsMs && this.#knowsAll;
  }

  /** What the horizon lets go of. Another replica may have moved it beyond what has come by here. */
  get #knowsAll(): boolean {
    return this.#horizon <= this.#parts.head();
  }

  #sweepDuty(): Duty {
    const { sweepTurnMs } = this.#limits;
    return {
      parts: [COMPACT_DUTY],
      everyMs: sweepTurnMs,
      isWanted: () => this.#sweeping !== undefined && this.#knowsAll && this.#isRipe,
      onWanted: (listener) => {
        this.#onWanted = listener;
      },
      // Begins a turn; the sweep that waits for it goes on by itself, and the next claim makes it longer.
      run: async () => {
        this.#turnEndsMs = this.#parts.clock.monotonicMs() + sweepTurnMs * TURN_OVERLAP;
        this.#wakeIdle?.();
        return 'done';
      },
    };
  }

  #vacuumDuty(): Duty {
    return {
      parts: [VACUUM_DUTY],
      everyMs: this.#limits.vacuumEveryMs,
      // What was swept is known best by who swept it.
      ruledBy: COMPACT_DUTY,
      isWanted: () => this.#hasSwept && this.#sweeping === undefined,
      run: async (_, signal) => {
        this.#hasSwept = false;
        await new Promise<void>((resolve, reject) => {
          const end = (): void => {
            signal.removeEventListener('abort', end);
            resolve();
          };
          // It may take long; closing the log breaks it off.
          signal.addEventListener('abort', end);
          this.#vacuum().then(end, reject);
        });
        return 'done';
      },
    };
  }

  #awaitTurn(): Promise<void> {
    this.#onWanted?.();
    return this.#pause(this.#limits.sweepTurnMs, true);
  }

  async #sweepSlice(): Promise<void> {
    const { index, log, stats, clock, logger } = this.#parts;
    const beganMs = clock.monotonicMs();
    const rows: Position[] = [];
    const horizon = this.#ripening.horizon(beganMs);
    index.takeSuperseded(horizon, this.#pace.sliceRows, rows);
    const sweptTo = index.hasSuperseded(horizon) ? undefined : horizon;
    stats.indexSweepMs.observe(clock.monotonicMs() - beganMs);
    stats.compactionLag.value = index.revisionsBehind(this.#horizon);
    for (let failures = 0; rows.length > 0; failures += 1) {
      try {
        await log.sweep(rows, sweptTo);
        break;
      } catch (error) {
        if (!(error instanceof LogError)) throw error;
        stats.sweepsFailed.value += 1;
        if (failures === 0) logger.warn('a sweep failed and is tried again', { reason: error.message });
        if (this.#stopped || error.code === 'closed') throw toStoreError(error);
        await this.#pause(Math.min(this.#limits.retryMs * 2 ** failures, this.#limits.retryMsMax));
      }
    }
    const tookMs = clock.monotonicMs() - beganMs;
    stats.sweepMs.observe(tookMs);
    stats.sweptRows.value += rows.length;
    this.#hasSwept = true;
    this.#pace.took(tookMs);
    if (sweptTo === undefined) await this.#pauseAfter(tookMs);
  }

  /** So that writes, of ours or of other replicas, see only a part of the disk taken. */
  async #pauseAfter(tookMs: number): Promise<void> {
    if (!this.#parts.isShared && this.#parts.writerIsIdle()) return;
    await this.#pause(this.#pace.pauseMs(tookMs));
  }

  /** Gives free space back, a little at a time. Not being able to is no failure: the space is used again anyway. */
  async #vacuum(): Promise<void> {
    const { log, logger } = this.#parts;
    let left = Number.POSITIVE_INFINITY;
    while (!this.#stopped && left > 0 && !this.#parts.index.hasSuperseded(this.#horizon)) {
      const beganMs = this.#parts.clock.monotonicMs();
      try {
        const now = await log.vacuum(this.#limits.vacuumBytes);
        if (now >= left) return;
        left = now;
      } catch (error) {
        if (!(error instanceof LogError)) throw error;
        if (!this.#stopped) logger.warn('free space could not be given back', { reason: error.message });
        return;
      }
      await this.#pauseAfter(this.#parts.clock.monotonicMs() - beganMs);
    }
  }

  /** `isIdle`: ends before its time when another replica has swept. */
  #pause(delayMs: number, isIdle = false): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        timer.cancel();
        this.#wakes.delete(wake);
        if (this.#wakeIdle === wake) this.#wakeIdle = undefined;
        resolve();
      };
      const timer: Timer = this.#parts.clock.after(delayMs, wake);
      this.#wakes.add(wake);
      if (isIdle) this.#wakeIdle = wake;
    });
  }
}

/** A turn is a little longer than the time to the next claim. */
const TURN_OVERLAP = 1.2;

export interface CompactorParts {
  readonly log: Log;
  readonly index: KeyIndex;
  readonly quota: Quota;
  readonly stats: StoreStats;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The applied head. */
  readonly head: () => Revision;
  readonly writerIsIdle: () => boolean;
  /** Resolves when reads of the log that have begun are over. */
  readonly readsDrained: () => Promise<void>;
  readonly onMoved: (horizon: Revision) => void;
  /** Others have the log too: one sweeps. */
  readonly isShared: boolean;
}

export interface CompactorLimits extends SweepPaceLimits {
  readonly vacuumBytes: number;
  readonly retryMs: number;
  readonly retryMsMax: number;
  /** How long one claim of the duty to sweep a shared log is good for. */
  readonly sweepTurnMs: number;
  readonly vacuumEveryMs: number;
  /** With a shared log: how long after the horizon has moved the sweep begins. Longer than replicas need to hear of a commit. */
  readonly sharedGraceMs: number;
}
