/*
 * PostgreSQL's binary format of one-dimensional arrays (array_recv in its sources: dimensions, flags, element type,
 * then size and lower bound, then each element with its length; -1 for NULL). Binary, because a value as text would be
 * twice as long and read byte by byte.
 */

export const OID_BYTEA = 17;
export const OID_INT8 = 20;
export const OID_INT4 = 23;

const HEAD_BYTES = 12;
const DIMENSION_BYTES = 8;
const NULL_LENGTH = -1;

/** bigint[] of exact numbers. */
export function int8Array(numbers: readonly number[]): Buffer {
  const out = begin(OID_INT8, numbers.length, numbers.length * 8);
  let at = HEAD_BYTES + DIMENSION_BYTES;
  for (const number of numbers) {
    out.writeInt32BE(8, at);
    out.writeInt32BE(Math.floor(number / 2 ** 32), at + 4);
    out.writeUInt32BE(number >>> 0, at + 8);
    at += 12;
  }
  return out;
}

/** bigint[] of any 64 bits. */
export function bigintArray(numbers: readonly bigint[]): Buffer {
  const out = begin(OID_INT8, numbers.length, numbers.length * 8);
  let at = HEAD_BYTES + DIMENSION_BYTES;
  for (const number of numbers) {
    out.writeInt32BE(8, at);
    out.writeBigInt64BE(number, at + 4);
    at += 12;
  }
  return out;
}

/** int[]. */
export function int4Array(numbers: readonly number[]): Buffer {
  const out = begin(OID_INT4, numbers.length, numbers.length * 4);
  let at = HEAD_BYTES + DIMENSION_BYTES;
  for (const number of numbers) {
    out.writeInt32BE(4, at);
    out.writeInt32BE(number, at + 4);
    at += 8;
  }
  return out;
}

/** bytea[]: a string gives a byte per character; undefined is NULL. */
export function byteaArray(values: readonly (string | Uint8Array | undefined)[]): Buffer {
  let bytes = 0;
  for (const value of values) bytes += value?.length ?? 0;
  const out = begin(OID_BYTEA, values.length, bytes);
  let at = HEAD_BYTES + DIMENSION_BYTES;
  for (const value of values) {
    out.writeInt32BE(value?.length ?? NULL_LENGTH, at);
    at += 4;
    if (value === undefined) continue;
    if (typeof value === 'string') out.write(value, at, 'latin1');
    else out.set(value, at);
    at += value.length;
  }
  return out;
}

/** With its head written; elements come after it, each with its length. */
function begin(elementType: number, count: number, elementBytes: number): Buffer {
  const out = Buffer.allocUnsafe(arrayBytes(count, elementBytes));
  beginArray(out, elementType, count);
  return out;
}

/** How long an array of so many elements is, which are so long together. */
export function arrayBytes(count: number, elementBytes: number): number {
  return count === 0 ? HEAD_BYTES : HEAD_BYTES + DIMENSION_BYTES + count * 4 + elementBytes;
}

/** Writes the head of an array. Answers where its first element goes, after its length. */
export function beginArray(out: Buffer, elementType: number, count: number): number {
  const isEmpty = count === 0;
  out.writeInt32BE(isEmpty ? 0 : 1, 0);
  // Whether there are NULLs: the server looks for itself.
  out.writeInt32BE(1, 4);
  const at = out.writeInt32BE(elementType, 8);
  if (isEmpty) return at;
  out.writeInt32BE(count, HEAD_BYTES);
  return out.writeInt32BE(1, HEAD_BYTES + 4);
}
