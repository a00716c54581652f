import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { LogError } from '../../src/mvcc/log.ts';
import { type MemoryFaults, MemoryLog, MemoryStore } from '../../src/mvcc/memory-log.ts';
import type { PutRequest, RangeRequest } from '../../src/mvcc/requests.ts';
import { SharedMemoryLog, SharedMemoryStore } from '../../src/mvcc/shared-memory-log.ts';
import type { Store } from '../../src/mvcc/store.ts';
import { decodePair } from './decode.ts';
import { openStore } from './replay.ts';

const stores: Store[] = [];

afterEach(async () => {
  for (const store of stores.splice(0)) await store.stop();
});

async function start(log: MemoryLog, options: Parameters<typeof openStore>[1] = {}): Promise<Store> {
  const store = openStore(log, options);
  stores.push(store);
  await store.start();
  return store;
}

/** Two replicas on one database. */
async function startTwo(): Promise<[Store, Store]> {
  const rows = new SharedMemoryStore(() => systemClock.monotonicMs());
  const one = (replica: string) => start(new SharedMemoryLog(rows), { replica, random: Math.random });
  return [await one('a'), await one('b')];
}

function put(key: string, value: string, more: Partial<PutRequest> = {}): PutRequest {
  const bytes = Buffer.from(value, 'latin1');
  return { kind: 'put', key, value: bytes, lease: 0n, prevKv: true, ignoreValue: false, ignoreLease: false, ...more };
}

function range(key: string, more: Partial<RangeRequest> = {}): RangeRequest {
  const bounds = { minModRevision: 0, maxModRevision: 0, minCreateRevision: 0, maxCreateRevision: 0 };
  const how = { revision: 0, limit: 0, order: 'none', target: 'key', keysOnly: false, countOnly: false } as const;
  return { key, end: '', ...how, ...bounds, serializable: false, ...more };
}

async function readValue(store: Store, key: string): Promise<string | undefined> {
  const { kvs } = await store.range(range(key));
  return kvs[0] === undefined ? undefined : decodePair(kvs[0]).value;
}

describe('two stores on one log', () => {
  it('decides anew when the other was first, and burns no revision', async () => {
    const [a, b] = await startTwo();
    const results = await Promise.all(
      Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? a : b).put(put('k', String(i)))),
    );
    expect(results.map((result) => result.revision).sort((x, y) => x - y)).toEqual(
      Array.from({ length: 40 }, (_, i) => i + 2),
    );
    expect(await readValue(a, 'k')).toBe(await readValue(b, 'k'));
    expect(a.revision).toBe(41);
    expect(b.revision).toBe(41);
    expect(a.stats.appendsMoved.value + b.stats.appendsMoved.value).toBeGreaterThan(0);
  });

  it('lets one of two creators of a key win', async () => {
    const [a, b] = await startTwo();
    const create = (who: string) =>
      ({
        kind: 'txn',
        compare: [{ key: 'lock', end: '', result: 'equal', target: { kind: 'mod', number: 0 } }],
        success: [put('lock', who)],
        failure: [{ kind: 'range', ...range('lock') }],
      }) as const;
    for (let round = 0; round < 20; round += 1) {
      const [ofA, ofB] = await Promise.all([a.txn(create('a')), b.txn(create('b'))]);
      expect([ofA.succeeded, ofB.succeeded].filter(Boolean)).toHaveLength(1);
      const winner = ofA.succeeded ? 'a' : 'b';
      expect(await readValue(a, 'lock')).toBe(winner);
      expect(await readValue(b, 'lock')).toBe(winner);
      await a.deleteRange({ kind: 'delete', key: 'lock', end: '', prevKv: false });
    }
  });

  it('answers a serializable read as it stands, a linearizable one from the head of the log', async () => {
    const [a, b] = await startTwo();
    // What the log tells by itself is heard no more.
    await b.follower?.stop();
    await a.put(put('k', 'new'));
    expect((await b.range(range('k', { serializable: true }))).count).toBe(0);
    expect((await b.range(range('k'))).count).toBe(1);
  });
});

