import { ProtobufError, Reader, tagOf, WireType } from '../../base/protobuf.ts';
import type { Change, Key, LeaseId, Position } from '../../mvcc/types.ts';

const KEY = tagOf(1, WireType.bytes);
const CREATE_REVISION = tagOf(2, WireType.varint);
const MOD_REVISION = tagOf(3, WireType.varint);
const VERSION = tagOf(4, WireType.varint);
const VALUE = tagOf(5, WireType.bytes);
const LEASE = tagOf(6, WireType.varint);

const NO_VALUE: Uint8Array = new Uint8Array(0);

/** mvccpb.KeyValue as etcd stores and sends it. `value` is a view of the message. */
export interface KeyValueMessage {
  readonly key: Key;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly value: Uint8Array;
  readonly lease: LeaseId;
}

/** Source: etcd's api/mvccpb/kv.proto. Throws ProtobufError. */
export function readKeyValue(bytes: Uint8Array): KeyValueMessage {
  const reader = new Reader(bytes);
  let key: Key = '';
  let createRevision = 0;
  let modRevision = 0;
  let version = 0;
  let value = NO_VALUE;
  let lease = 0n;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case KEY:
        key = reader.latin1();
        break;
      case CREATE_REVISION:
        createRevision = reader.int64();
        break;
      case MOD_REVISION:
        modRevision = reader.int64();
        break;
      case VERSION:
        version = reader.int64();
        break;
      case VALUE:
        value = reader.view();
        break;
      case LEASE:
        lease = reader.int64Big();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { key, createRevision, modRevision, version, value, lease };
}

/** The log's row. Throws ProtobufError for numbers that cannot be, so that they get into no store. */
export function changeOf(at: Position & { readonly kind: 'put' | 'delete' }, kv: KeyValueMessage): Change {
  const { revision, sub, kind } = at;
  const { key, createRevision, version, value, lease } = kv;
  if (key === '') throw new ProtobufError('a row without a key');
  if (kind === 'delete') {
    return { kind, revision, sub, key, createRevision: 0, version: 0, lease: 0n, value: NO_VALUE };
  }
  const isPossible =
    kv.modRevision === revision &&
    Number.isSafeInteger(createRevision) &&
    createRevision > 0 &&
    createRevision <= revision &&
    Number.isSafeInteger(version) &&
    version > 0;
  if (!isPossible) {
    throw new ProtobufError(
      `revision ${revision} has mod_revision ${kv.modRevision}, create_revision ${createRevision}, version ${version}`,
    );
  }
  return { kind, revision, sub, key, createRevision, version, lease, value };
}
