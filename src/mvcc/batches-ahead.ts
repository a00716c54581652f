import { decodeBatch } from './batch-codec.ts';
import type { CommitTold } from './commit-told.ts';
import type { KnownKeys } from './known-keys.ts';
import { type AppendBatch, cursorAfter } from './log.ts';
import { authorOf } from './turns.ts';
import { type CommitId, type Cursor, type Revision, sameCursor } from './types.ts';

/**
 * Batches of other replicas that came ahead of the log: their authors sent them to us while they sent them to the log.
 * Whether one is ever committed, and where, the log alone says; then it need not be read from there.
 *
 * Kept by the name of the commit that they want to be. What is never asked for is pushed out by what comes later:
 * nothing rests on a batch being here.
 */
export class BatchesAhead {
  readonly #bytesMax: number;
  readonly #known: KnownKeys | undefined;
  readonly #batches = new Map<CommitId, { readonly batch: AppendBatch; readonly bytes: number }>();
  readonly #authors = new Set<number>();
  #bytes = 0;

  /** `bytesMax`: of encoded batches. `known`: keys that batches are likely to have. */
  constructor(bytesMax: number, known?: KnownKeys) {
    this.#bytesMax = bytesMax;
    this.#known = known;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Answers which commit it wants to be. `applied`: where the Tail is; what lies before is of no use. Throws RangeError
   * for what is no batch.
   */
  add(encoded: Buffer, applied: Revision): CommitId {
    const batch = decodeBatch(encoded, this.#known);
    if (batch.expected.revision >= applied && encoded.length <= this.#bytesMax) this.#keep(batch, encoded.length);
    for (const [oldest, { batch: old }] of this.#batches) {
      const isUseful = old.expected.revision >= applied;
      if (isUseful && this.#bytes <= this.#bytesMax && this.#batches.size <= BATCHES_MAX) break;
      this.#remove(oldest);
    }
    return batch.commit;
  }

  #keep(batch: AppendBatch, bytes: number): void {
    // Each process is an author of its own.
    if (this.#authors.size >= AUTHORS_MAX) this.#authors.clear();
    this.#authors.add(authorOf(batch.commit));
    this.#remove(batch.commit);
    this.#batches.set(batch.commit, { batch, bytes });
    this.#bytes += bytes;
  }

  /** The newest batch that wants to be committed upon this place. */
  upon(cursor: Cursor): AppendBatch | undefined {
    let newest: AppendBatch | undefined;
    for (const { batch } of this.#batches.values()) if (sameCursor(batch.expected, cursor)) newest = batch;
    return newest;
  }

  /** The batch that leads from one place to another, if it is here: exactly there, and exactly from there. */
  take(from: Cursor, to: Cursor): AppendBatch | undefined {
    const batch = this.#batches.get(to.commit)?.batch;
    if (batch === undefined) return undefined;
    this.#remove(to.commit);
    return sameCursor(batch.expected, from) && sameCursor(cursorAfter(batch), to) ? batch : undefined;
  }

  /** The batches that lead there, one upon the other, if all are here. Who came upon a commit proves that it came. */
  takeAll(from: Cursor, { upon, cursor }: CommitTold): readonly AppendBatch[] | undefined {
    const batches: AppendBatch[] = [];
    for (let at = cursor; !sameCursor(at, from); ) {
      const batch = this.#batches.get(at.commit)?.batch;
      if (batch === undefined || !sameCursor(cursorAfter(batch), at) || batches.length > BATCHES_MAX) return undefined;
      batches.push(batch);
      at = batch.expected;
    }
    const [last] = batches;
    if (last !== undefined && last.expected.commit !== upon) return undefined;
    for (const { commit } of batches) this.#remove(commit);
    return batches.reverse();
  }

  /** Whether the commit's author is one who sends batches ahead, so that it may be worth a moment's wait. */
  isAwaited(commit: CommitId): boolean {
    return this.#authors.has(authorOf(commit));
  }

  /** It did not come: its author is not waited for any more until another one comes. */
  giveUp(commit: CommitId): void {
    if (!this.#batches.has(commit)) this.#authors.delete(authorOf(commit));
  }

  #remove(commit: CommitId): void {
    this.#bytes -= this.#batches.get(commit)?.bytes ?? 0;
    this.#batches.delete(commit);
  }
}

const AUTHORS_MAX = 1024;
const BATCHES_MAX = 256;
