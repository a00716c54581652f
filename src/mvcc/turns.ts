import type { Clock, Timer } from '../base/clock.ts';
import type { SharedLog } from './log.ts';
import type { CommitId } from './types.ts';

/**
 * Turns: when to append to a log that others write to at the same time, so that few appends are for nothing and nobody
 * is left behind. Without them whoever has just committed is the first again, for the others have yet to read what it
 * wrote.
 *
 * Nobody asks anybody. A commit's id says whose it is, and each replica sees the commits as it follows the log. Those
 * that have committed lately stand in a ring, in the order of their tags; after a commit it is the next one's turn, and
 * a turn that is not taken passes:
 *
 *        A ─▶ B ─▶ C ─▶ A …        B has committed: C may append at once,
 *                                  A after the time of one turn, B after two
 *
 * Whoever is too late time and again has nobody's attention yet: it announces itself by a commit of nothing.
 *
 * Order does not rest on any of this: an append out of turn is as right as any, and finds the log moved or not.
 */
export class Turns {
  readonly #log: Pick<SharedLog, 'announce'>;
  readonly #clock: Clock;
  readonly #tag: number;
  #nextSerial: number;
  /** Whose last commit was when, counted in commits. Ourselves included. */
  readonly #ring = new Map<number, number>();
  /** The ring's tags in order. */
  #order: readonly number[] = [];
  #commits = 0;
  #last: number;
  #lastMs = 0;
  /** Of a commit of ours, on average. */
  #commitMs = 0;
  #wake: ((isKnown: boolean) => void) | undefined;
  #timer: Timer | undefined;

  /** `random`: 0 inclusive to 1 exclusive. */
  constructor(log: Pick<SharedLog, 'announce'>, clock: Clock, random: () => number) {
    this.#log = log;
    this.#clock = clock;
    this.#tag = Math.floor(random() * TAGS);
    this.#nextSerial = Math.floor(random() * SERIALS);
    this.#last = this.#tag;
  }

  /** A name for a commit of ours that no other one has: a tag of 20 random bits, a serial of 33 from a random one on. */
  newCommitId(): CommitId {
    this.#nextSerial = (this.#nextSerial + 1) % SERIALS;
    // 0 is the commit of a log without any.
    return Math.max(1, this.#tag * SERIALS + this.#nextSerial);
  }

  /** Others write as well: what is decided before its turn would be decided for nothing. */
  get areTaken(): boolean {
    return this.#ring.size > 1;
  }

  /** How long it is another's turn yet; 0: ours. */
  get restMs(): number {
    if (!this.areTaken) return 0;
    const turns = this.#distanceFrom(this.#last) - 1;
    if (turns === 0) return 0;
    const turnMs = Math.min(this.#commitMs * TURN_COMMITS, TURN_MS_MAX);
    return Math.max(0, this.#lastMs + turns * turnMs - this.#clock.monotonicMs());
  }

  /** Whether it will be our turn when this has been committed. */
  isOursAfter(commit: CommitId): boolean {
    const tag = authorOf(commit);
    return tag !== this.#tag && this.#ring.has(tag) && this.#ring.has(this.#tag) && this.#distanceFrom(tag) === 1;
  }

  /** Calls back when it may be our turn, or to decide what is for it; `isKnown`: it was seen whose it was last. One waits at a time. */
  await(wake: (isKnown: boolean) => void): void {
    if (this.#wake !== undefined) return;
    this.#wake = wake;
    this.#timer = this.#clock.after(this.restMs, () => this.#call(false));
  }

  /** Others' batches are here, ahead of their commits, and then it is our turn. */
  sawAhead(): void {
    this.#call(true);
  }

  /** The log was followed up to the last of these commits. */
  saw(...commits: readonly CommitId[]): void {
    const others = commits.map(authorOf).filter((tag) => tag !== this.#tag);
    if (others.length === 0) return;
    for (const tag of others) this.#note(tag);
    this.#call(true);
  }

  /** A commit of ours. */
  committed(tookMs: number): void {
    this.#commitMs += (tookMs - this.#commitMs) * AVERAGING;
    this.#note(this.#tag);
  }

  /** Others were first, so many times in a row. */
  async moved(times: number): Promise<void> {
    if (times % MOVES_IN_SILENCE !== 0) return;
    // Whatever is wrong, the next append will be told.
    const isHeard = await this.#log.announce(this.newCommitId()).then(
      () => true,
      () => false,
    );
    if (isHeard) this.#note(this.#tag);
  }

  #note(tag: number): void {
    this.#commits += 1;
    this.#last = tag;
    this.#lastMs = this.#clock.monotonicMs();
    this.#ring.set(tag, this.#commits);
    const oldest = this.#commits - this.#ring.size * ROUNDS_REMEMBERED;
    for (const [other, at] of this.#ring) if (at < oldest) this.#ring.delete(other);
    if (this.#ring.size !== this.#order.length || !this.#order.includes(tag)) {
      this.#order = [...this.#ring.keys()].sort((a, b) => a - b);
    }
  }

  /** From that one to us, along the ring; all around when it is us. */
  #distanceFrom(tag: number): number {
    const tags = this.#order;
    if (!this.#ring.has(this.#tag)) return 1;
    const steps = tags.indexOf(this.#tag) - tags.indexOf(tag);
    return steps > 0 ? steps : steps + tags.length;
  }

  #call(isKnown: boolean): void {
    const wake = this.#wake;
    this.#wake = undefined;
    this.#timer?.cancel();
    wake?.(isKnown);
  }
}

/** Which replica a commit is of, by its id. */
export function authorOf(commit: CommitId): number {
  return Math.floor(commit / SERIALS);
}

const TAGS = 2 ** 20;
const SERIALS = 2 ** 33;
/** Who has not committed for so many times around is not waited for any more. */
const ROUNDS_REMEMBERED = 4;
/** How often in a row one is too late before one says so. */
const MOVES_IN_SILENCE = 3;
/** A turn, in commits of ours: another's commit, the news of it and the way there. */
const TURN_COMMITS = 2;
const TURN_MS_MAX = 250;
/** The part of the newest in the average. */
const AVERAGING = 0.2;
