import type { Random } from '../base/chance.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { invariant } from '../base/invariant.ts';
import type { Logger } from '../base/logger.ts';
import { Counter } from '../base/metrics.ts';
import type { DutyFence } from './duty-fence.ts';
import { type DutySelf, dutyOwners, eligibleMembers } from './duty-owner.ts';
import { PEER_LIMITS } from './limits.ts';
import type { LinkedMember, MemberId } from './types.ts';

/** Something that one member does for all, every so often. */
export interface Duty {
  readonly name: string;
  readonly everyMs: number;
  /**
   * The work, as transactions that begin by asking the fence's row for this epoch. May be called by two members at once
   * with different epochs; only the higher one's transactions commit.
   */
  run(claim: { readonly epoch: number; readonly signal: AbortSignal }): Promise<void>;
}

/** How a duty stands, as this member sees it. */
export interface DutyState {
  readonly name: string;
  readonly owner: MemberId | undefined;
  /** As last read or claimed; 0: never. */
  readonly epoch: number;
  /** Beyond its interval, as last read; 0 when on time. */
  readonly lateMs: number;
}

/**
 * Runs the duties that the rule gives to this member, and any that is overdue by three intervals, whosever it is: its
 * owner may be frozen, or see others than we do. A member whose database does not answer runs nothing.
 */
export class Duties {
  readonly stats = { runs: new Counter(), takeovers: new Counter(), denied: new Counter(), failures: new Counter() };
  readonly #options: DutiesOptions;
  readonly #runners = new Map<string, Runner>();
  readonly #stop = new AbortController();
  #overdueTimer: Timer | undefined;
  /** Computed anew when others may have duties than last time. */
  #owners: { readonly eligible: string; readonly byDuty: ReadonlyMap<string, MemberId> } | undefined;

  constructor(options: DutiesOptions) {
    this.#options = options;
    for (const duty of options.duties) {
      invariant(!this.#runners.has(duty.name), `two duties called ${duty.name}`);
      this.#runners.set(duty.name, {
        duty,
        epoch: 0,
        lateMs: 0,
        timer: undefined,
        isRunning: undefined,
        isFailing: false,
      });
    }
  }

  start(): void {
    this.changed();
    this.#lookForOverdue();
  }

  /** Waits for what is running: its transaction commits or not, and then nothing more comes. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#overdueTimer?.cancel();
    for (const { timer } of this.#runners.values()) timer?.cancel();
    await Promise.all([...this.#runners.values()].map(({ isRunning }) => isRunning));
  }

  /** The members have changed: what is ours now may have waited for a while. */
  changed(): void {
    if (this.#stop.signal.aborted) return;
    const mine = this.#mine();
    for (const runner of this.#runners.values()) {
      const { name } = runner.duty;
      if (!mine.has(name)) {
        runner.timer?.cancel();
        runner.timer = undefined;
      } else if (runner.timer === undefined && runner.isRunning === undefined) {
        this.#turn(runner);
      }
    }
  }

  states(): readonly DutyState[] {
    const owners = this.#ownersNow();
    return [...this.#runners.values()].map(({ duty: { name }, epoch, lateMs }) => ({
      name,
      owner: owners.get(name),
      epoch,
      lateMs,
    }));
  }

  #ownersNow(): ReadonlyMap<string, MemberId> {
    const { self, members } = this.#options;
    const ids = eligibleMembers(self(), members());
    const eligible = ids.join();
    if (this.#owners?.eligible !== eligible) {
      this.#owners = { eligible, byDuty: dutyOwners([...this.#runners.keys()], ids) };
    }
    return this.#owners.byDuty;
  }

  #mine(): ReadonlySet<string> {
    const { id } = this.#options.self();
    return new Set([...this.#ownersNow()].filter(([, owner]) => owner === id).map(([name]) => name));
  }

  /** One run of a duty of ours, and the next one an interval later. */
  #turn(runner: Runner): void {
    const { clock, random } = this.#options;
    const { name, everyMs } = runner.duty;
    // A timer may fire a touch early; that is no reason to miss a whole turn.
    void this.#attempt(runner, everyMs * DUE_SHARE).then(() => {
      if (this.#stop.signal.aborted || runner.timer !== undefined || !this.#mine().has(name)) return;
      runner.timer = clock.after(everyMs * (1 + SPREAD_SHARE * random()), () => {
        runner.timer = undefined;
        if (this.#mine().has(name)) this.#turn(runner);
      });
    });
  }

  /** Runs it if the fence lets us. Never rejects. */
  #attempt(runner: Runner, dueAfterMs: number): Promise<void> {
    runner.isRunning ??= this.#run(runner, dueAfterMs).finally(() => {
      runner.isRunning = undefined;
    });
    return runner.isRunning;
  }

  async #run(runner: Runner, dueAfterMs: number): Promise<void> {
    const { fence, self, logger } = this.#options;
    const { duty } = runner;
    const { id, ability } = self();
    if (!ability.isAble || this.#stop.signal.aborted) return;
    try {
      const epoch = await fence.claim(duty.name, id, dueAfterMs);
      if (epoch === undefined) {
        this.stats.denied.value++;
        return;
      }
      runner.epoch = epoch;
      runner.lateMs = 0;
      if (this.#stop.signal.aborted) return;
      await duty.run({ epoch, signal: this.#stop.signal });
      this.stats.runs.value++;
      runner.isFailing = false;
    } catch (error) {
      this.stats.failures.value++;
      // Once per spell: it is tried again at every turn.
      if (!runner.isFailing)
        logger.warn('a duty failed; it is tried again', { duty: duty.name, reason: reasonOf(error) });
      runner.isFailing = true;
    }
  }

  #lookForOverdue(): void {
    const { clock, random } = this.#options;
    const delayMs = PEER_LIMITS.overdueCheckMs * (1 + SPREAD_SHARE * random());
    this.#overdueTimer = clock.after(delayMs, () => {
      void this.#takeOverdue().then(() => {
        if (!this.#stop.signal.aborted) this.#lookForOverdue();
      });
    });
  }

  async #takeOverdue(): Promise<void> {
    const { fence, self, logger } = this.#options;
    if (!self().ability.isAble) return;
    try {
      for (const record of await fence.read()) {
        const runner = this.#runners.get(record.duty);
        if (runner === undefined) continue;
        const { everyMs } = runner.duty;
        runner.epoch = Math.max(runner.epoch, record.epoch);
        runner.lateMs = Math.max(record.ageMs - everyMs, 0);
        const overdueMs = everyMs * (1 + PEER_LIMITS.overdueIntervals);
        if (record.ageMs < overdueMs) continue;
        this.stats.takeovers.value++;
        await this.#attempt(runner, overdueMs);
      }
    } catch (error) {
      logger.debug('duties cannot be read', { reason: reasonOf(error) });
    }
  }
}

export interface DutiesOptions {
  readonly duties: readonly Duty[];
  readonly fence: DutyFence;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  self(): DutySelf;
  members(): readonly LinkedMember[];
}

interface Runner {
  readonly duty: Duty;
  epoch: number;
  lateMs: number;
  timer: Timer | undefined;
  isRunning: Promise<void> | undefined;
  isFailing: boolean;
}

const DUE_SHARE = 0.8;
const SPREAD_SHARE = 0.1;

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
