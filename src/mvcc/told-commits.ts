import type { Clock, Timer } from '../base/clock.ts';
import { BatchesAhead } from './batches-ahead.ts';
import type { CommitTold } from './commit-told.ts';
import type { KeyIndex } from './key-index.ts';
import { KnownKeys } from './known-keys.ts';
import { type AppendBatch, cursorAfter, type Heard } from './log.ts';
import type { StoreStats } from './store-stats.ts';
import type { Tail } from './tail.ts';
import type { Turns } from './turns.ts';
import type { Cursor, Revision } from './types.ts';

/**
 * The short way of a commit of another replica. Its author sends the batch to the log and to us; the log tells of the
 * commit in a few bytes, or the author does once the log has answered it; and so the log is not asked what is in it:
 *
 *   author ─ batch, ahead ──────────────▶ BatchesAhead ─┐
 *     ├─ append ─▶ log ── commit told ──────────────────┴─ where it leads to from here has come ─▶ Tail.apply
 *     └─ answered: commit told, where the log does not ─┘  anything else ─▶ ask: Follower, news
 *
 * What is committed, and in which order, is the log's word alone; a batch is bytes for it. Authors tell in no common
 * order, but each commit names the one that it came upon, which is committed if it is. A batch that is late is waited
 * for, for a moment; one that never comes, or came for nothing, costs time.
 */
export class ToldCommits implements Heard {
  readonly #parts: ToldCommitsParts;
  readonly #batches: BatchesAhead;
  /** Told of, and a batch on the way there has not come yet. */
  #awaited: CommitTold | undefined;
  #timer: Timer | undefined;
  #answered: Revision = 0;

  constructor(parts: ToldCommitsParts) {
    this.#parts = parts;
    this.#batches = new BatchesAhead(parts.bytesMax, new KnownKeys(parts.index));
  }

  stop(): void {
    this.#awaited = undefined;
    this.#endWait();
  }

  /** The log tells of a commit, or its author tells what the log has answered. */
  told(commit: CommitTold): void {
    const { clock, patienceMs, ask } = this.#parts;
    if (this.#isPast(commit) || this.#apply(commit)) return;
    if (!this.#batches.isAwaited(commit.cursor.commit)) {
      ask();
      return;
    }
    this.#awaited = commit;
    this.#timer ??= clock.after(patienceMs, () => this.#endWait());
  }

  /** Batches of others, one upon the other, that are the next commits, for all that is known, and then it is our turn. */
  ahead(): readonly AppendBatch[] | undefined {
    const { tail, turns } = this.#parts;
    const batches: AppendBatch[] = [];
    for (let at = tail.cursor; batches.length < AHEAD_MAX; ) {
      const batch = this.#batches.upon(at);
      if (batch === undefined) return undefined;
      batches.push(batch);
      if (turns.isOursAfter(batch.commit)) return batches;
      at = cursorAfter(batch);
    }
    return undefined;
  }

  /** Heard: for a log that does not tell by itself, but may be asked for less. */
  batch(from: Cursor, to: Cursor): AppendBatch | undefined {
    const batch = this.#batches.take(from, to);
    if (batch !== undefined) this.#parts.stats.batchesAheadApplied.value += 1;
    return batch;
  }

  /** Heard. */
  get answered(): Revision {
    return this.#answered;
  }

  /** A replica says that the log has answered its commit up to there. */
  noteAnswered(revision: Revision): void {
    this.#answered = Math.max(this.#answered, revision);
  }

  /** A batch from its author, of which the log may tell. Throws RangeError for what is no batch. */
  takeAhead(encoded: Buffer): void {
    const { stats, tail, turns } = this.#parts;
    stats.batchesAhead.value += 1;
    this.#batches.add(encoded, tail.cursor.revision);
    if (this.#awaited !== undefined && this.#apply(this.#awaited)) {
      this.#awaited = undefined;
      this.#endWait();
    } else if (this.ahead() !== undefined) turns.sawAhead();
  }

  /** Whatever is awaited still does not come. */
  #endWait(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const awaited = this.#awaited;
    this.#awaited = undefined;
    if (awaited === undefined || this.#isPast(awaited)) return;
    this.#batches.giveUp(awaited.cursor.commit);
    this.#parts.ask();
  }

  /** A commit of nothing ends where the one before it does, and may not be. */
  #isPast({ cursor }: CommitTold): boolean {
    const at = this.#parts.tail.cursor;
    return cursor.commit === at.commit || cursor.revision < at.revision || cursor.notes < at.notes;
  }

  #apply(commit: CommitTold): boolean {
    const { tail, turns, stats, mayApply } = this.#parts;
    const batches = mayApply() ? this.#batches.takeAll(tail.cursor, commit) : undefined;
    if (batches === undefined) return false;
    for (const batch of batches) tail.apply(batch.changes, batch.notes, cursorAfter(batch), batch.messages);
    turns.saw(...batches.map((batch) => batch.commit));
    stats.batchesAheadApplied.value += batches.length;
    return true;
  }
}

export interface ToldCommitsParts {
  readonly index: KeyIndex;
  readonly tail: Tail;
  readonly turns: Turns;
  readonly clock: Clock;
  readonly stats: StoreStats;
  /** Of batches that wait: those that came first make room. */
  readonly bytesMax: number;
  /** How much later than the log's word a batch may come that was sent before it. */
  readonly patienceMs: number;
  readonly mayApply: () => boolean;
  /** Has the log asked for its news. */
  readonly ask: () => void;
}

/** One is being done by the log and one waits for it: then a third in the line leaves it no pause. */
const AHEAD_MAX = 2;
