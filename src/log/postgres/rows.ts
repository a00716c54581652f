import { type Change, type ChangeHead, NO_LEASE } from '../../mvcc/types.ts';
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

/**
 * Of two columns: numbers with spaces between them, the value's length last (-1: a delete), and the key as `encode(…,
 * 'escape')` writes it. That is half of what seven columns cost.
 */
export function headOf([numbers, key]: TextRow): ChangeHead {
  const [revision, sub, createRevision, version, lease, valueBytes] = (numbers ?? '').split(' ');
  const bytes = Number(valueBytes);
  return {
    kind: bytes < 0 ? 'delete' : 'put',
    revision: Number(revision),
    sub: Number(sub),
    key: unescaped(key ?? ''),
    createRevision: Number(createRevision),
    version: Number(version),
    lease: lease === '0' ? NO_LEASE : BigInt(lease ?? 0),
    valueBytes: Math.max(0, bytes),
  };
}

/** Zero and what is beyond ASCII come as three octal digits, a backslash doubled; most keys have neither. */
function unescaped(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(/\\(?:\\|([0-3][0-7]{2}))/g, (_, octal: string | undefined) =>
    octal === undefined ? '\\' : String.fromCharCode(Number.parseInt(octal, 8)),
  );
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
