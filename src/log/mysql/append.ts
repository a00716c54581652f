import { type AppendBatch, type AppendResult, LogError } from '../../mvcc/log.ts';
import { type Change, type CommitId, type LeaseId, type Revision, sameCursor } from '../../mvcc/types.ts';
import { DatabaseAway } from '../shared/database-away.ts';
import { bigintAt, type MysqlConnection, numberAt } from './connection.ts';
import { ConnectionLost, ErrorNumber, isConflict, ServerError, translate, wroteNothing } from './errors.ts';
import { idList, keyLiteral, NOW_US } from './literals.ts';
import { type Message, MessageWriter } from './message-writer.ts';
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
  readonly messages: readonly Message[];
  readonly batch: AppendBatch;
  /** The leases that must be over. */
  readonly leases: readonly LeaseId[];
}

/**
 * Writes the batch down; nothing of it is looked at later. `before`: what the log may still end with while the expected
 * commit, and any below that, are on their way; then the append waits for it. Only where the server takes blocks.
 */
export function appendText(batch: AppendBatch, packetBytesMax: number, before: readonly CommitId[] = []): AppendText {
  const { expected, commit, changes, notes } = batch;
  const revision = revisionAfter(batch);
  const notesAfter = expected.notes + notes.length;
  const logBytes = changes.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
  const bytes = notes.reduce((sum, note) => sum + noteBytes(note), logBytes);
  const expired = expireStatement(notes);
  const writer = new MessageWriter(packetBytesMax);
  writer.statement(before.length === 0 ? 'START TRANSACTION' : startAfter(expected.commit, before));
  if (expired !== undefined) {
    writer.statement(expired.sql);
    writer.statement(`SET @kedge_guard = ${guard(expired.leases.length)}`);
  }
  writer.statement(
    `UPDATE head SET commit_id = ${commit}, revision = ${revision}, notes = ${notesAfter}, commits = LAST_INSERT_ID(commits + 1), log_rows = log_rows + ${changes.length}, log_bytes = log_bytes + ${logBytes} WHERE id = 1 AND commit_id = ${expected.commit} AND revision = ${expected.revision} AND notes = ${expected.notes}`,
  );
  writer.statement(
    `INSERT INTO \`commit\` (revision, notes, number, id, bytes, at_us) VALUES (${revision},${notesAfter},LAST_INSERT_ID(),${commit},${bytes} + ${guard(1)},${NOW_US})`,
  );
  writer.insert(`INSERT INTO note (${NOTE_COLUMNS}) VALUES `, notes, (before, note, i) =>
    writer.text(before + noteLiteral(note, expected.notes + 1 + i)),
  );
  for (const statement of effectStatements(notes)) writer.statement(statement);
  writer.insert(INSERT_LOG, changes, (before, change) => writeRow(writer, before, change));
  writer.statement('COMMIT');
  return { messages: writer.messages(), batch, leases: expired?.leases ?? [] };
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

/**
 * Begins the transaction with the head's row locked once `expected` is the newest commit. Whoever overtook it, and finds
 * one of those `before`, looks again. Else it fails as the guard does, and holds nobody up.
 */
function startAfter(expected: CommitId, before: readonly CommitId[]): string {
  return [
    `BEGIN NOT ATOMIC DECLARE head_commit BIGINT; DECLARE looks INT DEFAULT ${LOOKS_MAX}; looking: LOOP START TRANSACTION`,
    'SELECT commit_id INTO head_commit FROM head WHERE id = 1 FOR UPDATE',
    `IF head_commit = ${expected} THEN LEAVE looking; END IF`,
    'ROLLBACK',
    'SET looks = looks - 1',
    `IF looks = 0 OR head_commit NOT IN (${before.join(',')}) THEN SIGNAL SQLSTATE '22003' SET MYSQL_ERRNO = ${ErrorNumber.DATA_OUT_OF_RANGE}; END IF`,
    `DO SLEEP(${LOOK_SECONDS}); END LOOP; END`,
  ].join('; ');
}

/** One that is overtaken comes within a few milliseconds, or not at all. */
const LOOKS_MAX = 20;
const LOOK_SECONDS = 0.0005;

/** Is 0, and fails unless the statement before this one has found so many rows. */
function guard(rows: number): string {
  return `(CAST(ROW_COUNT() = ${rows} AS UNSIGNED) - CAST(1 AS UNSIGNED))`;
}

const INSERT_LOG =
  'INSERT INTO log (revision, sub, kind, create_revision, version, lease, value_bytes, `key`, `value`) VALUES ';

function writeRow(writer: MessageWriter, before: string, change: Change): void {
  const { revision, sub, kind, createRevision, version, lease, key, value } = change;
  writer.text(
    `${before}(${revision},${sub},${kind === 'put' ? 0 : 1},${createRevision},${version},${lease},${value.length},${keyLiteral(key)},_binary'`,
  );
  writer.quoted(value);
  writer.text("')");
}
