import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import { ReloadingStore } from '../../src/mvcc/reloading-store.ts';
import type { PutRequest, RangeRequest } from '../../src/mvcc/requests.ts';
import { SharedMemoryLog, SharedMemoryStore } from '../../src/mvcc/shared-memory-log.ts';
import { Store } from '../../src/mvcc/store.ts';
import type { StoreOptions } from '../../src/mvcc/store-options.ts';
import { ManualClock } from '../lease/manual-clock.ts';
import { RecordingSink } from '../watch/recording-sink.ts';
import { decodePair } from './decode.ts';

/** Several stores on one log: what each makes of what the others do. Time stands still unless the test moves it. */
const clock = new ManualClock();
const running: ReloadingStore[] = [];

afterEach(async () => {
  for (const store of running.splice(0)) await store.stop();
});

async function replica(
  name: string,
  database: SharedMemoryStore,
  options: Partial<StoreOptions> = {},
): Promise<ReloadingStore> {
  const store = new ReloadingStore({
    clock,
    logger: silentLogger,
    open: (stats, onLost) =>
      new Store({
        log: new SharedMemoryLog(database),
        clock,
        random: Math.random,
        quotaBytes: -1,
        replica: name,
        // Time stands still here.
        limits: { sharedGraceMs: 0 },
        stats,
        onLost,
        ...options,
      }),
  });
  running.push(store);
  await store.start();
  return store;
}

async function two(): Promise<{ database: SharedMemoryStore; a: ReloadingStore; b: ReloadingStore }> {
  const database = new SharedMemoryStore(() => clock.nowMs);
  return { database, a: await replica('a', database), b: await replica('b', database) };
}

function put(key: string, value: string, lease = 0n): PutRequest {
  return { kind: 'put', key, value: Buffer.from(value), lease, prevKv: false, ignoreValue: false, ignoreLease: false };
}

const ALL: RangeRequest = {
  ...{ key: '\0', end: '\0', revision: 0, limit: 0, order: 'none', target: 'key', keysOnly: false, countOnly: false },
  ...{ minModRevision: 0, maxModRevision: 0, minCreateRevision: 0, maxCreateRevision: 0, serializable: false },
};

async function read(store: ReloadingStore, more: Partial<RangeRequest> = {}): Promise<string[]> {
  const { kvs } = await store.range({ ...ALL, ...more });
  return kvs.map((kv) => {
    const { key, value } = decodePair(kv);
    return `${key}=${value}`;
  });
}

