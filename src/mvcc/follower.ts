import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Service } from '../base/service.ts';
import type { CommitTold } from './commit-told.ts';
import type { KeyIndex } from './key-index.ts';
import { type AppendBatch, LogError, type News, type SharedLog } from './log.ts';
import { toStoreError } from './store-error.ts';
import type { StoreStats } from './store-stats.ts';
import type { Tail } from './tail.ts';
import { ToldCommits } from './told-commits.ts';
import type { Turns } from './turns.ts';
import { type AlarmKind, type Cursor, type Revision, sameCursor } from './types.ts';

/**
 * The Follower keeps the Tail up with a log that others write to as well.
 *
 *   linearizable reads ─ confirm ─┐                        ┌─▶ Tail.apply: changes and notes, in the log's order
 *   the log's hints, peers' hints ┼─▶ news(since: cursor) ─┤        ▲
 *   a poll that backs off ────────┘   one question at a time└─▶ horizon, swept, alarms
 *   the log or its author tells of a commit ─ ToldCommits: its batch came from its author already
 *
 * A question answers all who came before it was sent; who comes later waits for the next one. Hints may be lost: the
 * poll finds what they did not tell, soon after something has happened, rarely when nothing does.
 *
 * Our own commits reach the Tail by the Writer or by a news, whichever is first: both apply only what lies beyond the
 * Tail's cursor, in one step, so nothing is applied twice. Each is as good as a poll, for it was written upon the newest
 * one: while we alone commit, or those who tell, polls are for what is no commit (the horizon, alarms), and as rare as when
 * nothing happens.
 *
 * When the log does not know our past any more (a primary that was lost with its last commits), or has swept what we
 * have not seen, there is no way on from here: `onLost` hears of it, once.
 */
export class Follower implements Service {
  readonly #parts: FollowerParts;
  readonly #limits: FollowerLimits;
  #asking: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  /** A hint came while a question was under way. */
  #poked = false;
  readonly #toldCommits: ToldCommits;
  /** The highest revision that peers say exists and that was not looked for since; they may be wrong. */
  #hinted: Revision = 0;
  #hintedMs = Number.NEGATIVE_INFINITY;
  #patience: Timer | undefined;
  #told = false;
  #timer: Timer | undefined;
  /** Where the Tail was at the last poll, or after the last news. */
  #seen: Cursor | undefined;
  #askedMs = Number.NEGATIVE_INFINITY;
  #pollMs: number;
  #isLost = false;
  #isFailing = false;
  #state: 'new' | 'running' | 'stopped' = 'new';

