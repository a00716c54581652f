import type { Change, ChangeHead } from '../../mvcc/types.ts';
import type { TextRow } from './connection.ts';

/*
 * Rows come as text: numbers in decimal, bytea as \x and two digits a byte, which Node reads natively.
 */

const NO_BYTES = new Uint8Array(0);

/** Of columns revision, sub, create_revision, version, lease, key, value; `at` is where they begin. */
export function changeOf(row: TextRow, at = 0): Change {
  const value = row[at + 6];
  return {
    kind: value == null ? 'delete' : 'put',
    revision: Number(row[at]),
    sub: Number(row[at + 1]),
    key: keyOf(row[at + 5]),
    createRevision: Number(row[at + 2]),
    version: Number(row[at + 3]),
    lease: BigInt(row[at + 4] ?? 0),
    value: bytesOf(value),
  };
}

/** Of the same columns, the last one being the value's length. */
export function headOf(row: TextRow): ChangeHead {
  const valueBytes = row[6];
  return {
    kind: valueBytes == null ? 'delete' : 'put',
    revision: Number(row[0]),
    sub: Number(row[1]),
    key: keyOf(row[5]),
    createRevision: Number(row[2]),
    version: Number(row[3]),
    lease: row[4] === '0' ? 0n : BigInt(row[4] ?? 0),
    valueBytes: Number(valueBytes ?? 0),
  };
}

/** NULL is empty. */
export function bytesOf(hex: string | null | undefined): Uint8Array {
  if (hex == null || hex.length <= 2) return NO_BYTES;
  // A copy of its own: a slice of Node's pool would keep 8 KiB alive, and is not equal to an Uint8Array in tests.
  const bytes = new Uint8Array((hex.length - 2) >>> 1);
  Buffer.from(bytes.buffer).write(hex.slice(2), 'hex');
  return bytes;
}

/** A byte per character. */
export function keyOf(hex: string | null | undefined): string {
  return hex == null ? '' : Buffer.from(hex.slice(2), 'hex').toString('latin1');
}
