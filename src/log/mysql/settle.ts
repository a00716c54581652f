import { type AppendBatch, LogError } from '../../mvcc/log.ts';
import type { CommitId, Revision } from '../../mvcc/types.ts';
import { revisionAfter } from './append.ts';
import { retryConflicts } from './conflicts.ts';
import { type MysqlConnection, numberAt } from './connection.ts';
import { NOW_US } from './literals.ts';

/*
 * What became of an append whose answer was lost. The server may still have it: in a socket's buffer, waiting for the
 * head's row, or in the middle of COMMIT. So the first thing is a write to the head's row: it waits until whoever has
 * it is done, and from then on nobody else gets it. Then the commit is looked for; if it is not there and could still
 * come, the head gets another id, which its compare-and-set cannot match any more.
 *
 * On Galera the write makes sure, by certification, that what was looked at is the newest: an append that another node
 * lets through before makes this transaction fail and begin anew; one that comes after it fails itself.
 */

/** True: it is committed. False: it never will be. `fence` is a fresh commit id. Rejects when that cannot be told. */
export function settle(connection: MysqlConnection, batch: AppendBatch, fence: number): Promise<boolean> {
  return retryConflicts(() => lookAndFence(connection, batch, fence));
}

/** A commit of nothing upon the newest one; waits in line at the head's row. */
export async function announce(connection: MysqlConnection, commit: CommitId, leapTo: Revision): Promise<void> {
  await retryConflicts(async () => {
    try {
      await connection.transact([
        'START TRANSACTION',
        // From left to right: the horizon is set by the revision as it was.
        `UPDATE head SET horizon = IF(revision < ${leapTo}, ${leapTo}, horizon), revision = GREATEST(revision, ${leapTo}), commit_id = ${commit}, commits = commits + 1 WHERE id = 1`,
        `INSERT INTO \`commit\` (revision, notes, number, id, bytes, at_us) SELECT revision, notes, commits, ${commit}, 0, ${NOW_US} FROM head WHERE id = 1`,
        'COMMIT',
      ]);
    } catch (error) {
      await connection.rollback();
      throw error;
    }
  });
}

async function lookAndFence(
  connection: MysqlConnection,
  { commit, expected, changes, notes }: AppendBatch,
  fence: number,
): Promise<boolean> {
  const revision = revisionAfter({ commit, expected, changes, notes });
  const notesAfter = expected.notes + notes.length;
  try {
    const [, , [head] = [], there = [], [oldest] = []] = await connection.transact([
      'START TRANSACTION',
      'UPDATE head SET settled = settled + 1 WHERE id = 1',
      'SELECT commit_id FROM head WHERE id = 1',
      `SELECT 1 FROM \`commit\` WHERE revision = ${revision} AND notes = ${notesAfter} AND id = ${commit}`,
      'SELECT revision, notes FROM `commit` ORDER BY revision, notes, number LIMIT 1',
    ]);
    if (there.length > 0) {
      await connection.transact(['COMMIT']);
      return true;
    }
    const isForgotten =
      numberAt(oldest, 0) > revision || (numberAt(oldest, 0) === revision && numberAt(oldest, 1) > notesAfter);
    if (isForgotten) {
      throw new LogError('ambiguous', 'the commits of that time are no longer known; restart this replica');
    }
    const couldCome = numberAt(head, 0) === expected.commit;
    await connection.transact([
      ...(couldCome
        ? [
            `UPDATE head SET commit_id = ${fence}, commits = LAST_INSERT_ID(commits + 1) WHERE id = 1`,
            `INSERT INTO \`commit\` (revision, notes, number, id, bytes, at_us) VALUES (${expected.revision},${expected.notes},LAST_INSERT_ID(),${fence},0,${NOW_US})`,
          ]
        : []),
      'COMMIT',
    ]);
    return false;
  } catch (error) {
    await connection.rollback();
    throw error;
  }
}