  constructor(parts: FollowerParts, limits: Partial<FollowerLimits> = {}) {
    this.#parts = parts;
    this.#limits = { ...FOLLOWER_LIMITS, ...limits };
    this.#toldCommits = new ToldCommits({
      ...parts,
      bytesMax: this.#limits.aheadBytesMax,
      patienceMs: this.#limits.aheadPatienceMs,
      mayApply: () => this.#state === 'running' && !this.#isLost,
      ask: () => this.poke(),
    });
    this.#pollMs = this.#limits.pollMsMin;
  }

  async start(): Promise<void> {
    this.#state = 'running';
    this.#told = this.#parts.log.listen((commit) => {
      if (commit === undefined) this.poke();
      else this.#toldCommits.told(commit);
    });
    this.#schedule();
  }

  /** Resolves when no question is under way. */
  async stop(): Promise<void> {
    this.#state = 'stopped';
    this.#timer?.cancel();
    this.#patience?.cancel();
    this.#toldCommits.stop();
    await this.#asking?.catch(() => undefined);
  }

  /** Resolves when everything committed before the call is applied. Rejects with StoreError. */
  confirm(): Promise<void> {
    if (this.#asking === undefined) return this.#ask();
    const ask = (): Promise<void> => {
      this.#next = undefined;
      return this.#asking ?? this.#ask();
    };
    this.#next ??= this.#asking.then(ask, ask);
    return this.#next;
  }

  /** Resolves when something beyond the cursor is applied; at the latest when everything committed before the call is. */
  async passed(cursor: Cursor): Promise<void> {
    const { tail } = this.#parts;
    if (sameCursor(tail.cursor, cursor)) await this.#asking;
    if (sameCursor(tail.cursor, cursor)) await this.confirm();
  }

  /** The head goes on from there, if it is below (leap.ts). Rejects with LogError or StoreError. */
  async leap(to: Revision): Promise<void> {
    const { log, turns, stats } = this.#parts;
    await log.announce(turns.newCommitId(), to);
    stats.leaps.value += 1;
    await this.confirm();
  }

  /** Somebody may have committed. */
  poke(): void {
    if (this.#state !== 'running') return;
    if (this.#asking !== undefined) {
      this.#poked = true;
      return;
    }
    this.#follow();
  }

  /** The log tells of commits by itself, so that nobody else need. */
  get logTells(): boolean {
    return this.#told;
  }

  /** A replica says what the log has answered it. */
  told(commit: CommitTold): void {
    this.#parts.stats.commitsTold.value += 1;
    this.#toldCommits.noteAnswered(commit.cursor.revision);
    this.#hintedMs = this.#parts.clock.monotonicMs();
    if (this.#state === 'running') this.#toldCommits.told(commit);
  }

  /**
   * A peer says that this revision exists. A log that tells by itself does so as soon, and would be asked twice for each
   * commit: it is asked only if it has not told a moment later.
   */
  hint(revision: Revision): void {
    this.#hintedMs = this.#parts.clock.monotonicMs();
    this.#hinted = Math.max(this.#hinted, revision);
    if (this.#state !== 'running' || this.#asking !== undefined || this.#patience !== undefined) return;
    if (!this.#told) {
      this.#lookForHinted();
      return;
    }
    this.#patience = this.#parts.clock.after(this.#limits.hintPatienceMs, () => {
      this.#patience = undefined;
      this.#lookForHinted();
    });
  }

  /** As ToldCommits.ahead. */
  ahead(): readonly AppendBatch[] | undefined {
    return this.#toldCommits.ahead();
  }

  /** As ToldCommits.takeAhead. */
  takeAhead(encoded: Buffer): void {
    this.#toldCommits.takeAhead(encoded);
  }

  /** Once for each hint: one that is wrong must not keep us asking. */
  #lookForHinted(): void {
    const isNew = this.#hinted > this.#parts.tail.cursor.revision;
    this.#hinted = 0;
    if (isNew) this.poke();
  }

  /** A question of nobody's in particular. */
  #follow(): void {
    this.#ask().then(
      () => {
        this.#isFailing = false;
      },
      (error: unknown) => this.#noteFailure(error),
    );
  }

  #noteFailure(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    if (!this.#isFailing && this.#state === 'running')
      this.#parts.logger.warn('the log cannot be followed', { reason });
    this.#isFailing = true;
  }

  #ask(): Promise<void> {
    this.#poked = false;
    this.#asking = this.#askAll().finally(() => {
      this.#asking = undefined;
      if (this.#poked) this.poke();
      else if (this.#patience === undefined) this.#lookForHinted();
    });
    return this.#asking;
  }

  async #askAll(): Promise<void> {
    const { log, tail, stats, clock } = this.#parts;
    this.#askedMs = clock.monotonicMs();
    try {
      for (;;) {
        if (this.#isLost) throw new LogError('unavailable', 'the store is being loaded anew');
        const since = tail.cursor;
        const news = await log.news(since, this.#limits.newsBytes, this.#toldCommits);
        stats.newsAsked.value += 1;
        if (this.#take(news, since)) return;
      }
    } catch (error) {
      throw toStoreError(error);
    }
  }

  /** In one step. False when there is more. */
  #take(news: News, since: Cursor): boolean {
    const { tail } = this.#parts;
    if (news.kind !== 'news') {
      // The Writer may have brought the Tail beyond what was asked about, from where there is a way on.
      if (tail.cursor !== since) return false;
      this.#isLost = true;
      this.#parts.onLost(news.kind);
      throw new LogError('unavailable', 'the store is being loaded anew');
    }
    this.#applyNews(news, since);
    this.#seen = tail.cursor;
    this.#parts.onPlace(news.horizon, news.swept, news.alarms);
    return !news.more;
  }

  #applyNews(news: News & { readonly kind: 'news' }, since: Cursor): void {
    const { tail, stats, turns } = this.#parts;
    const { cursor } = tail;
    if (!isBeyond(news.cursor, cursor)) {
      // A fence (SharedLog.settle) is a commit of nothing, and so is what announces a replica.
      if (!sameCursor(cursor, since) || sameCursor(cursor, news.cursor)) return;
      tail.apply([], [], news.cursor);
      turns.saw(news.cursor.commit);
      return;
    }
    const changes =
      cursor.revision === since.revision
        ? news.changes
        : news.changes.filter((change) => change.revision > cursor.revision);
    const notes = cursor.notes === since.notes ? news.notes : news.notes.slice(cursor.notes - since.notes);
    stats.newsChanges.value += changes.length;
    tail.apply(changes, notes, news.cursor);
    turns.saw(news.cursor.commit);
    // Where something has happened more will soon.
    this.#pollMs = this.#limits.pollMsMin;
    this.#schedule();
  }

  /**
   * Since the last poll something was committed by the Writer, or told of, so that there was nothing else to find until
   * then. Where others commit who do not tell, news are for the turns.
   */
  #hasMovedSince(): boolean {
    const { tail, clock, turns } = this.#parts;
    const before = this.#seen;
    this.#seen = tail.cursor;
    if (before === undefined || sameCursor(before, tail.cursor)) return false;
    return (!turns.areTaken || this.#areHintsFresh) && clock.monotonicMs() - this.#askedMs < this.#limits.pollMsMax;
  }

  get #areHintsFresh(): boolean {
    return this.#parts.clock.monotonicMs() - this.#hintedMs < this.#limits.hintsLastMs;
  }

  #schedule(): void {
    if (this.#state !== 'running') return;
    this.#timer?.cancel();
    const { clock } = this.#parts;
    const { pollMsMin, pollMsMax, pollMsMaxTold, pollMsMinHinted } = this.#limits;
    const pollMs = this.#areHintsFresh ? Math.max(this.#pollMs, pollMsMinHinted) : this.#pollMs;
    this.#timer = clock.after(this.#told ? pollMsMaxTold : pollMs, () => {
      this.#pollMs = Math.min(pollMsMax, Math.max(pollMsMin, this.#pollMs * POLL_GROWTH));
      if (!this.#hasMovedSince()) this.poke();
      this.#schedule();
    });
  }
}

