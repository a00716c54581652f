import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { MemoryLog, MemoryStore } from '../../src/mvcc/memory-log.ts';
import { Store } from '../../src/mvcc/store.ts';
import type { Change } from '../../src/mvcc/types.ts';
import { Random, seedOf } from '../support/random.ts';

/** A check finds nothing in a store that is well, whatever goes on meanwhile, and each kind of damage by its name. */
const stores: Store[] = [];

afterEach(async () => {
  for (const store of stores.splice(0)) await store.stop();
});

async function start(rows: MemoryStore): Promise<Store> {
  const store = new Store({ log: new MemoryLog(rows), clock: systemClock, random: Math.random, quotaBytes: -1 });
  stores.push(store);
  await store.start();
  return store;
}

function put(store: Store, key: string, value: string, lease = 0n) {
  const bytes = Buffer.from(value);
  return store.put({ kind: 'put', key, value: bytes, lease, prevKv: false, ignoreValue: false, ignoreLease: false });
}

async function filled(): Promise<{ rows: MemoryStore; store: Store }> {
  const rows = new MemoryStore();
  const store = await start(rows);
  await store.leaseGrant(7n, 60);
  for (let i = 0; i < 40; i += 1) await put(store, `k${i % 9}`, String(i), i % 5 === 0 ? 7n : 0n);
  await store.deleteRange({ kind: 'delete', key: 'k3', end: 'k5', prevKv: false });
  await put(store, 'k3', 'again');
  return { rows, store };
}

async function findings(store: Store): Promise<string[]> {
  const { findings, findingsTotal } = await store.check(0);
  expect(findingsTotal).toBe(findings.length);
  return findings.map(({ kind, revision, key }) => `${kind} ${revision} ${key}`);
}

describe('a check', () => {
  it('finds nothing in an empty store', async () => {
    expect(await findings(await start(new MemoryStore()))).toEqual([]);
  });

  it('finds nothing in a store that is well, before and after a compaction, a restart and a sweep', async () => {
    const { rows, store } = await filled();
    expect(await findings(store)).toEqual([]);
    await store.compact(30, true);
    expect(await findings(store)).toEqual([]);
    expect(await findings(await start(rows))).toEqual([]);
    await store.compact(store.revision, true);
    const result = await store.check(0);
    expect(result).toMatchObject({ revision: store.revision, compactRevision: store.revision, findings: [] });
    expect(result.hash).toBe((await store.hashKv(0)).hash);
  });

  it('finds nothing while others write, compact and revoke', async () => {
    const random = new Random(seedOf(23));
    const { store } = await filled();
    let writing = true;
    const writer = (async () => {
      for (let i = 0; writing; i += 1) {
        await put(store, `k${random.below(50)}`, String(i), random.chance(20) && i < 300 ? 7n : 0n);
        if (i % 40 === 39) await store.compact(store.revision - random.below(20), random.chance(50));
        if (i === 300) await store.leaseRevoke(7n);
        // A log in memory answers within the turn: without this nobody else would ever have one.
        if (i % 40 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (let i = 0; i < 40; i += 1) expect(await findings(store)).toEqual([]);
    writing = false;
    await writer;
  });

  const damages: readonly (readonly [string, (rows: Change[]) => Change[], readonly string[]])[] = [
    ['a row that is missing', (rows) => rows.filter(({ revision }) => revision !== 20), ['gap 20 ', 'chain 29 k0']],
    ['the first row that is missing', (rows) => rows.slice(1), ['gap 2 ']],
    ['a version that jumps', (rows) => edit(rows, 38, { version: 9 }), ['chain 38 k0']],
    ['another create revision', (rows) => edit(rows, 38, { createRevision: 3 }), ['chain 38 k0']],
    ['a sub that is missing', (rows) => edit(rows, 38, { sub: 1 }), ['order 38 k0']],
    ['a lease that does not exist', (rows) => edit(rows, 43, { lease: 9n }), ['lease 43 k3']],
  ];
  for (const [name, damage, expected] of damages) {
    it(`names ${name}`, async () => {
      const { rows } = await filled();
      rows.rows = damage(rows.rows);
      const found = await findings(await start(rows));
      for (const line of expected) expect(found).toContain(line);
    });
  }

  it('names a row that the log has lost behind the back of a running store, and one that came', async () => {
    const { rows, store } = await filled();
    rows.rows = rows.rows.filter(({ revision }) => revision !== 40);
    expect(await findings(store)).toContain('index 43 ');
    const extra = { ...(rows.rows.at(-1) as Change), sub: 1, key: 'stranger' };
    rows.rows.push(extra);
    expect(await findings(store)).toContain('index 43 stranger');
  });

  it('names a row that compaction should have taken', async () => {
    const { rows, store } = await filled();
    const old = rows.rows.find(({ revision }) => revision === 2) as Change;
    await store.compact(store.revision, true);
    rows.rows.unshift(old);
    expect(await findings(store)).toContain(`unswept 2 ${old.key}`);
  });
});

function edit(rows: readonly Change[], revision: number, change: Partial<Change>): Change[] {
  return rows.map((row) => (row.revision === revision ? { ...row, ...change } : row));
}