describe('leases of several replicas', () => {
  it('are known to all: one grants, the other puts with it, the first one revokes', async () => {
    const { a, b } = await two();
    await a.leaseGrant(7n, 60);
    await b.put(put('k', 'v', 7n));
    expect(await a.leaseTimeToLive(7n, true)).toMatchObject({ grantedTtl: 60, keys: ['k'] });
    const revoked = await a.leaseRevoke(7n);
    expect(await read(b)).toEqual([]);
    expect(b.revision).toBe(revoked);
    await expect(b.put(put('k', 'v', 7n))).rejects.toMatchObject({ code: 'lease-not-found' });
  });

  it('without keys are gone for all: a put that rests on one that another revoked is refused', async () => {
    const { a, b } = await two();
    await a.leaseGrant(7n, 60);
    await b.leaseTimeToLive(7n, false);
    await a.leaseRevoke(7n);
    await expect(b.put(put('k', 'v', 7n))).rejects.toMatchObject({ code: 'lease-not-found' });
  });

  it('end by one transaction, once, and on no replica before their time', async () => {
    const { a, b } = await two();
    await a.leaseGrant(7n, 10);
    await a.put(put('x', '1', 7n));
    await b.put(put('y', '2', 7n));
    await clock.pass(9_000);
    expect(await read(b)).toEqual(['x=1', 'y=2']);
    const before = b.revision;
    await clock.pass(3_000);
    expect(await read(a)).toEqual([]);
    expect(await read(b)).toEqual([]);
    expect(b.revision).toBe(before + 1);
    expect(a.stats.leases.expired.value + b.stats.leases.expired.value).toBe(1);
  });

  it('live on when kept alive through any replica', async () => {
    const { a, b } = await two();
    await a.leaseGrant(7n, 10);
    await a.put(put('x', '1', 7n));
    for (let i = 0; i < 5; i += 1) {
      await clock.pass(7_000);
      expect(await (i % 2 === 0 ? b : a).leaseKeepAlive(7n)).toBe(10);
    }
    expect(await read(b)).toEqual(['x=1']);
    expect(await b.leaseKeepAlive(8n)).toBe(0);
  });

  it('are looked after by another when the one with the duty is gone, soon and without a grace', async () => {
    const { database, a, b } = await two();
    await a.leaseGrant(23n, 10);
    await a.put(put('x', '1', 23n));
    await b.leaseTimeToLive(23n, false);
    await clock.pass(2_000);
    const [held] = await database.fence.readDuties();
    expect(held).toMatchObject({ duty: 'expire-07' });
    const [dead, alive] = held?.holder === 'a' ? [a, b] : [b, a];
    await dead.stop();
    await clock.pass(10_500);
    expect(await read(alive)).toEqual([]);
    expect((await database.fence.readDuties())[0]?.holder).not.toBe(held?.holder);
  });

  it('cost nothing while there are none, and one commit a round for all parts while there are', async () => {
    const { database, a, b } = await two();
    let claims = 0;
    const { fence } = database;
    const claimDuties = fence.claimDuties.bind(fence);
    fence.claimDuties = async (...asked) => {
      const answer = await claimDuties(...asked);
      if (answer.some(({ isGranted }) => isGranted)) claims += 1;
      return answer;
    };
    await clock.pass(60_000);
    expect(claims).toBe(0);
    for (let id = 1n; id <= 64n; id += 1n) await (id % 2n === 0n ? a : b).leaseGrant(id, 600);
    await clock.pass(5_000);
    claims = 0;
    await clock.pass(60_000);
    // Whoever has it claims all sixteen together; the other one asks now and then, in vain.
    expect(claims).toBeGreaterThan(100);
    expect(claims).toBeLessThanOrEqual(121);
  });

  it('that are over and not ended yet make a keepalive wait for their end', async () => {
    const { a, b } = await two();
    // Of the same part, so that somebody looks after it from now on.
    await a.leaseGrant(23n, 3600);
    await clock.pass(1_000);
    await a.leaseGrant(7n, 10);
    await clock.pass(10_000);
    let answer: number | undefined;
    const asked = Promise.resolve(b.leaseKeepAlive(7n)).then((ttl) => {
      answer = ttl;
    });
    await clock.pass(1_000);
    await asked;
    expect(answer).toBe(0);
    expect(a.leases()).toEqual([23n]);
  });

  it('get their whole time again when nobody was there to renew them', async () => {
    const { database, a, b } = await two();
    await a.leaseGrant(7n, 20);
    await a.put(put('x', '1', 7n));
    await clock.pass(1_000);
    await a.stop();
    await b.stop();
    clock.nowMs += 60_000;
    const c = await replica('c', database);
    await clock.pass(1_000);
    expect(await c.leaseKeepAlive(7n)).toBe(20);
    expect(await read(c)).toEqual(['x=1']);
    await clock.pass(21_000);
    expect(await read(c)).toEqual([]);
  });
});

