import type { News } from '../../mvcc/log.ts';
import type { AlarmKind, Cursor, LeaseChange, Note, RecordChange, Revision } from '../../mvcc/types.ts';
import { NOTE_KINDS } from './append.ts';
import type { PgConnection, TextRow } from './connection.ts';
import { bytesOf, changesOf, unescaped } from './rows.ts';
import type { Statements } from './statements.ts';

/** Asks for all in one statement, so that all is of one moment. */
export async function readNews(
  connection: PgConnection,
  since: Cursor,
  bytesMax: number,
  statements: Statements,
): Promise<News> {
  const rows = await connection.query(statements.news, [
    since.revision,
    since.notes,
    since.commit,
    Math.max(1, Math.min(bytesMax, Number.MAX_SAFE_INTEGER)),
  ]);
  let state: TextRow = [];
  let until: TextRow | undefined;
  const changes: TextRow[] = [];
  const notes: Note[] = [];
  for (const row of rows) {
    switch (row[0]) {
      case '0':
        state = row;
        break;
      case '1':
        until = row;
        break;
      case '2':
        changes.push(row);
        break;
      default:
        notes.push(noteOf(row));
    }
  }
  const [revision, noteCount, commit, horizon, swept, removed, isKnown] = numbersOf(state);
  if (isKnown !== '1') return isForgotten(connection, since, statements);
  if (Number(removed) > since.revision) return { kind: 'behind' };
  const head = cursorOf([revision, noteCount, commit]);
  const cursor = until === undefined ? head : cursorOf(numbersOf(until));
  return {
    kind: 'news',
    cursor,
    changes: changesOf(changes, 1),
    notes,
    more: cursor.commit !== head.commit,
    horizon: Number(horizon),
    swept: Number(swept),
    alarms: alarmsOf(state[2] ?? ''),
  };
}

/** A cursor that is not among the commits: too old to be known, or of another history. */
async function isForgotten(connection: PgConnection, since: Cursor, statements: Statements): Promise<News> {
  const [oldest] = await connection.query(statements.oldest);
  const [revision, notes] = (oldest ?? []).map(Number);
  const isOlder = revision !== undefined && notes !== undefined && isBelow(since, revision, notes);
  return { kind: isOlder ? 'behind' : 'foreign' };
}

function isBelow(cursor: Cursor, revision: Revision, notes: number): boolean {
  return cursor.revision < revision || (cursor.revision === revision && cursor.notes < notes);
}

/** Of a list with commas; sorted. */
export function alarmsOf(text: string): AlarmKind[] {
  return text === '' ? [] : (text.split(',').sort() as AlarmKind[]);
}

function numbersOf([, numbers]: TextRow): string[] {
  return (numbers ?? '').split(' ');
}

function cursorOf([revision, notes, commit]: readonly (string | undefined)[]): Cursor {
  return { revision: Number(revision), notes: Number(notes), commit: Number(commit) };
}

function noteOf(row: TextRow): Note {
  const [, after] = numbersOf(row);
  return { after: Number(after), change: noteChangeOf(row) };
}

/** Numbers: number, after, kind of note, id, ttl. */
function noteChangeOf(row: TextRow): LeaseChange | RecordChange {
  const [, , kindNumber, digits, ttl] = numbersOf(row);
  const [, , name, value] = row;
  const id = BigInt(digits ?? 0);
  const kind = NOTE_KINDS[Number(kindNumber)] ?? 'record';
  switch (kind) {
    case 'grant':
      return { kind, id, ttl: Number(ttl) };
    case 'checkpoint':
      return { kind, id, remainingTtl: Number(ttl) };
    case 'revoke':
    case 'expire':
      return { kind, id };
    case 'record':
      return { kind, name: unescaped(name ?? ''), value: value == null ? undefined : bytesOf(value) };
  }
}
