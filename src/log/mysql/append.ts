import { type AppendBatch, type AppendResult, LogError } from '../../mvcc/log.ts';
import { type Change, type LeaseId, type Revision, sameCursor } from '../../mvcc/types.ts';
import { DatabaseAway } from '../shared/database-away.ts';
import { bigintAt, type MysqlConnection, numberAt } from './connection.ts';
import { ConnectionLost, ErrorNumber, isConflict, ServerError, translate, wroteNothing } from './errors.ts';
import { bytesLiteral, idList, keyLiteral, NOW_US } from './literals.ts';
import { effectStatements, expireStatement, NOTE_COLUMNS, noteBytes, noteLiteral } from './notes.ts';

/*
 * An append is one message and one commit:
 *
 *   START TRANSACTION
 *   DELETE the leases that must be over, and are      ┐ only with `expire` notes
 *   SET: as many as there must be                     ┘
 *   UPDATE head SET commit_id = <mine>, … WHERE id = 1 AND commit_id = <expected> …    the compare-and-set
 *   INSERT the commit, if that was one row
 *   INSERT the rows, the notes; apply the notes
 *   COMMIT
 *
 * A guard fails unless the statement before it has found just so many rows (an unsigned number below zero, error 1690);
 * an error ends the message, so COMMIT is never reached. Nothing is written then, and under READ COMMITTED a
 * compare-and-set that did not match keeps no lock: the one who was first is not held up by the one who asks what
 * happened. Who comes second while the first one commits waits at the head's row, and then finds it moved.
 *
 * A small append is a compound statement where the server takes those, and so one answer (connection.ts): of a put alone
 * a third of the time was spent on being told of each statement.
 *
 * A server goes on with a message whose client is gone, up to COMMIT. Only ROW_COUNT() is -1 then, however many rows were
 * found (seen with MariaDB 10.11): a guard that looks for too few must not take that for many. Nor may it be a query,
 * which would have rows to send.
 *
 * On Galera each statement is a message of its own (connection.ts says why). Its nodes do not see each other's locks:
 * both of two appends get through to COMMIT, where certification lets one pass and ends the other with error 1213. Both
 * have written the head's row, so they always collide.
 */

/** An append as text, cut into messages that the server takes. All but the last leave the transaction open. */
export interface AppendText {
  readonly messages: readonly (readonly string[])[];
  readonly batch: AppendBatch;
  /** The leases that must be over. */
  readonly leases: readonly LeaseId[];
}

/** Part of what the server takes is for the message's head. */
const PACKET_RESERVE_BYTES = 1024;
/** Longer INSERTs are cut: a server copies a statement more than once. */
const STATEMENT_BYTES_MAX = 2 * 2 ** 20;

/** Writes the batch down; nothing of it is looked at later. */
export function appendText(batch: AppendBatch, packetBytesMax: number): AppendText {
  const { expected, commit, changes, notes } = batch;
  const revision = revisionAfter(batch);
  const notesAfter = expected.notes + notes.length;
  let logBytes = 0;
  const rows = changes.map((change) => {
    logBytes += change.key.length + change.value.length;
    return rowLiteral(change);
  });
  const bytes = notes.reduce((sum, note) => sum + noteBytes(note), logBytes);
  const expired = expireStatement(notes);
  const statements = ['START TRANSACTION'];
  if (expired !== undefined) statements.push(expired.sql, `SET @kedge_guard = ${guard(expired.leases.length)}`);
  statements.push(
    `UPDATE head SET commit_id = ${commit}, revision = ${revision}, notes = ${notesAfter}, commits = LAST_INSERT_ID(commits + 1), log_rows = log_rows + ${changes.length}, log_bytes = log_bytes + ${logBytes} WHERE id = 1 AND commit_id = ${expected.commit} AND revision = ${expected.revision} AND notes = ${expected.notes}`,
    `INSERT INTO \`commit\` (revision, notes, number, id, bytes, at_us) VALUES (${revision},${notesAfter},LAST_INSERT_ID(),${commit},${bytes} + ${guard(1)},${NOW_US})`,
  );
  if (notes.length > 0) {
    const noteRows = notes.map((note, i) => noteLiteral(note, expected.notes + 1 + i));
    statements.push(...inserts(`INSERT INTO note (${NOTE_COLUMNS}) VALUES `, noteRows, packetBytesMax));
    statements.push(...effectStatements(notes));
  }
  statements.push(...inserts(INSERT_LOG, rows, packetBytesMax), 'COMMIT');
  return { messages: messagesOf(statements, packetBytesMax), batch, leases: expired?.leases ?? [] };
}

