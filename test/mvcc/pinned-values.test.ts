import { describe, expect, it } from 'vitest';
import { MemoryLog, MemoryStore } from '../../src/mvcc/memory-log.ts';
import type { Store } from '../../src/mvcc/store.ts';
import type { Key } from '../../src/mvcc/types.ts';
import { decodePair } from './decode.ts';
import { openStore, TINY_CACHE } from './replay.ts';

/** Pinned values are read without the log, even when the cache has room for nothing; the answers are the same. */
function put(store: Store, key: Key, value: string) {
  const bytes = Buffer.from(value);
  return store.put({
    kind: 'put',
    key,
    value: bytes,
    lease: 0n,
    prevKv: false,
    ignoreValue: false,
    ignoreLease: false,
  });
}

async function values(store: Store, key: Key, end: Key, revision = 0): Promise<string[]> {
  const { kvs } = await store.range({
    ...{ key, end, revision, limit: 0, order: 'none', target: 'key', keysOnly: false, countOnly: false },
    ...{ minModRevision: 0, maxModRevision: 0, minCreateRevision: 0, maxCreateRevision: 0, serializable: false },
  });
  return kvs.map((kv) => decodePair(kv).value);
}

describe('values of a pinned prefix', () => {
  it('are in memory after they are written and after a restart, and no other ones', async () => {
    const rows = new MemoryStore();
    let reads = 0;
    const faults = {
      beforeRead: () => {
        reads += 1;
      },
    };
    const open = () => openStore(new MemoryLog(rows, faults), { ...TINY_CACHE, pinnedPrefixes: ['pin/'] });
    let store = open();
    await store.start();
    for (let i = 0; i < 200; i += 1) await put(store, `${i % 2 === 0 ? 'pin' : 'other'}/${i % 50}`, `value ${i}`);
    await store.deleteRange({ kind: 'delete', key: 'pin/4', end: '', prevKv: false });
    for (let round = 0; round < 2; round += 1) {
      const before = reads;
      expect(await values(store, 'pin/', 'pin0')).toHaveLength(24);
      expect(await values(store, 'pin/2', '')).toEqual(['value 152']);
      expect(reads).toBe(before);
      expect(await values(store, 'other/', 'other0')).toHaveLength(25);
      expect(reads).toBeGreaterThan(before);
      // The past is not pinned, but is there.
      expect(await values(store, 'pin/2', '', 60)).toEqual(['value 52']);
      expect(store.stats.pinned.keys.value).toBe(24);
      await store.stop();
      store = open();
      await store.start();
    }
    await store.stop();
  });
});
