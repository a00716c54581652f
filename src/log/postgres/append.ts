import { type AppendBatch, type AppendResult, cursorAfter } from '../../mvcc/log.ts';
import type { Change, LeaseId, Note } from '../../mvcc/types.ts';
import { effectsOf } from '../shared/note-effects.ts';
import { bigintArray, byteaArray, int4Array, int8Array } from './array-format.ts';
import { changeColumns } from './change-columns.ts';
import type { Parameter, PgConnection, Statement } from './connection.ts';
import { DIVISION_BY_ZERO, isServerError } from './errors.ts';
import type { ScratchBuffers } from './scratch-buffers.ts';
import { ROW_BYTES, type Statements } from './statements.ts';

/** A batch as it goes over the wire; nothing of the caller's is read any more. */
export interface PackedAppend {
  readonly statement: Statement;
  readonly values: readonly Parameter[];
  readonly expires: readonly LeaseId[];
  /** The server has read it all. */
  wasRead(): void;
}

/** One statement for changes alone, a longer one when there are notes. */
export function packAppend(batch: AppendBatch, statements: Statements, scratch: ScratchBuffers): PackedAppend {
  const { expected, commit, changes, notes } = batch;
  const end = cursorAfter(batch);
  const { columns, memory } = changeColumns(changes, (bytes) => scratch.take(bytes));
  const wasRead = (): void => scratch.giveBack(memory);
  const values: Parameter[] = [expected.commit, commit, end.revision, end.notes, bytesOf(changes, notes), ...columns];
  if (notes.length === 0) {
    values.push(expected.revision, expected.notes);
    return { statement: statements.append, values, expires: [], wasRead };
  }
  const { leases, records, expired } = effectsOf(notes);
  values.push(...packNotes(notes), ...packLeases(leases, expired));
  values.push(byteaArray([...records.keys()]), byteaArray([...records.values()]));
  values.push(expected.revision, expected.notes);
  return { statement: statements.appendNotes, values, expires: expired, wasRead };
}

/**
 * Sends it, at once. Rejects with the server's error when nothing was written, and with DatabaseAway when that is not
 * known.
 */
export async function sendAppend(
  connection: PgConnection,
  { statement, values, expires, wasRead }: PackedAppend,
  statements: Statements,
): Promise<AppendResult> {
  try {
    const hit = await connection.query(statement, values);
    // An error may come before that.
    wasRead();
    return { kind: hit.length > 0 ? 'committed' : 'moved' };
  } catch (error) {
    if (!isServerError(error) || error.code !== DIVISION_BY_ZERO) throw error;
    const over = await connection.query(statements.over, [bigintArray(expires)]);
    const overNow = new Set(over.map(([id]) => id));
    const alive = expires.filter((id) => !overNow.has(String(id)));
    // Their time may have ended since: then the next try will do, and saying that all are alive makes it come.
    return { kind: 'renewed', leases: alive.length > 0 ? alive : expires };
  }
}

/** Kinds of notes as numbers, in the column `note.kind`. Never renumbered. */
export const NOTE_KINDS = ['grant', 'revoke', 'expire', 'checkpoint', 'record'] as const;

function packNotes(notes: readonly Note[]): Parameter[] {
  const ttlOf = ({ change }: Note) =>
    change.kind === 'grant' ? change.ttl : change.kind === 'checkpoint' ? change.remainingTtl : 0;
  return [
    int8Array(notes.map(({ after }) => after)),
    int4Array(notes.map(({ change }) => NOTE_KINDS.indexOf(change.kind))),
    bigintArray(notes.map(({ change }) => (change.kind === 'record' ? 0n : change.id))),
    int8Array(notes.map(ttlOf)),
    byteaArray(notes.map(({ change }) => (change.kind === 'record' ? change.name : undefined))),
    byteaArray(notes.map(({ change }) => (change.kind === 'record' ? change.value : undefined))),
  ];
}

function packLeases(effects: ReturnType<typeof effectsOf>['leases'], expired: readonly LeaseId[]): Parameter[] {
  const granted: LeaseId[] = [];
  const ttls: number[] = [];
  const remainings: number[] = [];
  const removed: LeaseId[] = [];
  const noted: LeaseId[] = [];
  const notedRemainings: number[] = [];
  for (const [id, effect] of effects) {
    switch (effect.kind) {
      case 'set':
        granted.push(id);
        ttls.push(effect.ttl);
        remainings.push(effect.remainingTtl);
        break;
      case 'remove':
        removed.push(id);
        break;
      case 'checkpoint':
        noted.push(id);
        notedRemainings.push(effect.remainingTtl);
        break;
    }
  }
  // An expired lease that is granted anew in the same batch must be looked at too: it is locked among the granted.
  return [
    bigintArray(granted),
    int8Array(ttls),
    int8Array(remainings),
    bigintArray(removed),
    bigintArray(noted),
    int8Array(notedRemainings),
    bigintArray(expired),
  ];
}

function bytesOf(changes: readonly Change[], notes: readonly Note[]): number {
  let bytes = notes.length * ROW_BYTES;
  for (const { key, value } of changes) bytes += key.length + value.length + ROW_BYTES;
  for (const { change } of notes)
    if (change.kind === 'record') bytes += change.name.length + (change.value?.length ?? 0);
  return bytes;
}
