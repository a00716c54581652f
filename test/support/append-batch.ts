import type { AppendBatch } from '../../src/mvcc/log.ts';
import type { Change, LeaseChange, RecordChange, Revision } from '../../src/mvcc/types.ts';

/** A batch for a log of one process, decided at a head; notes stand behind all of its changes. */
export function batchOf(
  head: Revision,
  changes: readonly Change[],
  notes: readonly (LeaseChange | RecordChange)[] = [],
): AppendBatch {
  const after = changes.at(-1)?.revision ?? head;
  return {
    expected: { revision: head, notes: 0, commit: 0 },
    commit: 0,
    changes,
    notes: notes.map((change) => ({ after, change })),
  };
}
