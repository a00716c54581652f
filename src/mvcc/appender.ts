import type { Clock } from '../base/clock.ts';
import { type AppendListener, type AppendResult, cursorAfter, isShared, type Log, LogError } from './log.ts';
import { type Fate, settle } from './settle.ts';
import type { StoreStats } from './store-stats.ts';
import type { Tail } from './tail.ts';
import type { Turns } from './turns.ts';
import { sameCursor } from './types.ts';
import type { WriteBatch } from './write-batch.ts';

/** Sends the Writer's batches to the log, and finds out what became of those whose answer is lost. */
export class Appender {
  readonly #parts: AppenderParts;
  /** Its append was given up without knowing its fate. */
  #unsettled: WriteBatch | undefined;

  constructor(parts: AppenderParts) {
    this.#parts = parts;
  }

  /** Nothing may be decided before that is known. */
  get isUnsettled(): boolean {
    return this.#unsettled !== undefined;
  }

  /** Sends it, at once. Rejects with LogError when the batch is not written, or nobody knows. */
  async append(batch: WriteBatch): Promise<AppendResult> {
    return batch.draft.isEmpty ? this.#holdsStill(batch) : this.#send(batch);
  }

  /** The batch that was given up, if it was committed. Rejects with LogError when that cannot be found out. */
  async settleEarlier(): Promise<WriteBatch | undefined> {
    const batch = this.#unsettled;
    if (batch === undefined) return undefined;
    const fate = await this.#fateOf(batch);
    if (fate === 'unknown') throw new LogError('unavailable', 'an earlier commit is not settled yet');
    this.#unsettled = undefined;
    if (fate !== 'committed') return undefined;
    this.#landBelow(batch);
    return batch;
  }

  /** Nothing is to be written, but what was decided must hold at a moment after the requests came. */
  async #holdsStill({ draft }: WriteBatch): Promise<AppendResult> {
    const { confirm, tail } = this.#parts;
    await confirm?.();
    const stands = confirm === undefined || sameCursor(tail.cursor, draft.expected);
    return stands ? COMMITTED : { kind: 'moved' };
  }

  async #send(batch: WriteBatch): Promise<AppendResult> {
    const { log, stats, clock, turns, onAppend } = this.#parts;
    const toAppend = batch.draft.toAppend();
    const beganMs = clock.monotonicMs();
    try {
      const appending = isShared(log) ? log.append(toAppend, batch.below) : log.append(toAppend);
      batch.messages = onAppend?.(toAppend);
      const result = await appending;
      const tookMs = clock.monotonicMs() - beganMs;
      stats.commitSeconds.observe(tookMs / 1000);
      if (result.kind !== 'committed') return result;
      this.#landBelow(batch);
      turns?.committed(tookMs);
      return result;
    } catch (error) {
      stats.appendsFailed.value += 1;
      if (!(error instanceof LogError) || error.code !== 'ambiguous') throw error;
      const fate = await this.#fateOf(batch);
      if (fate === 'committed') {
        this.#landBelow(batch);
        return COMMITTED;
      }
      if (fate === 'not-committed') throw new LogError('unavailable', error.message, { cause: error });
      if (fate === 'unknown') this.#unsettled = batch;
      throw error;
    }
  }

  /** Where one below was never committed, and is fenced, this one cannot be either. */
  async #fateOf({ draft, below }: WriteBatch): Promise<Fate> {
    const { log, clock } = this.#parts;
    for (const batch of below?.batches ?? []) {
      const fate = await settle(log, clock, batch);
      if (fate !== 'committed') return fate;
    }
    return settle(log, clock, draft.toAppend());
  }

  /** The batch is committed, so those that it was sent upon are too. The log may not have told us of them yet. */
  #landBelow({ below }: WriteBatch): void {
    const { tail, turns, stats } = this.#parts;
    for (const batch of below?.batches ?? []) {
      if (!sameCursor(tail.cursor, batch.expected)) continue;
      stats.batchesAheadApplied.value += 1;
      tail.apply(batch.changes, batch.notes, cursorAfter(batch), batch.messages);
      turns?.saw(batch.commit);
    }
  }
}

export interface AppenderParts {
  readonly log: Log;
  readonly tail: Tail;
  readonly stats: StoreStats;
  readonly clock: Clock;
  /** With a log that others write to as well: Follower.confirm. */
  readonly confirm: (() => Promise<void>) | undefined;
  /** With such a log. */
  readonly turns: Turns | undefined;
  readonly onAppend: AppendListener | undefined;
}

const COMMITTED: AppendResult = { kind: 'committed' };
