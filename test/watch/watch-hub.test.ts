import { expect, test } from 'vitest';
import type { Change, Revision } from '../../src/mvcc/types.ts';
import type { Watcher, WatchRequest } from '../../src/mvcc/watch.ts';
import { WatchHub, type WatchHubOptions } from '../../src/mvcc/watch-hub.ts';
import { ModelHistory, quiet } from './model-history.ts';
import { RecordingSink } from './recording-sink.ts';

const everything: WatchRequest = {
  key: '\0',
  end: '\0',
  startRevision: 0,
  prevKv: false,
  noPut: false,
  noDelete: false,
};

/** A hub over a history that counts and can be held. */
class Bench extends ModelHistory {
  reads: Revision[] = [];
  readsUnderWay = 0;
  readsUnderWayMost = 0;
  previousAsked = 0;
  failure: Error | undefined;
  readonly hub: WatchHub;

  constructor(options: Partial<WatchHubOptions> = {}) {
    super();
    this.prompt = true;
    this.hub = new WatchHub(this, options);
  }

  override async changes(after: Revision, bytesMax: number): Promise<readonly Change[]> {
    this.reads.push(after);
    this.readsUnderWay += 1;
    this.readsUnderWayMost = Math.max(this.readsUnderWayMost, this.readsUnderWay);
    if (this.failure !== undefined) throw this.failure;
    const changes = await super.changes(after, bytesMax);
    this.readsUnderWay -= 1;
    return changes;
  }

  override previous(of: Parameters<ModelHistory['previous']>[0]): ReturnType<ModelHistory['previous']> {
    this.previousAsked += of.length;
    return super.previous(of);
  }

  put(key: string, value: string): void {
    this.commit([[{ key, value }]], this.hub);
  }

  delete(key: string): void {
    this.commit([[{ key, value: undefined }]], this.hub);
  }

  watch(sink: RecordingSink, request: Partial<WatchRequest> = {}): Watcher {
    return this.hub.watch({ ...everything, ...request }, sink);
  }
}

test('watchers of one range share their batches, live and behind', async () => {
  const bench = new Bench();
  bench.put('a', '1');
  bench.put('a', '2');
  const batches = new Set<object>();
  const deliveries: Watcher[] = [];
  const sink = new RecordingSink();
  sink.onEvents = (watcher, batch) => {
    batches.add(batch);
    deliveries.push(watcher);
    return true;
  };
  for (let i = 0; i < 10; i += 1) bench.watch(sink, { key: 'a', end: '' });
  for (let i = 0; i < 10; i += 1) bench.watch(sink, { key: 'a', end: '', startRevision: 1 });
  await quiet();
  expect([batches.size, deliveries.length]).toEqual([1, 10]);
  bench.put('a', '3');
  expect([batches.size, deliveries.length]).toEqual([2, 30]);
  expect(bench.reads).toEqual([0]);
});

test('events of several revisions applied together come in one batch, cut at its limit between revisions', () => {
  const bench = new Bench({ batchBytesMax: 100 });
  const sink = new RecordingSink();
  const watcher = bench.watch(sink);
  const big = 'x'.repeat(60);
  bench.commit(
    [
      [{ key: 'a', value: '1' }],
      [{ key: 'b', value: '2' }],
      [
        { key: 'c', value: big },
        { key: 'd', value: big },
        { key: 'e', value: big },
      ],
      [{ key: 'f', value: '3' }],
    ],
    bench.hub,
  );
  expect(sink.headers.get(watcher)).toEqual([4, 5]);
  expect(sink.of(watcher)).toHaveLength(6);
});

test('a full sink costs nobody else anything, and nothing is kept for it', async () => {
  const bench = new Bench();
  const full = new RecordingSink();
  full.room = 1;
  const stuck = bench.watch(full);
  const other = new RecordingSink();
  const lively = bench.watch(other);
  for (let i = 0; i < 100; i += 1) bench.put('a', String(i));
  await quiet();
  expect(full.of(stuck)).toHaveLength(1);
  expect(other.of(lively)).toHaveLength(100);
  expect(bench.reads).toEqual([]);
  expect([stuck.synced, stuck.deliveredRevision]).toEqual([false, 2]);
  expect(bench.hub.lagRevisions()).toBe(99);
  expect(bench.hub.stats.slowWatchers.value).toBe(1);
  full.room = Number.POSITIVE_INFINITY;
  stuck.resume();
  await quiet();
  expect(full.of(stuck)).toEqual(other.of(lively));
  expect([stuck.synced, bench.hub.stats.slowWatchers.value, bench.hub.lagRevisions()]).toEqual([true, 0, 0]);
});

