import { Reader, tagOf, WireType, Writer } from '../../base/protobuf.ts';
import type { Key, LeaseId, Revision } from '../../mvcc/types.ts';
import { type KeyValueMessage, readKeyValue } from './key-value-message.ts';

/*
 * The few messages of etcd's API that moving house takes. Source: etcd's api/etcdserverpb/rpc.proto, kv.proto.
 * Every reader throws ProtobufError.
 */

const varint = (field: number): number => tagOf(field, WireType.varint);
const bytes = (field: number): number => tagOf(field, WireType.bytes);

const HEADER = bytes(1);

/** What every response begins with. */
export interface Header {
  readonly revision: Revision;
}

export interface RangeRequest {
  readonly key: Key;
  readonly end: Key;
  readonly limit: number;
  readonly revision: Revision;
  readonly countOnly: boolean;
}

export function writeRange({ key, end, limit, revision, countOnly }: RangeRequest): Uint8Array {
  const writer = new Writer();
  writer.tag(bytes(1));
  writer.latin1(key);
  writer.tag(bytes(2));
  writer.latin1(end);
  numberField(writer, 3, limit);
  numberField(writer, 4, revision);
  numberField(writer, 9, countOnly ? 1 : 0);
  return writer.take();
}

export interface RangeResponse extends Header {
  readonly kvs: readonly KeyValueMessage[];
  readonly more: boolean;
  readonly count: number;
}

export function readRange(message: Uint8Array): RangeResponse {
  const kvs: KeyValueMessage[] = [];
  let revision = 0;
  let more = false;
  let count = 0;
  readFields(message, (tag, reader) => {
    if (tag === HEADER) revision = readHeader(reader);
    else if (tag === bytes(2)) kvs.push(readKeyValue(reader.view()));
    else if (tag === varint(3)) more = reader.bool();
    else if (tag === varint(4)) count = reader.int64();
    else return false;
    return true;
  });
  return { revision, kvs, more, count };
}

/** A watch of all keys from a revision on. */
export function writeWatchAll(from: Revision): Uint8Array {
  const writer = new Writer();
  const create = writer.open(bytes(1), 32);
  writer.tag(bytes(1));
  writer.latin1('\0');
  writer.tag(bytes(2));
  writer.latin1('\0');
  numberField(writer, 3, from);
  writer.close(create);
  return writer.take();
}

export interface WatchEvent {
  readonly kind: 'put' | 'delete';
  readonly kv: KeyValueMessage;
}

export interface WatchResponse extends Header {
  readonly canceled: boolean;
  readonly compactRevision: Revision;
  readonly cancelReason: string;
  readonly events: readonly WatchEvent[];
}

export function readWatch(message: Uint8Array): WatchResponse {
  const events: WatchEvent[] = [];
  let revision = 0;
  let canceled = false;
  let compactRevision = 0;
  let cancelReason = '';
  readFields(message, (tag, reader) => {
    if (tag === HEADER) revision = readHeader(reader);
    else if (tag === varint(4)) canceled = reader.bool();
    else if (tag === varint(5)) compactRevision = reader.int64();
    else if (tag === bytes(6)) cancelReason = reader.string();
    else if (tag === bytes(11)) events.push(readEvent(reader.view()));
    else return false;
    return true;
  });
  return { revision, canceled, compactRevision, cancelReason, events };
}

function readEvent(message: Uint8Array): WatchEvent {
  let kind: 'put' | 'delete' = 'put';
  let kv = readKeyValue(new Uint8Array(0));
  readFields(message, (tag, reader) => {
    if (tag === varint(1)) kind = reader.int32() === 1 ? 'delete' : 'put';
    else if (tag === bytes(2)) kv = readKeyValue(reader.view());
    else return false;
    return true;
  });
  return { kind, kv };
}

export interface StatusResponse extends Header {
  readonly version: string;
  readonly dbBytes: number;
}

