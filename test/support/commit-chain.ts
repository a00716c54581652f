import type { AppendBatch, AppendResult, Log } from '../../src/mvcc/log.ts';
import type { Change, Cursor, LeaseChange, RecordChange, Revision } from '../../src/mvcc/types.ts';

/**
 * Knows the cursors of a log that a test alone appends to, so that it can name a head by its revision: an append to a
 * revision that was never a head is foreign, as one to another revision is to a log of one process.
 */
export class CommitChain {
  readonly #cursors = new Map<Revision, Cursor>();
  #newest: Cursor;

  constructor(at: Cursor) {
    this.#newest = at;
    this.#cursors.set(at.revision, at);
  }

  get newest(): Cursor {
    return this.#newest;
  }

  /** The next one may be made before this one is answered. Notes stand behind all of the changes. */
  async append(
    log: Log,
    head: Revision,
    changes: readonly Change[],
    notes: readonly (LeaseChange | RecordChange)[] = [],
  ): Promise<AppendResult> {
    const batch = this.batch(head, changes, notes);
    const next = cursorAfter(batch);
    if (next.revision > this.#newest.revision) this.#moveTo(next);
    const result = await log.append(batch);
    if (result.kind === 'committed' && next.revision >= this.#newest.revision) this.#moveTo(next);
    return result;
  }

  batch(head: Revision, changes: readonly Change[], notes: readonly (LeaseChange | RecordChange)[] = []): AppendBatch {
    const after = changes.at(-1)?.revision ?? head;
    return {
      expected: this.#cursors.get(head) ?? { revision: head, notes: 0, commit: 999 },
      commit: someCommit(),
      changes,
      notes: notes.map((change) => ({ after, change })),
    };
  }

  /** It is part of the chain. */
  committed(batch: AppendBatch): void {
    this.#moveTo(cursorAfter(batch));
  }

  /** Of this revision, as far as it was ever the end of a commit. */
  at(revision: Revision): Cursor | undefined {
    return this.#cursors.get(revision);
  }

  #moveTo(cursor: Cursor): void {
    this.#newest = cursor;
    this.#cursors.set(cursor.revision, cursor);
  }
}

/** Where the log ends when the batch is committed. */
export function cursorAfter({ expected, commit, changes, notes }: AppendBatch): Cursor {
  return { revision: changes.at(-1)?.revision ?? expected.revision, notes: expected.notes + notes.length, commit };
}

let commits = 1_000;

/** Never the same twice, in any process. */
export function someCommit(): number {
  commits += 1;
  return commits * 2 ** 22 + (process.pid % 2 ** 22);
}
