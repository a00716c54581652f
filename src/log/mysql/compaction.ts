import { LogError, type LogSize } from '../../mvcc/log.ts';
import type { Position, Revision } from '../../mvcc/types.ts';
import { retryConflicts } from './conflicts.ts';
import { type MysqlConnection, numberAt, textAt } from './connection.ts';
import { NOW_US } from './literals.ts';
import { isAt } from './positions.ts';

/*
 * The horizon, the sweep, and what the tables of commits and notes need no longer. InnoDB uses freed pages again by
 * itself; only `defragment` gives them back to the file system. How big the store is, is counted with every append and
 * sweep, for the servers' own statistics are guesses, late and costly.
 */

/** Positions deleted by one statement. */
const POSITIONS_PER_STATEMENT = 250;

/** SharedLog.compact. */
export async function compact(connection: MysqlConnection, horizon: Revision): Promise<void> {
  await retryConflicts(() =>
    connection.rows(`UPDATE head SET horizon = ${horizon} WHERE id = 1 AND horizon < ${horizon}`),
  );
}

/** SharedLog.sweep. What it counts goes to a row of its own (head.ts): appends do not wait for it. */
export async function sweep(
  connection: MysqlConnection,
  positions: readonly Position[],
  sweptTo: Revision = 0,
): Promise<void> {
  if (positions.length === 0 && sweptTo === 0) return;
  const statements = ['START TRANSACTION', 'SET @rows = 0, @bytes = 0, @newest = 0'];
  for (let at = 0; at < positions.length; at += POSITIONS_PER_STATEMENT) {
    const which = isAt(positions.slice(at, at + POSITIONS_PER_STATEMENT));
    statements.push(
      `SELECT @rows + COUNT(*), @bytes + COALESCE(SUM(OCTET_LENGTH(\`key\`) + value_bytes), 0), GREATEST(@newest, COALESCE(MAX(revision), 0)) INTO @rows, @bytes, @newest FROM log WHERE ${which} FOR UPDATE`,
      `DELETE FROM log WHERE ${which}`,
    );
  }
  statements.push(
    `INSERT INTO head (id, commit_id, revision, notes, commits, horizon, swept, removed, alarms, log_rows, log_bytes, settled, cluster_id, member_id)
       VALUES (2,0,0,0,0,0,${sweptTo},@newest,0,-@rows,-@bytes,0,0,0)
       ON DUPLICATE KEY UPDATE log_rows = log_rows - @rows, log_bytes = log_bytes - @bytes, removed = GREATEST(removed, @newest), swept = GREATEST(swept, ${sweptTo})`,
    'COMMIT',
  );
  await retryConflicts(async () => {
    try {
      await connection.transact(statements);
    } catch (error) {
      await connection.rollback();
      throw error;
    }
  });
}

/** So many commits, and those of the last hour, are kept with their notes for replicas that were away. */
const KEPT_COMMITS = 10_000;
const KEPT_US = 3_600_000_000;
/** Commits forgotten in one transaction. */
const FORGOTTEN_MAX = 1_000;

/** Forgets old commits, and the notes that led to them. True when there may be more to forget. */
export async function forgetOldCommits(connection: MysqlConnection): Promise<boolean> {
  // Never the newest: it is where everybody is.
  const rows = await connection.rows(
    `SELECT revision, notes, number, at_us < ${NOW_US} - ${KEPT_US} AND number <= (SELECT commits FROM head WHERE id = 1) - ${KEPT_COMMITS} FROM \`commit\` ORDER BY revision, notes, number LIMIT ${FORGOTTEN_MAX}`,
  );
  let count = 0;
  while (count < rows.length - 1 && numberAt(rows[count], 3) === 1) count += 1;
  if (count === 0) return false;
  const [revision, notes, number] = [0, 1, 2].map((column) => numberAt(rows[count - 1], column));
  await retryConflicts(() =>
    connection.rows(
      `DELETE FROM \`commit\` WHERE revision < ${revision} OR (revision = ${revision} AND (notes < ${notes} OR (notes = ${notes} AND number <= ${number})))`,
    ),
  );
  await retryConflicts(() => connection.rows(`DELETE FROM note WHERE number <= ${notes}`));
  return count === FORGOTTEN_MAX - 1;
}

/** Log.defragment. The servers copy the table while it is read and written, and tell of failures in rows. */
export async function defragment(connection: MysqlConnection): Promise<void> {
  const [rows = []] = await connection.run(['OPTIMIZE TABLE log'], DEFRAGMENT_MS_MAX);
  const failure = rows.find((row) => /^error$/i.test(textAt(row, 2)));
  if (failure !== undefined) throw new LogError('unavailable', `OPTIMIZE TABLE log: ${textAt(failure, 3)}`);
}

const DEFRAGMENT_MS_MAX = 3_600_000;

/** What a row takes beside its key and value, about: columns, header, its share of the tree. */
const ROW_BYTES = 80;

/** Log.size: what the store holds. Free pages are the server's, to be used for whatever comes. */
export async function size(connection: MysqlConnection): Promise<LogSize> {
  const [row] = await connection.rows('SELECT SUM(log_rows), SUM(log_bytes) FROM head');
  const bytes = numberAt(row, 1) + numberAt(row, 0) * ROW_BYTES;
  return { totalBytes: bytes, inUseBytes: bytes };
}
