import type { Random } from '../base/chance.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Duty, DutyRule, DutyState } from './duty.ts';
import type { DutyClaim, DutyFence, DutyRecord, WantedDuty } from './duty-fence.ts';
import type { DutyStats } from './duty-stats.ts';
import { LogError } from './log.ts';

/**
 * Runs one duty in turns:
 *
 *   which parts are wanted, and may be due for us? ─▶ claim them, in one commit ─▶ run those that the fence grants ─▶ …
 *
 * Ours are the parts that the rule gives to this replica; without a rule, those that nobody else claimed last. They are
 * claimed every interval. Any other part is claimed when it has been left undone for three intervals more: its owner may
 * be frozen, or see others than we do. A claim that is denied tells who has the part and since when, and so when to ask
 * again: replicas that have nothing to do ask the database little more than once in those four intervals.
 */
export class DutyRunner {
  readonly duty: Duty;
  readonly #context: DutyContext;
  readonly #parts: readonly Part[];
  readonly #stop = new AbortController();
  #startedMs = 0;
  #isStarted = false;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  /** Something changed while it ran. */
  #again = false;
  #isFailing = false;
  /** The fence did not answer: not again before. */
  #askAgainMs = 0;

  constructor(duty: Duty, context: DutyContext) {
    this.duty = duty;
    this.#context = context;
    this.#parts = duty.parts.map((name) => new Part(name));
  }

  /** To be called when it is known what the fence knows: else it would take from others what they have. */
  start(): void {
    this.#isStarted = true;
    this.#startedMs = this.#context.clock.monotonicMs();
    this.duty.onWanted?.(() => this.look());
    this.look();
  }

  /** Waits for a run under way. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#timer?.cancel();
    await this.#running;
  }

  /** What is to be done, or by whom, may have changed. */
  look(): void {
    if (!this.#isStarted || this.#stop.signal.aborted) return;
    if (this.#running !== undefined) {
      this.#again = true;
      return;
    }
    this.#again = false;
    this.#timer?.cancel();
    const wanted = this.#due();
    if (wanted.length === 0) {
      this.#sleep();
      return;
    }
    this.#running = this.#turn(wanted).finally(() => {
      this.#running = undefined;
      if (this.#again) this.look();
      else this.#sleep();
    });
  }

  note(records: readonly DutyRecord[]): void {
    const nowMs = this.#context.clock.monotonicMs();
    for (const part of this.#parts) {
      const record = records.find(({ duty }) => duty === part.name);
      if (record !== undefined) part.note(record, nowMs);
    }
  }