/** The newest revision once the batch is committed. */
export function revisionAfter({ expected, changes }: AppendBatch): Revision {
  return changes.at(-1)?.revision ?? expected.revision;
}

/** An append that is in the way of something else (a lease's renewal, a compaction) is tried again. */
const ATTEMPTS_MAX = 6;

/** Sends it. Rejects with LogError: `ambiguous` when it may be committed, any other code when it is certainly not. */
export async function append(connection: MysqlConnection, text: AppendText, shown: string): Promise<AppendResult> {
  for (let attempt = 1; ; attempt += 1) {
    let sent = 0;
    try {
      for (const message of text.messages) {
        sent += 1;
        await connection.perform(message);
      }
      return { kind: 'committed' };
    } catch (error) {
      if (error instanceof ConnectionLost) throw lost(error, sent === text.messages.length, shown);
      if (!(error instanceof ServerError)) throw error;
      await connection.rollback();
      if (!wroteNothing(error)) throw ambiguous(error, shown);
      if (!isConflict(error) && error.number !== ErrorNumber.DATA_OUT_OF_RANGE) throw translate(error, shown);
      const reason = await reasonOf(connection, text, shown);
      if (reason !== undefined) return reason;
      if (attempt === ATTEMPTS_MAX) throw translate(error, shown);
    }
  }
}

/** Why an append was not done; undefined when it may be tried again. */
async function reasonOf(
  connection: MysqlConnection,
  { batch, leases }: AppendText,
  shown: string,
): Promise<AppendResult | undefined> {
  try {
    const statements = ['SELECT commit_id, revision, notes FROM head WHERE id = 1'];
    if (leases.length > 0) {
      statements.push(`SELECT id FROM lease WHERE id IN ${idList(leases)} AND deadline_us <= ${NOW_US}`);
    }
    const [[head] = [], over = []] = await connection.run(statements);
    const cursor = { commit: numberAt(head, 0), revision: numberAt(head, 1), notes: numberAt(head, 2) };
    if (!sameCursor(cursor, batch.expected)) return { kind: 'moved' };
    const isOver = new Set(over.map((row) => bigintAt(row, 0)));
    const renewed = leases.filter((id) => !isOver.has(id));
    return renewed.length > 0 ? { kind: 'renewed', leases: renewed } : undefined;
  } catch (error) {
    // Nothing was written, whatever this is.
    throw translate(error, shown);
  }
}

function lost(error: ConnectionLost, wasComplete: boolean, shown: string): LogError {
  const text = `store ${shown}: the connection was lost in an append (${error.message})`;
  return new DatabaseAway(text, wasComplete ? 'ambiguous' : 'unavailable', { cause: error });
}

function ambiguous(error: ServerError, shown: string): LogError {
  const text = `store ${shown}: an append may or may not be committed (${error.message})`;
  return new LogError('ambiguous', text, { cause: error });
}

/** Is 0, and fails unless the statement before this one has found so many rows. */
function guard(rows: number): string {
  return `(CAST(ROW_COUNT() = ${rows} AS UNSIGNED) - CAST(1 AS UNSIGNED))`;
}

const INSERT_LOG =
  'INSERT INTO log (revision, sub, kind, create_revision, version, lease, value_bytes, `key`, `value`) VALUES ';

function rowLiteral(change: Change): string {
  const { revision, sub, kind, createRevision, version, lease, key, value } = change;
  return `(${revision},${sub},${kind === 'put' ? 0 : 1},${createRevision},${version},${lease},${value.length},${keyLiteral(key)},${bytesLiteral(value)})`;
}

/** As few statements as the length of each allows. */
function inserts(start: string, rows: readonly string[], packetBytesMax: number): string[] {
  const most = Math.min(STATEMENT_BYTES_MAX, packetBytesMax - PACKET_RESERVE_BYTES);
  const statements: string[] = [];
  let from = 0;
  let length = start.length;
  rows.forEach((row, i) => {
    if (i > from && length + row.length + 1 > most) {
      statements.push(start + rows.slice(from, i).join(','));
      from = i;
      length = start.length;
    }
    length += row.length + 1;
  });
  if (from < rows.length) statements.push(start + rows.slice(from).join(','));
  return statements;
}

/** As few messages as the server allows. */
function messagesOf(statements: readonly string[], packetBytesMax: number): string[][] {
  const most = packetBytesMax - PACKET_RESERVE_BYTES;
  const messages: string[][] = [];
  let length = most;
  for (const statement of statements) {
    if (length + statement.length + 1 > most) {
      messages.push([]);
      length = 0;
    }
    messages.at(-1)?.push(statement);
    length += statement.length + 1;
  }
  return messages;
}
