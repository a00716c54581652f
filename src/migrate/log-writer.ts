import { type Random, systemRandom } from '../base/chance.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import { logFor } from '../log/engines.ts';
import { type AppendBatch, isShared, type Log, LogError, type LogState } from '../mvcc/log.ts';
import type { Change, CommitId, Cursor, LeaseChange, RecordChange, Revision } from '../mvcc/types.ts';

/** A database that is away is asked again for so long before the writer gives up. */
const RETRY_MS = 1000;
const RETRIES_MAX = 300;
const COMMIT_ID_MAX = 2 ** 53 - 1;

/**
 * Appends to a store that nobody serves meanwhile: revision upon revision, in order. The one place of this room that
 * knows how append is called.
 */
export class LogWriter {
  readonly log: Log;
  readonly #storeUrl: string;
  readonly #clock: Clock;
  readonly #random: Random;
  #cursor: Cursor = { revision: 0, notes: 0, commit: 0 };

  constructor(storeUrl: string, clock = systemClock, random = systemRandom) {
    this.#storeUrl = storeUrl;
    this.#clock = clock;
    this.#random = random;
    this.log = logFor(storeUrl);
  }

  /** Rejects with LogError. */
  async open(): Promise<LogState> {
    const state = await this.log.open();
    this.#cursor = state.cursor;
    return state;
  }

  get head(): Revision {
    return this.#cursor.revision;
  }

  /**
   * Revisions beyond the head in order, without a gap unless the log is shared; notes apply before them. Rejects with
   * a Failure when somebody else writes, with LogError when the log cannot.
   */
  async append(changes: readonly Change[], notes: readonly (LeaseChange | RecordChange)[]): Promise<void> {
    const expected = this.#cursor;
    const batch: AppendBatch = {
      expected,
      commit: this.#newCommit(),
      changes,
      notes: notes.map((change) => ({ after: expected.revision, change })),
    };
    await this.#commit(batch);
    this.#cursor = {
      revision: changes.at(-1)?.revision ?? expected.revision,
      notes: expected.notes + notes.length,
      commit: batch.commit,
    };
  }

  close(): Promise<void> {
    return this.log.close();
  }

  async #commit(batch: AppendBatch): Promise<void> {
    const { log } = this;
    for (let retries = 0; ; retries += 1) {
      try {
        const result = await log.append(batch);
        if (result.kind === 'committed') return;
        throw new Failure(`${this.#storeUrl}: somebody else writes to the store: stop that, empty it and begin anew`);
      } catch (error) {
        if (!(error instanceof LogError) || !isShared(log) || retries >= RETRIES_MAX) throw error;
        if (error.code === 'ambiguous' && (await this.#isSettled(batch, log))) return;
        if (error.code !== 'ambiguous' && error.code !== 'unavailable') throw error;
        await this.#pause();
      }
    }
  }

  /** Whether the append was committed all the same; after false it never will be. */
  async #isSettled(batch: AppendBatch, log: Log): Promise<boolean> {
    for (let retries = 0; isShared(log); retries += 1) {
      try {
        return await log.settle(batch);
      } catch (error) {
        if (!(error instanceof LogError) || error.code === 'closed' || retries >= RETRIES_MAX) throw error;
        await this.#pause();
      }
    }
    return false;
  }

  #newCommit(): CommitId {
    return isShared(this.log) ? 1 + Math.floor(this.#random() * (COMMIT_ID_MAX - 1)) : 0;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.after(RETRY_MS, resolve);
    });
  }
}
