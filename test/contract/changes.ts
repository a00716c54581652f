import type { Change, Key, Revision } from '../../src/mvcc/types.ts';
import { NO_LEASE } from '../../src/mvcc/types.ts';

/** A put for tests: created at its own revision, version 1. */
export function put(revision: Revision, sub: number, key: Key, value: string): Change {
  return {
    revision,
    sub,
    kind: 'put',
    key,
    createRevision: revision,
    version: 1,
    lease: NO_LEASE,
    value: bytesOf(value),
  };
}

/** A delete for tests. */
export function del(revision: Revision, sub: number, key: Key): Change {
  return {
    revision,
    sub,
    kind: 'delete',
    key,
    createRevision: 0,
    version: 0,
    lease: NO_LEASE,
    value: new Uint8Array(0),
  };
}

/** A byte per character. */
export function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}
