import type { Position, Revision } from '../../mvcc/types.ts';

/*
 * A row's key in etcd's bucket "key": the revision in 8 bytes big-endian, '_', the sub in 8 bytes, and for a delete a
 * 't'. Source: etcd's server/storage/mvcc/revision.go.
 */

const REVISION_BYTES = 17;
const SEPARATOR = 0x5f;
const TOMBSTONE = 0x74;
const SUB_AT = 9;

/** The key of a row. */
export function revisionKey({ revision, sub, kind }: Position & { readonly kind?: 'put' | 'delete' }): Uint8Array {
  const key = new Uint8Array(kind === 'delete' ? REVISION_BYTES + 1 : REVISION_BYTES);
  const view = new DataView(key.buffer);
  setUint64(view, 0, revision);
  key[SUB_AT - 1] = SEPARATOR;
  setUint64(view, SUB_AT, sub);
  if (kind === 'delete') key[REVISION_BYTES] = TOMBSTONE;
  return key;
}

/** What a row's key says; undefined when it is no such key. */
export function parseRevisionKey(key: Uint8Array): (Position & { readonly kind: 'put' | 'delete' }) | undefined {
  if (key.length !== REVISION_BYTES && key.length !== REVISION_BYTES + 1) return undefined;
  if (key[SUB_AT - 1] !== SEPARATOR) return undefined;
  if (key.length > REVISION_BYTES && key[REVISION_BYTES] !== TOMBSTONE) return undefined;
  const view = new DataView(key.buffer, key.byteOffset, key.length);
  return { revision: uint64(view, 0), sub: uint64(view, SUB_AT), kind: key.length > REVISION_BYTES ? 'delete' : 'put' };
}

/** How meta keeps a compaction's revision. */
export function parseCompactRevision(value: Uint8Array | undefined): Revision {
  return value === undefined ? 0 : (parseRevisionKey(value)?.revision ?? 0);
}

// By halves: a bigint for each row of a store costs more than all the rest of its key. Beyond 2^53 rounded.

function uint64(view: DataView, at: number): number {
  return view.getUint32(at) * 0x1_0000_0000 + view.getUint32(at + 4);
}

function setUint64(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / 0x1_0000_0000));
  view.setUint32(at + 4, value >>> 0);
}
