import { type Change, type ChangeHead, type LeaseId, NO_LEASE } from '../../mvcc/types.ts';
import type { TextRow } from './connection.ts';

/*
 * Rows come as text, and each column costs a string: so the numbers of a row share one, with spaces between them. A key
 * comes as `encode(…, 'escape')` writes it, a value as \x and two digits a byte, which Node reads natively.
 */

const NO_BYTES = new Uint8Array(0);

/**
 * Of columns numbers (revision, sub, create_revision, version, lease), key, value; `at` is where they begin. The values
 * of one answer share one piece of memory, for they are applied, and let go of, together.
 */
export function changesOf(rows: readonly TextRow[], at = 0): Change[] {
  let bytes = 0;
  for (const row of rows) bytes += byteLength(row[at + 2]);
  const values = Buffer.from(new ArrayBuffer(bytes));
  let used = 0;
  return rows.map((row) => {
    const [revision, sub, createRevision, version, lease] = (row[at] ?? '').split(' ');
    const hex = row[at + 2];
    const from = used;
    if (hex != null) used += values.write(hex.slice(2), from, 'hex');
    return {
      kind: hex == null ? 'delete' : 'put',
      revision: Number(revision),
      sub: Number(sub),
      key: unescaped(row[at + 1] ?? ''),
      createRevision: Number(createRevision),
      version: Number(version),
      lease: leaseOf(lease),
      value: used === from ? NO_BYTES : new Uint8Array(values.buffer, from, used - from),
    };
  });
}

/** Of columns numbers (the same, then the value's length; -1: a delete), key. */
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
    lease: leaseOf(lease),
    valueBytes: Math.max(0, bytes),
  };
}

/** A value, or a name, in bytes of its own; NULL is empty. */
export function bytesOf(hex: string | null | undefined): Uint8Array {
  if (byteLength(hex) === 0) return NO_BYTES;
  // Not a slice of Node's pool, which would keep 8 KiB alive and is not equal to an Uint8Array in tests.
  const bytes = new Uint8Array(byteLength(hex));
  Buffer.from(bytes.buffer).write(hex?.slice(2) ?? '', 'hex');
  return bytes;
}

/** A byte per character. Zero and what is beyond ASCII come as three octal digits, a backslash doubled; most keys have neither. */
export function unescaped(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(/\\(?:\\|([0-3][0-7]{2}))/g, (_, octal: string | undefined) =>
    octal === undefined ? '\\' : String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

function byteLength(hex: string | null | undefined): number {
  return hex == null ? 0 : (hex.length - 2) >>> 1;
}

function leaseOf(digits: string | undefined): LeaseId {
  return digits === '0' || digits === undefined ? NO_LEASE : BigInt(digits);
}