describe('compaction of a log that is shared', () => {
  it('is seen by all, and swept by one', async () => {
    const { database, a, b } = await two();
    for (let i = 0; i < 50; i += 1) await (i % 2 === 0 ? a : b).put(put('k', String(i)));
    await b.compact(50, false);
    await clock.pass(5_000);
    expect(database.rows.map(({ revision }) => revision)).toEqual([50, 51]);
    for (const store of [a, b]) {
      await expect(read(store, { revision: 49 })).rejects.toMatchObject({ code: 'compacted' });
      expect(store.compactRevision).toBe(50);
      expect(await read(store, { revision: 50 })).toEqual(['k=48']);
    }
    expect(await a.hashKv(0)).toEqual(await b.hashKv(0));
  });

  it('waits for replicas that are a poll behind: they and their watches go on', async () => {
    const database = new SharedMemoryStore(() => clock.nowMs);
    const options = { limits: {}, followerLimits: { pollMsMaxTold: 250 } };
    const a = await replica('a', database, options);
    const b = await replica('b', database, options);
    const sink = new RecordingSink();
    b.watch({ key: '\0', end: '\0', startRevision: 0, prevKv: false, noPut: false, noDelete: false }, sink);
    // No hint reaches it.
    database.listeners.clear();
    for (let i = 0; i < 10; i += 1) await a.put(put('k', String(i)));
    const compacting = a.compact(a.revision, true);
    await clock.pass(100);
    expect(database.rows).toHaveLength(10);
    await clock.pass(3_000);
    await compacting;
    expect(database.rows).toHaveLength(1);
    expect(sink.compacted.size).toBe(0);
    expect(b.revision).toBe(11);
    expect(b.compactRevision).toBe(11);
    expect(b.stats.reloads.value).toBe(0);
    expect(await b.hashKv(0)).toEqual(await a.hashKv(0));
  });

  it('is gone on with by another when the sweeper is gone', async () => {
    const { database, a, b } = await two();
    for (let i = 0; i < 20; i += 1) await a.put(put('k', String(i)));
    await database.fence.claimDuties([{ duty: 'compact', dueAfterMs: 0 }], 'somebody dead');
    await b.compact(20, false);
    await clock.pass(1_000);
    expect(database.rows).toHaveLength(20);
    await clock.pass(4_000);
    expect(database.rows).toHaveLength(2);
  });
});

describe('a past that is lost', () => {
  it('ends watches and starts anew from what the database has, when it has lost commits', async () => {
    const { database, a, b } = await two();
    await a.put(put('kept', '1'));
    await b.put(put('lost', '2'));
    expect(await read(a)).toEqual(['kept=1', 'lost=2']);
    const sink = new RecordingSink();
    const all = { key: '\0', end: '\0', startRevision: 0, prevKv: false, noPut: false, noDelete: false };
    const watcher = a.watch(all, sink);
    database.loseCommits(1);
    // The other history takes the same revision.
    const c = await replica('c', database);
    await c.put(put('other', '3'));
    await expect(a.put(put('k', 'v'))).rejects.toMatchObject({ code: 'unavailable' });
    await clock.pass(1_000);
    expect(await read(a)).toEqual(['kept=1', 'other=3']);
    // Nobody goes on from a revision that was given out twice.
    expect(sink.compacted.get(watcher)).toBe(2_000_000);
    expect(a.stats.reloads.value).toBe(1);
    expect((await a.put(put('k', 'v'))).revision).toBe(2_000_001);
    expect(await read(c)).toEqual(['k=v', 'kept=1', 'other=3']);
    expect(c.stats.reloads.value).toBe(0);
    const late = c.watch({ ...all, startRevision: 4 }, sink);
    await clock.pass(0);
    expect(sink.compacted.get(late)).toBe(2_000_000);
    // Whoever has seen the same finds it done.
    expect(await read(b)).toEqual(['k=v', 'kept=1', 'other=3']);
    expect(b.compactRevision).toBe(2_000_000);
    expect((await b.put(put('k', 'w'))).revision).toBe(2_000_002);
  });

  it('leaps in no other store that has come in the place of ours', async () => {
    const database = new SharedMemoryStore(() => clock.nowMs);
    const a = await replica('a', database);
    await a.put(put('k', '1'));
    const clusterId = a.clusterId;
    database.commits.splice(0, database.commits.length, { revision: 1, notes: 0, commit: 77 });
    database.rows = [];
    Object.assign(database, { clusterId: clusterId + 1n });
    await expect(read(a)).rejects.toMatchObject({ code: 'unavailable' });
    await clock.pass(1_000);
    expect(await read(a)).toEqual([]);
    expect(a.revision).toBe(1);
  });

  it('is loaded anew when compaction has passed a replica that was away', async () => {
    const database = new SharedMemoryStore(() => clock.nowMs);
    const a = await replica('a', database);
    await a.put(put('gone', '1'));
    const asleep = await replica('b', database);
    // It hears nothing and asks nothing while the other one goes on.
    database.listeners.clear();
    await a.deleteRange({ kind: 'delete', key: 'gone', end: '', prevKv: false });
    await a.put(put('k', '2'));
    await a.put(put('k', '3'));
    await a.compact(a.revision, true);
    expect(database.swept).toBe(a.revision);
    await expect(read(asleep)).rejects.toMatchObject({ code: 'unavailable' });
    await clock.pass(1_000);
    expect(await read(asleep)).toEqual(['k=3']);
    expect(await asleep.hashKv(0)).toEqual(await a.hashKv(0));
  });
});

