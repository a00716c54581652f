import { ProtobufError, Reader, WireType } from '../../base/protobuf.ts';
import { Branch, hasControls, type Tree } from './tree.ts';

/*
 * A protobuf message without its schema: names are the fields' numbers, values what they look like. Bytes are text,
 * a message of their own, or base64, whichever they can be first; short ones can be taken for the wrong thing, which
 * only the schema could tell. Fields that come several times are lists.
 */

/** Deeper messages are shown as bytes. */
const DEPTH_MAX = 40;

/** Throws ProtobufError when the bytes are not a message. */
export function schemalessTree(bytes: Uint8Array, depth = 0): Tree {
  return new Branch(grouped(readFields(bytes, depth)));
}

/** The fields of a message as they came: number and what the value looks like. Throws ProtobufError. */
export function readFields(bytes: Uint8Array, depth = 0): (readonly [number: number, value: Tree])[] {
  return rawFields(bytes).map(({ number, value }) => [
    number,
    value instanceof Uint8Array ? guessed(value, depth + 1) : value,
  ]);
}

/** A field as it stands on the wire. Fixed numbers are bytes' neighbours rarely met: they come as integers. */
export interface RawField {
  readonly number: number;
  readonly value: Uint8Array | number | bigint;
}

/** Throws ProtobufError. Groups, which proto3 has not, are refused. */
export function rawFields(bytes: Uint8Array): RawField[] {
  const reader = new Reader(bytes);
  const fields: RawField[] = [];
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    const number = tag >>> 3;
    const wireType = tag & 7;
    if (wireType === WireType.varint) fields.push({ number, value: smallest(reader.int64Big()) });
    else if (wireType === WireType.bytes) fields.push({ number, value: reader.view() });
    else if (wireType === WireType.fixed64 || wireType === WireType.fixed32) {
      const length = wireType === WireType.fixed64 ? 8 : 4;
      const at = bytes.length - reader.remaining;
      reader.skip(tag);
      const view = new DataView(bytes.buffer, bytes.byteOffset + at, length);
      fields.push({ number, value: length === 8 ? smallest(view.getBigInt64(0, true)) : view.getInt32(0, true) });
    } else throw new ProtobufError('groups are not shown');
  }
  return fields;
}

function smallest(value: bigint): number | bigint {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

function grouped(fields: readonly (readonly [number, Tree])[]): [string, Tree][] {
  const byNumber = new Map<number, Tree[]>();
  for (const [number, value] of fields) byNumber.set(number, [...(byNumber.get(number) ?? []), value]);
  return [...byNumber].map(([number, values]) => [String(number), values.length === 1 ? (values[0] ?? '') : values]);
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** What bytes are most likely. */
export function guessed(bytes: Uint8Array, depth: number): Tree {
  if (bytes.length === 0) return '';
  const text = textOf(bytes);
  if (text !== undefined && !looksLikeMessage(bytes)) return text;
  if (depth < DEPTH_MAX) {
    try {
      return schemalessTree(bytes, depth);
    } catch (error) {
      if (!(error instanceof ProtobufError)) throw error;
    }
  }
  return text ?? `base64 ${Buffer.from(bytes).toString('base64')}`;
}

/** Text, when all of it can be shown. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    const text = utf8.decode(bytes);
    return hasControls(text) ? undefined : text;
  } catch {
    // Not UTF-8: not text.
    return undefined;
  }
}

/**
 * Text that begins with a tab, a newline or a return is rare, and is how messages begin whose first field is short of
 * number; and a first field that fills the message to the last byte is no accident when it is long.
 */
function looksLikeMessage(bytes: Uint8Array): boolean {
  const [first = 0, length = 0] = bytes;
  if (first < 0x20) return true;
  return (first & 7) === WireType.bytes && length >= 0x20 && length < 0x80 && length === bytes.length - 2;
}
