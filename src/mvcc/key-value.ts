import type { KeyValueBytes } from './requests.ts';
import type { Change, Key, LeaseId, Revision } from './types.ts';

/**
 * mvccpb.KeyValue as protobuf writes it: key = 1, create_revision = 2, mod_revision = 3, version = 4, value = 5,
 * lease = 6, in this order, zero values left out. Encoded once, when a change is applied; copied ever after.
 * Source: etcd's api/mvccpb/kv.proto and the proto3 encoding.
 */

export const KEY = 0x0a;
export const CREATE_REVISION = 0x10;
export const MOD_REVISION = 0x18;
export const VERSION = 0x20;
export const VALUE = 0x2a;
export const LEASE = 0x30;

const TWO_POW_7 = 2 ** 7;
const TWO_POW_32 = 2 ** 32;
const NEGATIVE_VARINT_BYTES = 10;

const NO_VALUE = new Uint8Array(0);

/** How long the message of a key with these fields is, in bytes. */
export function keyValueLength(
  keyBytes: number,
  createRevision: Revision,
  modRevision: Revision,
  version: number,
  valueBytes: number,
  lease: LeaseId,
): number {
  return (
    bytesHeadLength(keyBytes) +
    keyBytes +
    numberFieldLength(createRevision) +
    numberFieldLength(modRevision) +
    numberFieldLength(version) +
    bytesHeadLength(valueBytes) +
    valueBytes +
    leaseFieldLength(lease)
  );
}

/** Writes the message at `at`, where there is room for keyValueLength bytes. Answers where it ends. */
export function writeKeyValue(
  to: Uint8Array,
  at: number,
  key: Key,
  createRevision: Revision,
  modRevision: Revision,
  version: number,
  value: Uint8Array,
  lease: LeaseId,
): number {
  const keyBytes = key.length;
  if (keyBytes > 0) {
    to[at] = KEY;
    at = writeVarint(to, at + 1, keyBytes);
    for (let i = 0; i < keyBytes; i += 1) to[at + i] = key.charCodeAt(i);
    at += keyBytes;
  }
  at = writeNumberField(to, at, CREATE_REVISION, createRevision);
  at = writeNumberField(to, at, MOD_REVISION, modRevision);
  at = writeNumberField(to, at, VERSION, version);
  if (value.length > 0) {
    to[at] = VALUE;
    at = writeVarint(to, at + 1, value.length);
    to.set(value, at);
    at += value.length;
  }
  if (lease !== 0n) {
    to[at] = LEASE;
    at = writeLease(to, at + 1, lease);
  }
  return at;
}

/** The message of a change in bytes of its own, as watchers get it: of a delete, key and mod_revision only. */
export function encodeChange(change: Change): KeyValueBytes {
  return encodeKeyValue(change.key, change.createRevision, change.revision, change.version, change.value, change.lease);
}

/** A message in bytes of its own. */
export function encodeKeyValue(
  key: Key,
  createRevision: Revision,
  modRevision: Revision,
  version: number,
  value: Uint8Array,
  lease: LeaseId,
): KeyValueBytes {
  const length = keyValueLength(key.length, createRevision, modRevision, version, value.length, lease);
  const bytes = new Uint8Array(length);
  writeKeyValue(bytes, 0, key, createRevision, modRevision, version, value, lease);
  return bytes;
}

/** What etcd's bucket holds for a delete: KeyValue with the key alone. HashKV hashes it. */
export function encodeTombstone(key: Key): KeyValueBytes {
  return encodeKeyValue(key, 0, 0, 0, NO_VALUE, 0n);
}

/** Whether a message that this file wrote is of this key. */
export function isOfKey(kv: KeyValueBytes, key: Key): boolean {
  const { length } = key;
  if (length === 0) return kv[0] !== KEY;
  if (kv[0] !== KEY) return false;
  let at = 1;
  let rest = length;
  for (; rest >= TWO_POW_7; rest = Math.floor(rest / TWO_POW_7)) {
    if (kv[at] !== (rest % TWO_POW_7) + TWO_POW_7) return false;
    at += 1;
  }
  if (kv[at] !== rest) return false;
  at += 1;
  for (let i = 0; i < length; i += 1) if (kv[at + i] !== key.charCodeAt(i)) return false;
  return true;
}

/** The value inside of a message that this file wrote: a view. */
export function valueIn(kv: KeyValueBytes): Uint8Array {
  let at = 0;
  while (at < kv.length) {
    const tag = kv[at];
    at += 1;
    if (tag !== KEY && tag !== VALUE) {
      while ((kv[at] ?? 0) >= TWO_POW_7) at += 1;
      at += 1;
      continue;
    }
    const length = readVarint(kv, at);
    at += varintLength(length);
    if (tag === VALUE) return kv.subarray(at, at + length);
    at += length;
  }
  return NO_VALUE;
}

/** What comes before so many bytes. */
export function bytesHeadLength(bytes: number): number {
  return bytes === 0 ? 0 : 1 + varintLength(bytes);
}

export function numberFieldLength(value: number): number {
  return value === 0 ? 0 : 1 + varintLength(value);
}

function varintLength(value: number): number {
  let bytes = 1;
  while (value >= TWO_POW_7) {
    value = value < TWO_POW_32 ? value >>> 7 : Math.floor(value / TWO_POW_7);
    bytes += 1;
  }
  return bytes;
}

function writeNumberField(to: Uint8Array, at: number, tag: number, value: number): number {
  if (value === 0) return at;
  to[at] = tag;
  return writeVarint(to, at + 1, value);
}

function writeVarint(to: Uint8Array, at: number, value: number): number {
  while (value >= TWO_POW_32) {
    to[at] = (value % TWO_POW_7) | 0x80;
    at += 1;
    value = Math.floor(value / TWO_POW_7);
  }
  while (value >= TWO_POW_7) {
    to[at] = (value & 0x7f) | 0x80;
    at += 1;
    value >>>= 7;
  }
  to[at] = value;
  return at + 1;
}

/** Throws RangeError beyond 2^53. */
export function readVarint(from: Uint8Array, at: number): number {
  let value = 0;
  for (let scale = 1; ; scale *= TWO_POW_7) {
    const byte = from[at] ?? 0;
    value += (byte & 0x7f) * scale;
    if (value > Number.MAX_SAFE_INTEGER) throw new RangeError('a number beyond 2^53');
    if (byte < TWO_POW_7) return value;
    at += 1;
  }
}

export function leaseFieldLength(lease: LeaseId): number {
  if (lease === 0n) return 0;
  if (lease < 0n) return 1 + NEGATIVE_VARINT_BYTES;
  let bytes = 2;
  for (let rest = lease >> 7n; rest > 0n; rest >>= 7n) bytes += 1;
  return bytes;
}

export function readLease(from: Uint8Array, at: number): LeaseId {
  let lease = 0n;
  for (let shift = 0n; shift < 64n; shift += 7n) {
    const byte = from[at] ?? 0;
    lease |= BigInt(byte & 0x7f) << shift;
    if (byte < TWO_POW_7) break;
    at += 1;
  }
  return BigInt.asIntN(64, lease);
}

function writeLease(to: Uint8Array, at: number, lease: LeaseId): number {
  let rest = BigInt.asUintN(64, lease);
  while (rest >= 0x80n) {
    to[at] = Number(rest & 0x7fn) | 0x80;
    at += 1;
    rest >>= 7n;
  }
  to[at] = Number(rest);
  return at + 1;
}
