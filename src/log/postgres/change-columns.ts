import type { Change } from '../../mvcc/types.ts';
import { arrayBytes, beginArray, OID_BYTEA, OID_INT4, OID_INT8 } from './array-format.ts';

/** Of each value's length; -1 for a delete's, which is NULL. */
const LENGTH_BYTES = 4;
const INT8_BYTES = LENGTH_BYTES + 8;
const INT4_BYTES = LENGTH_BYTES + 4;
const NULL_LENGTH = -1;
const TWO_POW_32 = 2 ** 32;

/** Changes column by column, in binary, as unnest takes them. */
export interface ChangeColumns {
  /** revision, sub, key, create_revision, version, lease, value. */
  readonly columns: readonly Buffer[];
  /** What all of them are in. */
  readonly memory: Buffer;
}

/** In one piece of memory and one walk, for changes lie all over it. `allocate`: whatever is in it. */
export function changeColumns(changes: readonly Change[], allocate: (bytes: number) => Buffer): ChangeColumns {
  const count = changes.length;
  let keyBytes = 0;
  let valueBytes = 0;
  for (const { key, kind, value } of changes) {
    keyBytes += key.length;
    if (kind === 'put') valueBytes += value.length;
  }
  const lengths = [
    arrayBytes(count, 8 * count),
    arrayBytes(count, 4 * count),
    arrayBytes(count, keyBytes),
    arrayBytes(count, 8 * count),
    arrayBytes(count, 8 * count),
    arrayBytes(count, 8 * count),
    arrayBytes(count, valueBytes),
  ];
  const memory = allocate(lengths.reduce((sum, length) => sum + length, 0));
  const columns: Buffer[] = [];
  let from = 0;
  for (const length of lengths) {
    columns.push(memory.subarray(from, from + length));
    from += length;
  }
  const oids = [OID_INT8, OID_INT4, OID_BYTEA, OID_INT8, OID_INT8, OID_INT8, OID_BYTEA];
  const starts = oids.map((oid, i) => beginArray(columns[i] ?? memory, oid, count) + (columns[i]?.byteOffset ?? 0));
  let [revisionAt = 0, subAt = 0, keyAt = 0, createAt = 0, versionAt = 0, leaseAt = 0, valueAt = 0] = starts;
  const bytes = new Uint8Array(memory.buffer);
  const view = new DataView(memory.buffer);
  for (const { revision, sub, key, kind, createRevision, version, lease, value } of changes) {
    writeInt8(view, revisionAt, revision);
    revisionAt += INT8_BYTES;
    view.setInt32(subAt, 4);
    view.setInt32(subAt + LENGTH_BYTES, sub);
    subAt += INT4_BYTES;
    const { length } = key;
    view.setInt32(keyAt, length);
    keyAt += LENGTH_BYTES;
    for (let i = 0; i < length; i += 1) bytes[keyAt + i] = key.charCodeAt(i);
    keyAt += length;
    writeInt8(view, createAt, createRevision);
    createAt += INT8_BYTES;
    writeInt8(view, versionAt, version);
    versionAt += INT8_BYTES;
    if (lease === 0n) writeInt8(view, leaseAt, 0);
    else {
      view.setInt32(leaseAt, 8);
      view.setBigInt64(leaseAt + LENGTH_BYTES, lease);
    }
    leaseAt += INT8_BYTES;
    view.setInt32(valueAt, kind === 'put' ? value.length : NULL_LENGTH);
    valueAt += LENGTH_BYTES;
    if (kind === 'delete') continue;
    bytes.set(value, valueAt);
    valueAt += value.length;
  }
  return { columns, memory };
}

/** An exact number, not below 0. */
function writeInt8(view: DataView, at: number, number: number): void {
  view.setInt32(at, 8);
  view.setInt32(at + LENGTH_BYTES, number / TWO_POW_32);
  view.setInt32(at + LENGTH_BYTES + 4, number);
}