test('a full sink that has missed nothing goes on without reading the log', async () => {
  const bench = new Bench();
  const sink = new RecordingSink();
  sink.room = 1;
  const watcher = bench.watch(sink, { key: 'a', end: '' });
  bench.put('a', '1');
  bench.put('b', '1');
  expect(watcher.synced).toBe(true);
  sink.room = 5;
  watcher.resume();
  bench.put('a', '2');
  await quiet();
  expect(sink.of(watcher)).toHaveLength(2);
  expect(bench.reads).toEqual([]);
});

test('one resume is enough for all watchers of a sink', async () => {
  const bench = new Bench();
  const sink = new RecordingSink();
  sink.room = 1;
  const watchers = ['a', 'b', 'c'].map((key) => bench.watch(sink, { key, end: '' }));
  for (const key of ['a', 'b', 'c']) bench.put(key, '1');
  expect(sink.batches).toBe(1);
  sink.room = Number.POSITIVE_INFINITY;
  watchers[2]?.resume();
  await quiet();
  expect(watchers.map((watcher) => sink.of(watcher).length)).toEqual([1, 1, 1]);
});

test('no more reads than allowed are under way, and a watcher far behind holds nobody up', async () => {
  const bench = new Bench({ readBytesMax: 100, readsMax: 2 });
  for (let i = 0; i < 4000; i += 1) bench.put('a', String(i));
  const sink = new RecordingSink();
  const behind = [1, 1000, 2000, 3000].map((startRevision) => bench.watch(sink, { startRevision }));
  const near = bench.watch(sink, { startRevision: 3990 });
  await quiet();
  expect(sink.live[0]).toBe(near);
  expect(new Set(sink.live)).toEqual(new Set([near, ...behind]));
  expect(behind.map((watcher) => sink.of(watcher).length)).toEqual([4000, 3002, 2002, 1002]);
  expect(bench.readsUnderWayMost).toBe(2);
});

test('previous values that weigh much are read in portions, and cut between revisions', async () => {
  const bench = new Bench({ readBytesMax: 4000 });
  const value = 'x'.repeat(200);
  for (let i = 0; i < 200; i += 1) bench.put(`key ${i}`, value);
  const from = bench.head + 1;
  for (let i = 0; i < 200; i += 1) bench.delete(`key ${i}`);
  const sink = new RecordingSink();
  const watcher = bench.watch(sink, { startRevision: from, prevKv: true });
  await quiet();
  expect(sink.of(watcher)).toHaveLength(200);
  for (const [i, line] of sink.of(watcher).entries())
    expect(line).toContain(`was key ${i} at ${i + 2}/${i + 2}/1 ${value}`);
  expect(sink.batches).toBeGreaterThan(3);
  expect(watcher.synced).toBe(true);
});

test('previous values are asked for only where somebody wants them and they may be', async () => {
  const bench = new Bench();
  bench.put('a', '1');
  bench.put('a', '2');
  bench.put('b', '1');
  bench.delete('b');
  const sink = new RecordingSink();
  bench.watch(sink, { startRevision: 1 });
  await quiet();
  expect(bench.previousAsked).toBe(0);
  bench.watch(sink, { startRevision: 1, prevKv: true, key: 'a', end: '', noDelete: true });
  await quiet();
  expect(bench.previousAsked).toBe(1);
  expect(bench.hub.wantsPrevious).toBe(true);
});

test('a previous value that is not in memory is fetched without holding anybody up', async () => {
  const bench = new Bench();
  bench.put('a', '1');
  const sink = new RecordingSink();
  const watcher = bench.watch(sink, { prevKv: true });
  bench.previousInMemory = false;
  bench.put('a', '2');
  expect([sink.of(watcher).length, watcher.synced]).toEqual([0, false]);
  await quiet();
  expect(sink.of(watcher)).toEqual(['put a at 3/2/2 2 was a at 2/2/1 1']);
  expect(watcher.synced).toBe(true);
  expect(bench.hub.stats.fellBehind.value).toBe(1);
});

