import type { News } from '../../mvcc/log.ts';
import type { AlarmKind, Change, Cursor, LeaseChange, Note, RecordChange } from '../../mvcc/types.ts';
import { NOTE_KINDS } from './append.ts';
import type { PgConnection, TextRow } from './connection.ts';
import { bytesOf, changeOf, keyOf } from './rows.ts';
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
  const changes: Change[] = [];
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
        changes.push(changeOf(row, 1));
        break;
      default:
        notes.push(noteOf(row));
    }
  }
  const [, revision, noteCount, commit, horizon, swept, alarms, isKnown, removed] = state;
  if (textOf(isKnown) !== '1') return { kind: 'foreign' };
  if (Number(removed) > since.revision) return { kind: 'behind' };
  const head: Cursor = { revision: Number(revision), notes: Number(noteCount), commit: Number(commit) };
  const cursor =
    until === undefined ? head : { revision: Number(until[1]), notes: Number(until[2]), commit: Number(until[3]) };
  return {
    kind: 'news',
    cursor,
    changes,
    notes,
    more: cursor.commit !== head.commit,
    horizon: Number(horizon),
    swept: Number(swept),
    alarms: alarmsOf(textOf(alarms)),
  };
}

/** Of a list with commas; sorted. */
export function alarmsOf(text: string): AlarmKind[] {
  return text === '' ? [] : (text.split(',').sort() as AlarmKind[]);
}

function textOf(hex: string | null | undefined): string {
  return Buffer.from(keyOf(hex), 'latin1').toString('utf8');
}

function noteOf(row: TextRow): Note {
  return { after: Number(row[2]), change: noteChangeOf(row) };
}

/** Columns kind, number, after, kind of note, id, ttl, name, value. */
function noteChangeOf(row: TextRow): LeaseChange | RecordChange {
  const id = BigInt(row[4] ?? 0);
  const kind = NOTE_KINDS[Number(row[3])] ?? 'record';
  switch (kind) {
    case 'grant':
      return { kind, id, ttl: Number(row[5]) };
    case 'checkpoint':
      return { kind, id, remainingTtl: Number(row[5]) };
    case 'revoke':
    case 'expire':
      return { kind, id };
    case 'record':
      return { kind, name: keyOf(row[6]), value: row[7] == null ? undefined : bytesOf(row[7]) };
  }
}
