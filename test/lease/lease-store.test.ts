import { expect, test } from 'vitest';
import { MemoryLog, MemoryStore } from '../../src/mvcc/memory-log.ts';
import { Store } from '../../src/mvcc/store.ts';
import type { Key, LeaseId } from '../../src/mvcc/types.ts';
import { RecordingSink } from '../watch/recording-sink.ts';
import { ManualClock } from './manual-clock.ts';

/** Leases in a whole Store, over a log that outlives it, on a clock that the test moves. */
async function started(disk: MemoryStore, clock: ManualClock): Promise<Store> {
  const store = new Store({ log: new MemoryLog(disk), clock, random: Math.random });
  await store.start();
  return store;
}

function put(store: Store, key: Key, lease: LeaseId): Promise<unknown> {
  const value = Buffer.from('v');
  return store.put({ kind: 'put', key, value, lease, prevKv: false, ignoreValue: false, ignoreLease: false });
}

const everything = { key: '\0', end: '\0', startRevision: 0, prevKv: false, noPut: false, noDelete: false };

test('the end of a lease deletes its keys at one revision, and watchers see it', async () => {
  const clock = new ManualClock();
  const store = await started(new MemoryStore(), clock);
  await store.leaseGrant(7n, 10);
  await store.leaseGrant(8n, 10);
  for (const key of ['b', 'a', 'moved']) await put(store, key, 7n);
  await put(store, 'moved', 8n);
  await put(store, 'free', 0n);
  await clock.pass(5000);
  expect(store.leaseKeepAlive(8n)).toBe(10);
  const sink = new RecordingSink();
  const watcher = store.watch(everything, sink);
  await clock.pass(5000);
  expect(sink.of(watcher)).toEqual(['delete a at 7/0/0 ', 'delete b at 7/0/0 ']);
  expect(store.leases()).toEqual([8n]);
  expect(store.revision).toBe(7);
  await clock.pass(5000);
  expect(sink.of(watcher).slice(2)).toEqual(['delete moved at 8/0/0 ']);
  await store.stop();
});

test('after an orderly stop a lease goes on with what was left of it, and with its keys', async () => {
  const clock = new ManualClock();
  const disk = new MemoryStore();
  const store = await started(disk, clock);
  await store.leaseGrant(7n, 100);
  await put(store, 'a', 7n);
  await clock.pass(40_000);
  await store.stop();
  // Time in which nothing runs does not count, as in etcd.
  await clock.pass(1_000_000);
  const again = await started(disk, clock);
  expect(again.leaseTimeToLive(7n, true)).toEqual({ id: 7n, grantedTtl: 100, ttl: 61, keys: ['a'] });
  await clock.pass(20_000);
  expect(await again.leaseKeepAlive(7n)).toBe(100);
  await again.stop();
  const third = await started(disk, clock);
  expect(third.leaseTimeToLive(7n, false)).toMatchObject({ ttl: 101 });
  await clock.pass(101_000);
  expect(third.leases()).toEqual([]);
  expect(third.revision).toBe(3);
  await third.stop();
});

test('after a crash a long lease has lost no more than five minutes of its age', async () => {
  const clock = new ManualClock();
  const disk = new MemoryStore();
  const store = await started(disk, clock);
  await store.leaseGrant(7n, 3600);
  await clock.pass(1_000_000);
  const again = await started(disk, clock);
  expect(again.leaseTimeToLive(7n, false)).toMatchObject({ grantedTtl: 3600, ttl: 2701 });
  await again.stop();
});
