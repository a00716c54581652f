import { Failure } from '../base/failure.ts';
import { logFor } from '../log/engines.ts';
import { hashKv } from '../mvcc/hash-kv.ts';
import { KeyIndex } from '../mvcc/key-index.ts';
import type { Log, LogState } from '../mvcc/log.ts';
import type { Revision } from '../mvcc/types.ts';

/** What a store holds, read back from it row by row. */
export interface StoreContents {
  readonly head: Revision;
  readonly horizon: Revision;
  readonly rows: number;
  readonly keys: number;
  readonly leases: number;
  /** etcd's HashKV at the head. */
  readonly hash: number;
}

/** Opens a store, reads all of it, closes it. Nothing is changed: no lease runs out meanwhile. Rejects with LogError. */
export async function readBack(storeUrl: string): Promise<StoreContents> {
  const log = logFor(storeUrl);
  try {
    return await contentsOf(log, await log.open());
  } finally {
    await log.close();
  }
}

/** The same for a log that was opened just now. */
export async function contentsOf(log: Log, { cursor, horizon, leases }: LogState): Promise<StoreContents> {
  const head = cursor.revision;
  const index = new KeyIndex();
  let rows = 0;
  await log.load((heads) => {
    rows += heads.length;
    index.load(heads);
  });
  index.sortLoaded(() => {});
  const hash = await hashKv(log, index, horizon, head);
  return { head, horizon, rows, keys: index.liveKeys, leases: leases.length, hash };
}

/** Throws a Failure that names what differs. */
export function mustEqual(what: string, wanted: Partial<StoreContents>, found: StoreContents): void {
  const different = Object.entries(wanted).filter(([name, value]) => found[name as keyof StoreContents] !== value);
  if (different.length === 0) return;
  const list = different.map(([name, value]) => `${name} ${found[name as keyof StoreContents]} instead of ${value}`);
  throw new Failure(`${what} does not hold what was copied: ${list.join(', ')}. Do not use it; copy once more`);
}

/** HashKV as etcdutl prints it. */
export function formatHash(hash: number): string {
  return hash.toString(16).padStart(8, '0');
}
