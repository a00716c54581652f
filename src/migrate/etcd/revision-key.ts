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
  view.setBigUint64(0, BigInt(revision));
  key[SUB_AT - 1] = SEPARATOR;
  view.setBigUint64(SUB_AT, BigInt(sub));
  if (kind === 'delete') key[REVISION_BYTES] = TOMBSTONE;
  return key;
}

/** What a row's key says; undefined when it is no such key. */
export function parseRevisionKey(key: Uint8Array): (Position & { readonly kind: 'put' | 'delete' }) | undefined {
  if (key.length !== REVISION_BYTES && key.length !== REVISION_BYTES + 1) return undefined;
  if (key[SUB_AT - 1] !== SEPARATOR) return undefined;
  if (key.length > REVISION_BYTES && key[REVISION_BYTES] !== TOMBSTONE) return undefined;
  const view = new DataView(key.buffer, key.byteOffset, key.length);
  const revision = Number(view.getBigUint64(0));
  const sub = Number(view.getBigUint64(SUB_AT));
  return { revision, sub, kind: key.length > REVISION_BYTES ? 'delete' : 'put' };
}

/** How meta keeps a compaction's revision. */
export function parseCompactRevision(value: Uint8Array | undefined): Revision {
  return value === undefined ? 0 : (parseRevisionKey(value)?.revision ?? 0);
}