describe('a hint of a peer', () => {
  it('costs no question when the log tells as well, one when it does not, and one when it is wrong', async () => {
    const { database, a, b } = await two();
    const asked = b.stats.newsAsked;
    await clock.pass(100);
    const before = asked.value;
    await a.put(put('k', '1'));
    b.poke(a.revision);
    await clock.pass(100);
    expect(asked.value).toBe(before + 1);
    database.listeners.clear();
    await a.put(put('k', '2'));
    b.poke(a.revision);
    await clock.pass(49);
    expect(asked.value).toBe(before + 1);
    await clock.pass(1);
    expect(asked.value).toBe(before + 2);
    expect(await read(b, { serializable: true })).toEqual(['k=2']);
    b.poke(1_000_000);
    await clock.pass(500);
    expect(asked.value).toBe(before + 3);
  });
});

describe('a poll', () => {
  it('is spared by commits of our own, not for long, and finds what others wrote as before', async () => {
    class SilentLog extends SharedMemoryLog {
      override listen(): boolean {
        return false;
      }
    }
    const database = new SharedMemoryStore(() => clock.nowMs);
    const a = await replica('a', database, { log: new SilentLog(database) });
    const b = await replica('b', database, { log: new SilentLog(database) });
    const asked = a.stats.newsAsked;
    await b.put(put('l', 'theirs'));
    await clock.pass(250);
    expect(a.revision).toBe(b.revision);
    const write = async (forMs: number): Promise<void> => {
      for (let ms = 0; ms < forMs; ms += 5) {
        await a.put(put('k', String(ms)));
        await clock.pass(5);
      }
    };
    // Until the other one is not reckoned with any more.
    await write(50);
    const before = asked.value;
    await write(1000);
    // Without them it would have been every 10 ms at first; it is every 250 at least.
    expect(asked.value - before).toBeGreaterThanOrEqual(2);
    expect(asked.value - before).toBeLessThanOrEqual(6);
    await clock.pass(250);
    const other = await b.put(put('l', 'theirs'));
    expect(a.revision).toBeLessThan(other.revision);
    await clock.pass(250);
    expect(a.revision).toBe(other.revision);
  });
});

describe('records', () => {
  it('are the same for all, and one of two that write upon the same state wins', async () => {
    const { a, b } = await two();
    const heard: string[] = [];
    b.onRecord((name) => heard.push(name));
    const guard = { name: 'user/x', value: undefined };
    const write = (store: ReloadingStore, by: string) =>
      store.writeRecords({
        kind: 'records',
        changes: [{ kind: 'record', name: 'user/x', value: Buffer.from(by) }],
        guard,
      });
    const results = await Promise.all([write(a, 'a'), write(b, 'b')]);
    expect(results.filter(Boolean)).toHaveLength(1);
    await read(a);
    await read(b);
    const winner = results[0] ? 'a' : 'b';
    for (const store of [a, b]) expect(Buffer.from(store.records.get('user/x') ?? '').toString()).toBe(winner);
    expect(heard).toEqual(['user/x']);
    expect((await replica('c', new SharedMemoryStore(() => 0))).records.list('user/')).toEqual([]);
  });
});