describe('a log that fails', () => {
  it('rejects the requests of an unavailable append, applies nothing, and goes on', async () => {
    const faults: MemoryFaults = {};
    const store = await start(new MemoryLog(new MemoryStore(), faults));
    await store.put(put('k', '1'));
    faults.beforeAppend = () => {
      throw new LogError('unavailable', 'the disk is full');
    };
    const failed = await Promise.allSettled([store.put(put('k', '2')), store.put(put('l', '2'))]);
    expect(failed).toMatchObject([
      { status: 'rejected', reason: { code: 'unavailable', message: 'the disk is full' } },
      { status: 'rejected', reason: { code: 'unavailable' } },
    ]);
    expect(await readValue(store, 'k')).toBe('1');
    delete faults.beforeAppend;
    expect((await store.put(put('k', '3'))).revision).toBe(3);
  });

  it('answers an ambiguous append that was committed after all, lease changes too', async () => {
    const rows = new MemoryStore();
    const log = new BreaksAfterCommit(rows);
    const store = await start(log);
    log.breaksNext = true;
    const [granted, written] = await Promise.all([store.leaseGrant(7n, 60), store.put(put('k', '1', { lease: 7n }))]);
    expect(granted.id).toBe(7n);
    expect(written.revision).toBe(2);
    expect((await store.leaseTimeToLive(7n, true))?.keys).toEqual(['k']);
    expect(rows.rows).toHaveLength(1);
    expect((await store.put(put('k', '2'))).revision).toBe(3);
  });

  it('rejects an ambiguous append that was not committed as unavailable', async () => {
    const faults: MemoryFaults = {};
    const store = await start(new MemoryLog(new MemoryStore(), faults));
    faults.beforeAppend = () => {
      throw new LogError('ambiguous', 'the connection broke');
    };
    await expect(store.put(put('k', '1'))).rejects.toMatchObject({ code: 'unavailable' });
    delete faults.beforeAppend;
    expect((await store.put(put('k', '2'))).revision).toBe(2);
    expect(await readValue(store, 'k')).toBe('2');
  });

  it('rejects as ambiguous what cannot be settled, writes nothing before it is, and then sees what was committed', async () => {
    const faults: MemoryFaults = {};
    const log = new BreaksAfterCommit(new MemoryStore(), faults);
    const store = await start(log);
    log.breaksNext = true;
    faults.beforeRead = () => {
      throw new LogError('unavailable', 'away');
    };
    await expect(store.put(put('k', '1'))).rejects.toMatchObject({ code: 'ambiguous' });
    await expect(store.put(put('k', '2'))).rejects.toMatchObject({ code: 'unavailable' });
    delete faults.beforeRead;
    const result = await store.put(put('k', '3'));
    expect(result.revision).toBe(3);
    expect(result.prevKv && decodePair(result.prevKv).value).toBe('1');
  });

  it('takes no more than the queue holds', async () => {
    const store = await start(new MemoryLog(), { limits: { queueRequestsMax: 3 } });
    const results = await Promise.allSettled([1, 2, 3, 4, 5].map((i) => store.put(put('k', String(i)))));
    expect(results.map((result) => result.status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
    ]);
    expect(results[4]).toMatchObject({ reason: { code: 'too-many-requests' } });
  });
});

describe('the quota', () => {
  const write = (i: number) => put(`k${i}`, 'x'.repeat(1000));

  it('raises NOSPACE, refuses puts and grants, and lets reads, deletes and compaction go on', async () => {
    const rows = new MemoryStore();
    const store = await start(new MemoryLog(rows), { quotaBytes: 20_000 });
    let written = 0;
    let refused: unknown;
    for (; written < 100 && refused === undefined; written += 1) {
      await store.put(write(written)).catch((error: unknown) => {
        refused = error;
      });
    }
    expect(refused).toMatchObject({ code: 'no-space' });
    expect(written).toBeGreaterThan(10);
    expect(store.alarms()).toEqual(['nospace']);
    expect([...rows.alarms]).toEqual(['nospace']);
    // Even the smallest, as long as the alarm stands.
    await expect(store.put(put('small', ''))).rejects.toMatchObject({ code: 'no-space' });
    await expect(store.leaseGrant(7n, 60)).rejects.toMatchObject({ code: 'no-space' });
    const inBranch = { kind: 'txn', compare: [], success: [], failure: [put('small', '')] } as const;
    await expect(Promise.resolve(store.txn(inBranch))).rejects.toMatchObject({ code: 'no-space' });
    expect(await readValue(store, 'k0')).toHaveLength(1000);
    const all = { kind: 'delete', key: 'k', end: 'l', prevKv: false } as const;
    expect(
      (await Promise.resolve(store.txn({ kind: 'txn', compare: [], success: [all], failure: [] }))).succeeded,
    ).toBe(true);
    await store.compact(store.revision, true);
    expect(await store.disarm('nospace')).toBe(true);
    expect(await store.disarm('nospace')).toBe(false);
    await store.put(write(0));
  });

  it('raises it again after a disarm that changed nothing', async () => {
    const store = await start(new MemoryLog(), { quotaBytes: 3000 });
    for (let i = 0; i < 3; i += 1) await store.put(write(i)).catch(() => undefined);
    expect(store.alarms()).toEqual(['nospace']);
    await store.disarm('nospace');
    await expect(store.put(write(9))).rejects.toMatchObject({ code: 'no-space' });
    expect(store.alarms()).toEqual(['nospace']);
  });
});

describe('compaction', () => {
  it('waits for reads that began before it', async () => {
    const faults: MemoryFaults = {};
    const rows = new MemoryStore();
    const store = await start(new MemoryLog(rows, faults));
    await store.put(put('k', 'old'));
    await store.put(put('k', 'new'));
    let letGo: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    faults.beforeRead = () => gate;
    const reading = Promise.resolve(store.range(range('k', { revision: 2 })));
    const compacting = store.compact(3, true);
    expect(() => store.range(range('k', { revision: 2, serializable: true }))).not.toThrow();
    letGo();
    const old = (await reading).kvs[0];
    expect(old && decodePair(old).value).toBe('old');
    await compacting;
    expect(rows.rows).toHaveLength(1);
    expect(() => store.range(range('k', { revision: 2 }))).toThrow(expect.objectContaining({ code: 'compacted' }));
  });

  it('takes up a sweep that a stop broke off', async () => {
    const rows = new MemoryStore();
    const first = await start(new MemoryLog(rows));
    for (let i = 0; i < 500; i += 1) await first.put(put('k', String(i)));
    await first.compact(first.revision, false);
    await first.stop();
    expect(rows.rows.length).toBeGreaterThan(1);
    const second = await start(new MemoryLog(rows));
    await second.put(put('k', 'x'));
    await second.compact(second.revision, true);
    expect(rows.rows).toHaveLength(1);
  });
});

/** Commits, and then says that the connection broke. */
class BreaksAfterCommit extends MemoryLog {
  breaksNext = false;

  override async append(batch: Parameters<MemoryLog['append']>[0]) {
    const result = await super.append(batch);
    if (!this.breaksNext) return result;
    this.breaksNext = false;
    throw new LogError('ambiguous', 'the connection broke');
  }
}
