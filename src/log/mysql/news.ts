import type { AppendBatch, Heard, News } from '../../mvcc/log.ts';
import type { Cursor, Revision } from '../../mvcc/types.ts';
import { type MysqlConnection, numberAt, type Row } from './connection.ts';
import { HEAD_STATEMENT, headOf } from './head.ts';
import { NOTE_COLUMNS, noteOf } from './notes.ts';
import { changeOf, changesStatement } from './rows.ts';

/*
 * One message asks for the head and for the commits since the cursor: two rows of two small tables when nothing is new,
 * which is what a linearizable read waits for. When something is, a second message fetches it.
 *
 *   head, commits since ──▶ nothing new: done
 *                       ──▶ commits up to about bytesMax ──▶ their changes and notes, then the head once more
 *                                                        ──▶ nothing, where their batches came ahead of them
 *
 * Each statement sees a moment of its own, and the story is whole all the same: a commit that one can see names its
 * place, and all that led there is visible with it and never changed, only swept. A sweep raises `removed` in the same
 * commit, so when `removed`, read last, is not beyond the cursor, no row since the cursor can have been missing.
 *
 * Without a binary log InnoDB shows a commit to others a moment before it is on disk. Who acted on it then would have
 * seen what a crash in that moment undoes. So the second message makes a commit of its own, in a table of its own: the
 * redo log is flushed in order, so when this one is on disk, so is all that was seen before. It need not where the author
 * has said that its commit was answered.
 */

/** Commits read at a time. */
const COMMITS_MAX = 500;

interface Commit extends Cursor {
  readonly bytes: number;
}

/** Rows of the table `flush`: replicas that write to different ones do not wait for each other. */
export const FLUSH_ROWS = 64;

/** SharedLog.news. `flushRow`: the row to write to where commits are seen before they are on disk. */
export async function news(
  connection: MysqlConnection,
  since: Cursor,
  bytesMax: number,
  flushRow: number | undefined,
  heard?: Heard,
): Promise<News> {
  const { revision, notes } = since;
  const [heads = [], rows = []] = await connection.run([
    HEAD_STATEMENT,
    `SELECT revision, notes, id, bytes FROM \`commit\` WHERE (revision = ${revision} AND notes >= ${notes}) OR revision > ${revision} ORDER BY revision, notes, number LIMIT ${COMMITS_MAX}`,
  ]);
  const { horizon, swept, removed, alarms } = headOf(heads[0]);
  const commits = rows.map(commitOf);
  const at = commits.findIndex((commit) => isSame(commit, since));
  if (at < 0) return isForgotten(connection, since);
  const last = lastThatFits(commits, at, bytesMax);
  const cursor = commits[last] ?? since;
  const more = last < commits.length - 1 || commits.length === COMMITS_MAX;
  const rest = { cursor: cursorOf(cursor), more };
  if (last === at) return { kind: 'news', ...rest, changes: [], notes: [], horizon, swept, alarms };
  if (Math.max(removed, swept) > revision) return { kind: 'behind' };
  const batches = batchesAhead(commits.slice(at, last + 1), heard);
  const until = batches.length > 0 ? at + batches.length : last;
  const isDurable = flushRow === undefined || isAnswered(commits, until, heard?.answered);
  const flush = isDurable ? [] : [flushStatement(flushRow)];
  if (batches.length > 0) {
    if (flush.length > 0) await connection.run(flush);
    return {
      kind: 'news',
      cursor: cursorOf(commits[until] ?? since),
      more: more || until < last,
      changes: batches.flatMap(({ changes }) => changes),
      notes: batches.flatMap((batch) => batch.notes),
      horizon,
      swept,
      alarms,
    };
  }
  const [changes = [], noteRows = [], [after] = []] = await connection.run([
    changesStatement(revision, cursor.revision),
    `SELECT ${NOTE_COLUMNS} FROM note WHERE number > ${notes} AND number <= ${cursor.notes} ORDER BY number`,
    HEAD_STATEMENT,
    ...flush,
  ]);
  if (headOf(after).removed > revision || noteRows.length < cursor.notes - notes) return { kind: 'behind' };
  return {
    kind: 'news',
    ...rest,
    changes: changes.map(changeOf),
    notes: noteRows.map(noteOf),
    horizon,
    swept,
    alarms,
  };
}

/** Those that lead from the first commit on, one after the other, until one is not at hand. */
function batchesAhead(commits: readonly Commit[], heard: Heard | undefined): AppendBatch[] {
  const batches: AppendBatch[] = [];
  for (const [i, from] of commits.entries()) {
    const to = commits[i + 1];
    const batch = to === undefined ? undefined : heard?.batch(cursorOf(from), cursorOf(to));
    if (batch === undefined) break;
    batches.push(batch);
  }
  return batches;
}

/** Whether its author has said that it was answered. Of several commits that end at one revision only the first one was meant. */
function isAnswered(commits: readonly Commit[], at: number, answered: Revision = 0): boolean {
  const revision = commits[at]?.revision ?? 0;
  return revision < answered || (revision === answered && (commits[at - 1]?.revision ?? revision) < revision);
}

function flushStatement(row: number): string {
  return `INSERT INTO flush (id, number) VALUES (${row}, 1) ON DUPLICATE KEY UPDATE number = number + 1`;
}

/** A cursor that is not among the commits: too old to be known, or of another history. */
async function isForgotten(connection: MysqlConnection, { revision, notes }: Cursor): Promise<News> {
  const [oldest] = await connection.rows(
    'SELECT revision, notes FROM `commit` ORDER BY revision, notes, number LIMIT 1',
  );
  const isOlder = numberAt(oldest, 0) > revision || (numberAt(oldest, 0) === revision && numberAt(oldest, 1) > notes);
  return { kind: isOlder ? 'behind' : 'foreign' };
}

/** The index of the commit with which the bytes are gathered. */
function lastThatFits(commits: readonly Commit[], at: number, bytesMax: number): number {
  let bytes = 0;
  for (let i = at + 1; i < commits.length; i += 1) {
    bytes += commits[i]?.bytes ?? 0;
    if (bytes >= bytesMax) return i;
  }
  return commits.length - 1;
}

function cursorOf({ revision, notes, commit }: Cursor): Cursor {
  return { revision, notes, commit };
}

function commitOf(row: Row): Commit {
  return { revision: numberAt(row, 0), notes: numberAt(row, 1), commit: numberAt(row, 2), bytes: numberAt(row, 3) };
}

function isSame(a: Cursor, b: Cursor): boolean {
  return a.commit === b.commit && a.revision === b.revision && a.notes === b.notes;
}