export function readStatus(message: Uint8Array): StatusResponse {
  let revision = 0;
  let version = '';
  let dbBytes = 0;
  readFields(message, (tag, reader) => {
    if (tag === HEADER) revision = readHeader(reader);
    else if (tag === bytes(2)) version = reader.string();
    else if (tag === varint(3)) dbBytes = reader.int64();
    else return false;
    return true;
  });
  return { revision, version, dbBytes };
}

export interface SnapshotChunk {
  readonly remainingBytes: number;
  readonly blob: Uint8Array;
}

export function readSnapshot(message: Uint8Array): SnapshotChunk {
  let remainingBytes = 0;
  let blob: Uint8Array = new Uint8Array(0);
  readFields(message, (tag, reader) => {
    if (tag === varint(2)) remainingBytes = reader.int64();
    else if (tag === bytes(3)) blob = reader.view();
    else return false;
    return true;
  });
  return { remainingBytes, blob };
}

export function writeHashKv(revision: Revision): Uint8Array {
  const writer = new Writer();
  numberField(writer, 1, revision);
  return writer.take();
}

export interface HashKvResponse extends Header {
  readonly hash: number;
  /** -1 or 0 before the first compaction. */
  readonly compactRevision: Revision;
}

export function readHashKv(message: Uint8Array): HashKvResponse {
  let revision = 0;
  let hash = 0;
  let compactRevision = 0;
  readFields(message, (tag, reader) => {
    if (tag === HEADER) revision = readHeader(reader);
    else if (tag === varint(2)) hash = reader.uint32();
    else if (tag === varint(3)) compactRevision = reader.int64();
    else return false;
    return true;
  });
  return { revision, hash, compactRevision };
}

export function readLeases(message: Uint8Array): LeaseId[] {
  const ids: LeaseId[] = [];
  readFields(message, (tag, reader) => {
    if (tag !== bytes(2)) return false;
    readFields(reader.view(), (inner, lease) => {
      if (inner !== varint(1)) return false;
      ids.push(lease.int64Big());
      return true;
    });
    return true;
  });
  return ids;
}

export function writeLeaseTimeToLive(id: LeaseId): Uint8Array {
  const writer = new Writer();
  writer.tag(varint(1));
  writer.int64Big(id);
  return writer.take();
}

/** Seconds; -1: there is no such lease. */
export interface LeaseTimeToLive {
  readonly ttl: number;
  readonly grantedTtl: number;
}

export function readLeaseTimeToLive(message: Uint8Array): LeaseTimeToLive {
  let ttl = 0;
  let grantedTtl = 0;
  readFields(message, (tag, reader) => {
    if (tag === varint(3)) ttl = reader.int64();
    else if (tag === varint(4)) grantedTtl = reader.int64();
    else return false;
    return true;
  });
  return { ttl, grantedTtl };
}

export function writeAuthenticate(name: string, password: string): Uint8Array {
  const writer = new Writer();
  writer.tag(bytes(1));
  writer.string(name);
  writer.tag(bytes(2));
  writer.string(password);
  return writer.take();
}

export function readToken(message: Uint8Array): string {
  let token = '';
  readFields(message, (tag, reader) => {
    if (tag !== bytes(2)) return false;
    token = reader.string();
    return true;
  });
  return token;
}

function numberField(writer: Writer, field: number, value: number): void {
  if (value === 0) return;
  writer.tag(varint(field));
  writer.int64(value);
}

function readHeader(reader: Reader): Revision {
  let revision = 0;
  readFields(reader.view(), (tag, header) => {
    if (tag !== varint(3)) return false;
    revision = header.int64();
    return true;
  });
  return revision;
}

/** Hands over each field; those that `take` does not know are passed over. */
function readFields(message: Uint8Array, take: (tag: number, reader: Reader) => boolean): void {
  const reader = new Reader(message);
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) if (!take(tag, reader)) reader.skip(tag);
}
