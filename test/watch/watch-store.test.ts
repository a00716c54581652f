import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { logFor } from '../../src/log/engines.ts';
import type { RangeRequest } from '../../src/mvcc/requests.ts';
import { Store } from '../../src/mvcc/store.ts';
import type { Revision } from '../../src/mvcc/types.ts';
import type { Watcher, WatchRequest } from '../../src/mvcc/watch.ts';
import { inRange, show } from './model-history.ts';
import { RecordingSink } from './recording-sink.ts';

/** The hub as it ships, in a Store over a real log, under writers that do not wait for it. */
const everything: WatchRequest = {
  key: '\0',
  end: '\0',
  startRevision: 0,
  prevKv: false,
  noPut: false,
  noDelete: false,
};
const listAll: RangeRequest = {
  key: '\0',
  end: '\0',
  revision: 0,
  limit: 0,
  order: 'none',
  target: 'key',
  keysOnly: false,
  countOnly: false,
  minModRevision: 0,
  maxModRevision: 0,
  minCreateRevision: 0,
  maxCreateRevision: 0,
  serializable: false,
};

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function storeUrl(engine: string): string {
  if (engine === 'memory') return 'memory:';
  const folder = mkdtempSync(join(tmpdir(), 'kedge-watch-'));
  folders.push(folder);
  return `sqlite://${join(folder, 'kedge.db')}`;
}

/** Repeats with its seed. */
function chance(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
}

/** `put key at mod/create/version value was …` with what is before ` was` alone. */
const withoutPrevious = (line: string): string => line.replace(/ was .*/s, '');
const keyOf = (line: string): string => line.slice(line.indexOf(' ') + 1, line.indexOf(' at '));
const revisionOf = (line: string): Revision => Number(/ at (\d+)\//.exec(line)?.[1]);

interface Informer {
  readonly watcher: Watcher;
  readonly sink: RecordingSink;
  readonly listed: readonly string[];
  readonly listedAt: Revision;
}

describe.each(['memory', 'sqlite'])('on %s', (engine) => {
  test.each([1, 2, 3])('list then watch, slow readers, compaction, seed %i: nobody misses anything', async (seed) => {
    const random = chance(seed);
    const store = new Store({
      log: logFor(storeUrl(engine)),
      clock: systemClock,
      random: Math.random,
      // So small that previous values are mostly not in memory.
      cacheBytes: 8192,
      cacheSlabBytes: 1024,
    });
    await store.start();
    const truth = new RecordingSink();
    const witness = store.watch(everything, truth);
    const informers: Informer[] = [];
    let writing = true;
    const writer = async (): Promise<void> => {
      for (let i = 0; i < 250; i += 1) {
        // Logs in memory answer at once: let the others have a turn.
        if (random(4) === 0) await new Promise((resolve) => setImmediate(resolve));
        const key = `k${random(20)}`;
        const value = Buffer.from('v'.repeat(random(200)) + i);
        const put = {
          kind: 'put',
          key,
          value,
          lease: 0n,
          prevKv: false,
          ignoreValue: false,
          ignoreLease: false,
        } as const;
        const what = random(6);
        if (what === 0) await store.deleteRange({ kind: 'delete', key, end: `${key}~`, prevKv: false });
        else if (what === 1) {
          await store.txn({ kind: 'txn', compare: [], success: [put, { ...put, key: `x${key}` }], failure: [] });
        } else await store.put(put);
      }
    };
    const informer = async (): Promise<void> => {
      while (writing && informers.length < 120) {
        const list = await store.range(listAll);
        const listed = list.kvs.map((kv) => show(kv));
        if (random(2) === 0) await new Promise((resolve) => setImmediate(resolve));
        const sink = new RecordingSink();
        if (random(3) === 0) sink.room = 1 + random(3);
        const request = { ...everything, prevKv: random(2) === 0, startRevision: list.revision + 1 };
        if (random(3) === 0) Object.assign(request, { key: 'k1', end: 'k3' });
        informers.push({ watcher: store.watch(request, sink), sink, listed, listedAt: list.revision });
        const some = informers[random(informers.length)];
        if (some !== undefined) {
          some.sink.room = 1 + random(20);
          some.watcher.resume();
        }
        if (random(20) === 0) await store.compact(Math.max(1, store.revision - 100), false).catch(() => undefined);
        await new Promise((resolve) => setTimeout(resolve, random(3)));
      }
    };
    const informing = [informer(), informer()];
    await Promise.all([writer(), writer(), writer(), writer()]);
    writing = false;
    await Promise.all(informing);
    expect(informers.length).toBeGreaterThan(10);
    const waitFor = async (watcher: Watcher, sink: RecordingSink): Promise<void> => {
      sink.room = Number.POSITIVE_INFINITY;
      watcher.resume();
      while (!watcher.synced && !sink.compacted.has(watcher)) await new Promise((resolve) => setTimeout(resolve, 1));
    };
    for (const { watcher, sink } of informers) await waitFor(watcher, sink);
    const all = truth.of(witness);
    expect(all.map(revisionOf)).toEqual(all.map(revisionOf).sort((a, b) => a - b));
    expect(new Set(all.map(revisionOf)).size).toBe(store.revision - 1);
    for (const { watcher, sink, listed, listedAt } of informers) {
      expect(sink.errors.size).toBe(0);
      const lines = sink.of(watcher);
      const { key, end, prevKv } = watcher.request;
      const due = all.filter((line) => revisionOf(line) > listedAt && inRange(keyOf(line), key, end));
      const plain = lines.map(withoutPrevious);
      expect(plain).toEqual(sink.compacted.has(watcher) ? due.slice(0, plain.length) : due);
      if (!prevKv) continue;
      // What an event says was there is what the list or the event before it said.
      const state = new Map(listed.map((line) => [line.slice(0, line.indexOf(' at ')), line]));
      for (const line of lines) {
        const was = / was (.*)/s.exec(line)?.[1];
        // etcd too leaves out what is compacted away meanwhile.
        if (was !== undefined) expect(was).toBe(state.get(keyOf(line)));
        else if (state.has(keyOf(line))) expect(store.compactRevision).toBeGreaterThanOrEqual(revisionOf(line));
        if (line.startsWith('put ')) state.set(keyOf(line), withoutPrevious(line).slice('put '.length));
        else state.delete(keyOf(line));
      }
    }
    await store.stop();
  });
});
