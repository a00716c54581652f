import { unreachable } from '../../base/invariant.ts';
import { NO_LEASE, type Note, type Revision } from '../../mvcc/types.ts';
import { effectsOf } from '../shared/note-effects.ts';
import { bigintAt, bytesAt, keyAt, numberAt, type Row } from './connection.ts';
import { bytesLiteral, idList, keyLiteral, NOW_US } from './literals.ts';

/*
 * Notes are kept as they are, for other replicas to read, and applied to the tables of leases and records. Many notes
 * come to few statements: each row is written once, with what the notes come to (shared/note-effects.ts).
 */

/** The column `kind`. Never renumbered. */
const KIND = { grant: 0, revoke: 1, expire: 2, checkpoint: 3, record: 4, 'record-removed': 5 } as const;

const NO_BYTES = new Uint8Array(0);

/** The columns of the table, in the order of noteLiteral and noteOf. */
export const NOTE_COLUMNS = 'number, after_revision, kind, lease, ttl, name, `value`';

/** A row for INSERT. */
export function noteLiteral({ after, change }: Note, number: number): string {
  const row = (kind: number, lease: bigint, ttl: number, name: string, value: Uint8Array): string =>
    `(${number},${after},${kind},${lease},${ttl},${keyLiteral(name)},${bytesLiteral(value)})`;
  switch (change.kind) {
    case 'grant':
      return row(KIND.grant, change.id, change.ttl, '', NO_BYTES);
    case 'checkpoint':
      return row(KIND.checkpoint, change.id, change.remainingTtl, '', NO_BYTES);
    case 'revoke':
    case 'expire':
      return row(KIND[change.kind], change.id, 0, '', NO_BYTES);
    case 'record':
      if (change.value === undefined) return row(KIND['record-removed'], NO_LEASE, 0, change.name, NO_BYTES);
      return row(KIND.record, NO_LEASE, 0, change.name, change.value);
    default:
      return unreachable(change);
  }
}

/** The note of a row. */
export function noteOf(row: Row): Note {
  const after: Revision = numberAt(row, 1);
  const kind = numberAt(row, 2);
  const id = bigintAt(row, 3);
  const ttl = numberAt(row, 4);
  switch (kind) {
    case KIND.grant:
      return { after, change: { kind: 'grant', id, ttl } };
    case KIND.revoke:
      return { after, change: { kind: 'revoke', id } };
    case KIND.expire:
      return { after, change: { kind: 'expire', id } };
    case KIND.checkpoint:
      return { after, change: { kind: 'checkpoint', id, remainingTtl: ttl } };
    case KIND.record:
      return { after, change: { kind: 'record', name: keyAt(row, 5), value: bytesAt(row, 6) } };
    default:
      return { after, change: { kind: 'record', name: keyAt(row, 5), value: undefined } };
  }
}

/** What the notes hold in bytes of names and values. */
export function noteBytes({ change }: Note): number {
  return change.kind === 'record' ? change.name.length + (change.value?.length ?? 0) : 0;
}

/** Takes away the leases that must be over; how many statements and rows, for the guard that follows. Undefined: none must. */
export function expireStatement(
  notes: readonly Note[],
): { readonly sql: string; readonly leases: readonly bigint[] } | undefined {
  const leases = [...new Set(effectsOf(notes).expired)];
  if (leases.length === 0) return undefined;
  return { sql: `DELETE FROM lease WHERE id IN ${idList(leases)} AND deadline_us <= ${NOW_US}`, leases };
}

/** Applies what the notes come to. */
export function effectStatements(notes: readonly Note[]): string[] {
  if (notes.length === 0) return [];
  const { leases, records } = effectsOf(notes);
  const removed: bigint[] = [];
  const set: string[] = [];
  const statements: string[] = [];
  for (const [id, effect] of leases) {
    if (effect.kind === 'remove') removed.push(id);
    else if (effect.kind === 'set') {
      // A microsecond apart, so that those of one batch end in its order.
      set.push(`(${id},${effect.ttl},${effect.remainingTtl},${NOW_US} + ${effect.ttl} * 1000000 + ${set.length})`);
    } else statements.push(`UPDATE lease SET remaining_ttl = ${effect.remainingTtl} WHERE id = ${id}`);
  }
  if (removed.length > 0) statements.push(`DELETE FROM lease WHERE id IN ${idList(removed)}`);
  if (set.length > 0)
    statements.push(`REPLACE INTO lease (id, ttl, remaining_ttl, deadline_us) VALUES ${set.join(',')}`);
  for (const [name, value] of records) {
    statements.push(
      value === undefined
        ? `DELETE FROM record WHERE name = ${keyLiteral(name)}`
        : `REPLACE INTO record (name, \`value\`) VALUES (${keyLiteral(name)},${bytesLiteral(value)})`,
    );
  }
  return statements;
}