  states(): readonly DutyState[] {
    const { clock, rule, self } = this.#context;
    const nowMs = clock.monotonicMs();
    const known = rule();
    return this.#parts.map((part) => {
      const ageMs = part.ageMs(nowMs);
      const beyondMs = ageMs === undefined ? part.wantedMs(nowMs) : Math.min(ageMs, part.wantedMs(nowMs));
      const allowedMs = ageMs === undefined ? (this.duty.firstAfterMs ?? 0) : this.duty.everyMs;
      return {
        name: part.name,
        epoch: part.epoch,
        holder: part.holder,
        isOurs: part.holder === self(),
        owner: known?.ownerOf(this.duty.ruledBy ?? part.name),
        ageMs,
        lateMs: Math.max(beyondMs - allowedMs, 0),
      };
    });
  }

  /** What to claim now. */
  #due(): WantedDuty[] {
    const { clock, rule } = this.#context;
    const nowMs = clock.monotonicMs();
    for (const part of this.#parts) part.noteWanted(this.duty.isWanted?.(part.name) ?? true, nowMs);
    if (rule()?.isAble === false || nowMs < this.#askAgainMs) return [];
    return this.#parts
      .filter((part) => part.isWanted && this.#dueInMs(part, nowMs) <= 0)
      .map((part) => ({ duty: part.name, dueAfterMs: Math.round(this.#dueAfterMs(part)) }));
  }

  #isAnothers(part: Part): boolean {
    const known = this.#context.rule();
    return known !== undefined && known.ownerOf(this.duty.ruledBy ?? part.name) !== known.self;
  }

  /** One that this replica runs; else it is only run when it is overdue. */
  #isOurs(part: Part): boolean {
    const { rule, self, clock } = this.#context;
    const isFree = part.holder === undefined || part.holder === self();
    if (rule() === undefined) return isFree;
    if (this.#isAnothers(part)) return false;
    // Who has just come sees nobody yet, and would take everything from everybody.
    return isFree || clock.monotonicMs() - this.#startedMs > SETTLE_MS;
  }

  /** Since its last claim. */
  #dueAfterMs(part: Part): number {
    const { everyMs, retryMs = everyMs } = this.duty;
    if (!this.#isOurs(part)) return everyMs + this.#patienceMs;
    const intervalMs = this.#isFailing ? Math.min(retryMs, everyMs) : everyMs;
    // A timer may fire a touch early; that is no reason to miss a whole turn.
    return intervalMs - Math.min(intervalMs * EARLY_SHARE_MAX, EARLY_MS_MAX);
  }

  /** By what is known here, which is older than what the fence knows; 0 or less: now. */
  #dueInMs(part: Part, nowMs: number): number {
    const ageMs = part.ageMs(nowMs);
    const { firstAfterMs = 0 } = this.duty;
    // Whom the rule names has not had the time yet to do what has just come up.
    const waitMs = this.#isAnothers(part) ? this.#patienceMs - part.wantedMs(nowMs) : 0;
    if (ageMs === undefined) return Math.max(waitMs, firstAfterMs - (nowMs - this.#startedMs));
    return Math.max(waitMs, this.#dueAfterMs(part) - ageMs);
  }

  get #patienceMs(): number {
    return Math.min(this.duty.everyMs * OVERDUE_INTERVALS, OVERDUE_MS_MAX);
  }

  async #turn(wanted: readonly WantedDuty[]): Promise<void> {
    const { fence, self, stats, clock, logger } = this.#context;
    const before = new Map(this.#parts.map(({ name, holder }) => [name, holder]));
    let granted: readonly DutyClaim[];
    try {
      const claims = await fence.claimDuties(wanted, self());
      granted = claims.filter(({ isGranted }) => isGranted);
      this.note(claims.map((claim) => (claim.isGranted ? { ...claim, ageMs: 0 } : claim)));
      stats.denied.value += claims.length - granted.length;
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      stats.failures.value += 1;
      this.#askAgainMs = clock.monotonicMs() + Math.min(this.duty.everyMs, ASK_AGAIN_MS_MAX);
      logger.debug('a duty could not be claimed', { duty: this.duty.parts[0], reason: error.message });
      return;
    }
    if (granted.length === 0 || this.#stop.signal.aborted) return;
    const taken = granted.filter(({ duty }) => before.get(duty) !== undefined && before.get(duty) !== self());
    stats.takeovers.value += taken.length;
    this.#isFailing = (await this.duty.run(granted, this.#stop.signal)) === 'failed';
    if (this.#isFailing) stats.failures.value += 1;
    else stats.runs.value += granted.length;
  }

  #sleep(): void {
    if (this.#stop.signal.aborted) return;
    const { clock, random, self, rule } = this.#context;
    const { everyMs, retryMs = everyMs } = this.duty;
    const nowMs = clock.monotonicMs();
    const spreadMs = Math.min(everyMs * SPREAD_SHARE, SPREAD_MS_MAX) * random();
    let delayMs = everyMs + spreadMs;
    if (rule()?.isAble !== false) {
      for (const part of this.#parts) {
        if (!part.isWanted) continue;
        const isKept = part.holder === self() && this.#isOurs(part);
        const intervalMs = this.#isFailing ? Math.min(retryMs, everyMs) : everyMs;
        const dueMs = isKept ? intervalMs + spreadMs - (part.ageMs(nowMs) ?? 0) : this.#dueInMs(part, nowMs);
        delayMs = Math.min(delayMs, dueMs);
      }
    }
    delayMs = Math.max(delayMs, this.#askAgainMs - nowMs, PAUSE_MS_MIN);
    this.#timer?.cancel();
    this.#timer = clock.after(delayMs, () => this.look());
  }
}

/** A part as last heard of. */
class Part {
  readonly name: string;
  epoch = 0;
  holder: string | undefined;
  #ageMs = 0;
  #notedMs = 0;
  #wantedSinceMs: number | undefined;

  constructor(name: string) {
    this.name = name;
  }

  get isWanted(): boolean {
    return this.#wantedSinceMs !== undefined;
  }

  note({ epoch, holder, ageMs }: DutyRecord, nowMs: number): void {
    this.epoch = epoch;
    this.holder = holder;
    this.#ageMs = Math.max(ageMs, 0);
    this.#notedMs = nowMs;
  }

  noteWanted(isWanted: boolean, nowMs: number): void {
    if (!isWanted) this.#wantedSinceMs = undefined;
    else this.#wantedSinceMs ??= nowMs;
  }

  /** Undefined: never claimed, as far as is known. */
  ageMs(nowMs: number): number | undefined {
    return this.epoch === 0 ? undefined : this.#ageMs + nowMs - this.#notedMs;
  }

  wantedMs(nowMs: number): number {
    return this.#wantedSinceMs === undefined ? 0 : nowMs - this.#wantedSinceMs;
  }
}

/** What the runners of a store have in common. */
export interface DutyContext {
  readonly fence: DutyFence;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly stats: DutyStats;
  /** Undefined: this replica knows of no others. */
  rule(): DutyRule | undefined;
  /** As the fence names this replica. */
  self(): string;
}

/** A duty overdue by so many of its intervals, or by so long, is run by whoever sees it. */
const OVERDUE_INTERVALS = 3;
const OVERDUE_MS_MAX = 30_000;
/** After the start others keep what they have. */
const SETTLE_MS = 2000;
/** How much too early a claim may come. */
const EARLY_SHARE_MAX = 0.2;
const EARLY_MS_MAX = 1000;
/** Turns are spread, so that replicas do not meet each time. */
const SPREAD_SHARE = 0.1;
const SPREAD_MS_MAX = 1000;
const ASK_AGAIN_MS_MAX = 1000;
const PAUSE_MS_MIN = 20;