test('below the horizon it is compacted, at the horizon it is not', async () => {
  const bench = new Bench();
  for (let i = 0; i < 5; i += 1) bench.put('a', String(i));
  bench.compact(4, bench.hub);
  const sink = new RecordingSink();
  const below = bench.watch(sink, { startRevision: 3 });
  const at = bench.watch(sink, { startRevision: 4 });
  expect(sink.compacted.size).toBe(0);
  await quiet();
  expect([...sink.compacted]).toEqual([[below, 4]]);
  expect(sink.of(at)).toHaveLength(3);
  expect(sink.of(below)).toEqual([]);
  expect(bench.hub.stats.watchers.value).toBe(1);
});

test('who is set aside and falls below the horizon is told at once', () => {
  const bench = new Bench();
  const sink = new RecordingSink();
  sink.room = 1;
  const watcher = bench.watch(sink);
  for (let i = 0; i < 5; i += 1) bench.put('a', String(i));
  bench.compact(3, bench.hub);
  expect(sink.compacted.size).toBe(0);
  bench.compact(4, bench.hub);
  expect([...sink.compacted]).toEqual([[watcher, 4]]);
  expect(bench.hub.stats.slowWatchers.value).toBe(0);
});

test('a log that cannot be read ends those who need it, and only those', async () => {
  const bench = new Bench();
  bench.put('a', '1');
  bench.failure = new Error('disk gone');
  const sink = new RecordingSink();
  const behind = bench.watch(sink, { startRevision: 1 });
  const live = bench.watch(sink);
  await quiet();
  expect([...sink.errors]).toEqual([[behind, bench.failure]]);
  bench.put('a', '2');
  expect(sink.of(live)).toHaveLength(1);
  expect(sink.of(behind)).toHaveLength(0);
});

test('a sink may cancel its watchers from within a delivery', async () => {
  const bench = new Bench();
  const sink = new RecordingSink();
  const watchers: Watcher[] = [];
  const heard: number[] = [];
  sink.onEvents = (watcher) => {
    heard.push(watchers.indexOf(watcher));
    if (heard.length === 2) for (const other of watchers) if (other !== watchers[4]) other.cancel();
    return true;
  };
  for (let i = 0; i < 6; i += 1) watchers.push(bench.watch(sink));
  bench.put('a', '1');
  expect(heard).toEqual([0, 1, 4]);
  bench.put('a', '2');
  expect(heard).toEqual([0, 1, 4, 4]);
  watchers.push(bench.watch(sink));
  bench.put('a', '3');
  expect(heard).toEqual([0, 1, 4, 4, 4, 6]);
});

test('list, then watch from the next revision, while others write: nothing is missed', async () => {
  const bench = new Bench();
  bench.prompt = false;
  const sink = new RecordingSink();
  for (let round = 0; round < 300; round += 1) {
    bench.put(`k${round % 7}`, String(round));
    const listedAt = bench.head;
    for (let i = 0; i < round % 5; i += 1) bench.put(`k${i}`, `${round}.${i}`);
    const watcher = bench.watch(sink, { startRevision: listedAt + 1 });
    for (let i = 0; i < round % 3; i += 1) bench.settle();
    bench.put('k0', `${round} again`);
    for (let i = 0; i < 6; i += 1) {
      await quiet();
      if (i % 2 === 0) bench.put('k1', `${round} meanwhile`);
      while (bench.settle());
    }
    await quiet();
    const expected = bench.all.filter((change) => change.revision > listedAt).map((change) => change.revision);
    const seen = sink.of(watcher).map((line) => Number(/ at (\d+)\//.exec(line)?.[1]));
    expect(seen).toEqual(expected);
    watcher.cancel();
  }
});

test('stop ends everything, also what is being read', async () => {
  const bench = new Bench();
  bench.put('a', '1');
  bench.prompt = false;
  const sink = new RecordingSink();
  const behind = bench.watch(sink, { startRevision: 1 });
  bench.watch(sink, { startRevision: 100 });
  await quiet();
  const stopped = bench.hub.stop();
  while (bench.settle()) await quiet();
  await stopped;
  expect(sink.of(behind)).toEqual([]);
  expect(bench.hub.stats.watchers.value).toBe(0);
  expect(bench.hub.watch({ ...everything }, sink).synced).toBe(false);
});