/** A pause in writing shorter than about ten polls keeps them frequent. */
const POLL_GROWTH = 1.1;

/** Whether there is something between `cursor` and `other`. */
function isBeyond(other: Cursor, cursor: Cursor): boolean {
  return other.revision > cursor.revision || other.notes > cursor.notes;
}

/** Why there is no way on: see News. */
export type LostKind = 'behind' | 'foreign';

export interface FollowerParts {
  readonly log: SharedLog;
  readonly index: KeyIndex;
  readonly tail: Tail;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stats: StoreStats;
  readonly turns: Turns;
  readonly onLost: (kind: LostKind) => void;
  readonly onPlace: (horizon: Revision, swept: Revision, alarms: readonly AlarmKind[]) => void;
}

export interface FollowerLimits {
  readonly newsBytes: number;
  /** How soon the log is asked again when something has just happened, and at most when nothing does. */
  readonly pollMsMin: number;
  readonly pollMsMax: number;
  /** With a log that tells by itself. */
  readonly pollMsMaxTold: number;
  /** While peers hint, and so long after: what they do not tell of is somebody's whom they do not know. */
  readonly pollMsMinHinted: number;
  readonly hintsLastMs: number;
  /** How long such a log has to tell of what a peer has told of already. */
  readonly hintPatienceMs: number;
  /** As ToldCommitsParts. */
  readonly aheadBytesMax: number;
  readonly aheadPatienceMs: number;
}

export const FOLLOWER_LIMITS: FollowerLimits = {
  newsBytes: 1024 ** 2,
  pollMsMin: 10,
  pollMsMax: 250,
  pollMsMaxTold: 2000,
  pollMsMinHinted: 50,
  hintsLastMs: 1000,
  hintPatienceMs: 50,
  aheadBytesMax: 8 * 1024 ** 2,
  aheadPatienceMs: 3,
};
