import { afterEach, describe, expect, it } from 'vitest';
import { type AppendResult, isShared, type Log } from '../../src/mvcc/log.ts';
import type { Change, ChangeHead, LeaseChange, LeaseRecord } from '../../src/mvcc/types.ts';
import { CHANGES_PER_TXN_MAX, FIRST_REVISION } from '../../src/mvcc/types.ts';
import { CommitChain } from '../support/commit-chain.ts';
import { Random } from '../support/random.ts';
import { bytesOf, del, put } from './changes.ts';

/** One store under test, empty at first. */
export interface StoreUnderTest {
  /** A Log of this store that nobody has opened. */
  log(): Log;
  /** Frees everything. All logs are closed by then. */
  dispose(): Promise<void>;
}

/** What any engine must do. Call it once per engine, inside of nothing. `create` makes an empty store. */
export function logContract(engine: string, create: () => Promise<StoreUnderTest>): void {
  describe(`the Log contract on ${engine}`, () => {
    const opened: { store: StoreUnderTest; log: Log }[] = [];
    const chains = new WeakMap<Log, CommitChain>();

    afterEach(async () => {
      for (const { log } of opened) await log.close();
      for (const store of new Set(opened.map((each) => each.store))) await store.dispose();
      opened.length = 0;
    });

    async function fresh(): Promise<{ store: StoreUnderTest; log: Log }> {
      const store = await create();
      const log = store.log();
      opened.push({ store, log });
      chains.set(log, new CommitChain((await log.open()).cursor));
      return { store, log };
    }

    /** Closes, and opens the same store again. */
    async function again(store: StoreUnderTest, log: Log) {
      await log.close();
      const next = store.log();
      opened.push({ store, log: next });
      const state = await next.open();
      chains.set(next, new CommitChain(state.cursor));
      return { log: next, state };
    }

    function append(log: Log, changes: readonly Change[], leases: readonly LeaseChange[] = []): Promise<AppendResult> {
      const expectedHead = (changes[0]?.revision ?? FIRST_REVISION + 1) - 1;
      return appendAt(log, expectedHead, changes, leases);
    }

    async function appendAt(
      log: Log,
      head: number,
      changes: readonly Change[],
      leases: readonly LeaseChange[] = [],
    ): Promise<AppendResult> {
      const chain = chains.get(log);
      if (chain === undefined) throw new Error('append to a log that is not open');
      return chain.append(log, head, changes, leases);
    }

    async function loadAll(log: Log): Promise<ChangeHead[]> {
      const all: ChangeHead[] = [];
      await log.load((rows) => {
        all.push(...rows);
      });
      return all;
    }

    describe('open', () => {
      it('finds an empty store at the first revision', async () => {
        const store = await create();
        const log = store.log();
        opened.push({ store, log });
        const state = await log.open();
        expect(state).toMatchObject({
          cursor: { revision: FIRST_REVISION },
          horizon: 0,
          leases: [],
          alarms: [],
          rows: 0,
        });
        expect(state.clusterId).toBeGreaterThan(0n);
        expect(state.memberId).toBeLessThan(2n ** 64n);
        expect(await loadAll(log)).toEqual([]);
      });

      it('keeps the ids it made with the store', async () => {
        const store = await create();
        const log = store.log();
        opened.push({ store, log });
        const first = await log.open();
        const { state } = await again(store, log);
        expect(state.clusterId).toBe(first.clusterId);
        expect(state.memberId).toBe(first.memberId);
      });

      it('loads every row without values, in log order, after a restart', async () => {
        const { store, log } = await fresh();
        const changes = [put(2, 0, 'b', 'one'), put(3, 0, 'a', 'two'), del(3, 1, 'b'), put(4, 0, '\xff\0', '')];
        await append(log, changes);
        const { log: next, state } = await again(store, log);
        expect(state.cursor.revision).toBe(4);
        expect(state.rows).toBe(4);
        expect(await loadAll(next)).toEqual(
          changes.map(({ value, ...head }) => ({ ...head, valueBytes: value.length })),
        );
      });

      it('waits for the visitor between batches', async () => {
        const { store, log } = await fresh();
        const changes = Array.from({ length: 20_000 }, (_, i) => put(2, i, `key${i}`, ''));
        await append(log, changes);
        const { log: next } = await again(store, log);
        let inside = 0;
        let seen = 0;
        await next.load(async (rows) => {
          inside++;
          expect(inside).toBe(1);
          await new Promise((resolve) => setImmediate(resolve));
          seen += rows.length;
          inside--;
        });
        expect(seen).toBe(changes.length);
      });

      it('passes on what the visitor throws', async () => {
        const { store, log } = await fresh();
        await append(log, [put(2, 0, 'a', '')]);
        const { log: next } = await again(store, log);
        await expect(
          next.load(() => {
            throw new Error('enough');
          }),
        ).rejects.toThrow('enough');
      });
    });

    describe('append', () => {
      it('answers committed and moves the head', async () => {
        const { log } = await fresh();
        expect(await append(log, [put(2, 0, 'a', '1')])).toEqual({ kind: 'committed' });
        expect(await append(log, [put(3, 0, 'a', '2'), put(4, 0, 'b', '3')])).toEqual({ kind: 'committed' });
        expect(await log.head()).toBe(4);
      });

      it('is a compare-and-set on the head: moved writes nothing', async () => {
        const { store, log } = await fresh();
        await append(log, [put(2, 0, 'a', '1')]);
        const lost = await appendAt(log, 1, [put(2, 0, 'b', 'lost')], [{ kind: 'grant', id: 7n, ttl: 5 }]);
        expect(lost).toEqual({ kind: 'moved' });
        expect(await appendAt(log, 9, [put(10, 0, 'b', '')])).toEqual({
          kind: 'moved',
        });
        expect(await log.changes(0, 1e6)).toEqual([put(2, 0, 'a', '1')]);
        const { state } = await again(store, log);
        expect(state).toMatchObject({ cursor: { revision: 2 }, leases: [], rows: 1 });
      });

      it('lets exactly one of two that overlap win', async () => {
        const { log } = await fresh();
        const results = await Promise.all([append(log, [put(2, 0, 'a', '1')]), append(log, [put(2, 0, 'b', '2')])]);
        expect(results.map((each) => each.kind).sort()).toEqual(['committed', 'moved']);
        expect(await log.changes(1, 1e6)).toHaveLength(1);
      });

      it('orders appends that overlap', async () => {
        const { log } = await fresh();
        const results = await Promise.all(
          Array.from({ length: 50 }, (_, i) => append(log, [put(i + 2, 0, 'a', `${i}`)])),
        );
        expect(results.every((each) => each.kind === 'committed')).toBe(true);
        expect(await log.head()).toBe(51);
      });

      it('keeps every byte of keys and values, and every number', async () => {
        const { store, log } = await fresh();
        const everyByte = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
        const big = new Uint8Array(150_000).map((_, i) => (i * 31) & 255);
        const changes: Change[] = [
          { ...put(2, 0, everyByte, ''), value: bytesOf(everyByte), version: 2 ** 40, createRevision: 2 },
          { ...put(2, 1, 'big', ''), value: big },
          { ...put(2, 2, 'lease+', 'x'), lease: 2n ** 63n - 1n },
          { ...put(2, 3, 'lease-', 'x'), lease: -(2n ** 63n) },
          { ...put(2, 4, 'lease-1', 'x'), lease: -1n },
          { ...put(2, 5, 'lease32', 'x'), lease: 2n ** 32n },
          { ...put(2, 6, 'lease53', 'x'), lease: 2n ** 53n + 1n },
        ];
        await append(log, changes);
        expect(await log.changes(1, 1)).toEqual(changes);
        expect(await log.rows(changes)).toEqual(changes);
        const { log: next } = await again(store, log);
        expect((await loadAll(next)).map((row) => row.lease)).toEqual(changes.map((change) => change.lease));
        expect(await next.rows(changes)).toEqual(changes);
      });

      it('reads keys and values before it returns', async () => {
        const { log } = await fresh();
        const value = bytesOf('before');
        const done = append(log, [{ ...put(2, 0, 'a', ''), value }]);
        value.fill(0);
        await done;
        expect(await log.rows([{ revision: 2, sub: 0 }])).toEqual([put(2, 0, 'a', 'before')]);
      });

      it('takes a transaction of many changes', async () => {
        const { log } = await fresh();
        const changes = Array.from({ length: 5_000 }, (_, i) => put(2, i, `key${i}`, `${i}`));
        await append(log, changes);
        expect(await log.changes(1, 1)).toEqual(changes);
      });
    });

    describe('leases', () => {
      it('are granted, noted down and revoked in the commit of their batch', async () => {
        const { store, log } = await fresh();
        await append(
          log,
          [{ ...put(2, 0, 'a', ''), lease: 5n }],
          [
            { kind: 'grant', id: 5n, ttl: 60 },
            { kind: 'grant', id: -(2n ** 63n), ttl: 9_000_000_000 },
            { kind: 'grant', id: 2n ** 63n - 1n, ttl: 1 },
          ],
        );
        const leaseOnly = await appendAt(
          log,
          2,
          [],
          [
            { kind: 'checkpoint', id: 5n, remainingTtl: 20 },
            { kind: 'checkpoint', id: 99n, remainingTtl: 20 },
            { kind: 'revoke', id: 2n ** 63n - 1n },
            { kind: 'revoke', id: 98n },
          ],
        );
        expect(leaseOnly).toEqual({ kind: 'committed' });
        expect(await log.head()).toBe(2);
        const { state } = await again(store, log);
        const expected: LeaseRecord[] = [
          { id: -(2n ** 63n), ttl: 9_000_000_000, remainingTtl: 9_000_000_000 },
          { id: 5n, ttl: 60, remainingTtl: 20 },
        ];
        expect(state.leases).toEqual(expected);
      });

      it('may be granted, revoked and granted again in one batch', async () => {
        const { store, log } = await fresh();
        await append(
          log,
          [],
          [
            { kind: 'grant', id: 5n, ttl: 60 },
            { kind: 'checkpoint', id: 5n, remainingTtl: 6 },
            { kind: 'revoke', id: 5n },
            { kind: 'grant', id: 5n, ttl: 30 },
          ],
        );
        const { state } = await again(store, log);
        expect(state.leases).toEqual([{ id: 5n, ttl: 30, remainingTtl: 30 }]);
      });
    });

    describe('changes', () => {
      it('gives whole transactions until about so many bytes', async () => {
        const { log } = await fresh();
        const all = [put(2, 0, 'a', '12345'), put(2, 1, 'b', '12345'), put(3, 0, 'c', '12345'), put(4, 0, 'd', '')];
        await append(log, all);
        expect(await log.changes(1, 1)).toEqual(all.slice(0, 2));
        expect(await log.changes(1, 12)).toEqual(all.slice(0, 2));
        expect(await log.changes(1, 13)).toEqual(all.slice(0, 3));
        expect(await log.changes(2, 1e9)).toEqual(all.slice(2));
        expect(await log.changes(4, 1e9)).toEqual([]);
        expect(await log.changes(1_000, 1e9)).toEqual([]);
      });

      it('does not cut a transaction of many rows', async () => {
        const { log } = await fresh();
        const all = Array.from({ length: 700 }, (_, i) => put(2, i, `k${i}`, 'v'));
        await append(log, [...all, put(3, 0, 'x', '')]);
        expect(await log.changes(1, 1)).toEqual(all);
        expect(await log.changes(0, 1e9)).toHaveLength(701);
      });

      it('passes over what was swept', async () => {
        const { log } = await fresh();
        await append(log, [put(2, 0, 'a', '1'), put(3, 0, 'a', '2'), put(4, 0, 'a', '3')]);
        await log.sweep([{ revision: 3, sub: 0 }]);
        expect((await log.changes(1, 1e9)).map((change) => change.revision)).toEqual([2, 4]);
      });
    });

    describe('rows', () => {
      it('are given in the order asked, with holes where there is none', async () => {
        const { log } = await fresh();
        const all = [put(2, 0, 'a', '1'), put(2, 1, 'b', ''), del(3, 0, 'a')];
        await append(log, all);
        const at = [all[2], all[0], { revision: 9, sub: 0 }, all[0], { revision: 2, sub: 2 }, all[1]] as Change[];
        expect(await log.rows(at)).toEqual([all[2], all[0], undefined, all[0], undefined, all[1]]);
        expect(await log.rows([])).toEqual([]);
        expect(await log.rows([{ revision: 1, sub: CHANGES_PER_TXN_MAX - 1 }])).toEqual([undefined]);
      });

      it('show what was committed, to every call made after', async () => {
        const { log } = await fresh();
        for (let revision = 2; revision < 60; revision++) {
          await append(log, [put(revision, 0, 'a', `${revision}`)]);
          expect(await log.rows([{ revision, sub: 0 }])).toEqual([put(revision, 0, 'a', `${revision}`)]);
          expect(await log.head()).toBe(revision);
        }
      });
    });

    describe('compact and sweep', () => {
      it('raise the horizon only, and remove no row', async () => {
        const { store, log } = await fresh();
        await append(log, [put(2, 0, 'a', '1'), put(3, 0, 'a', '2')]);
        await log.compact(3);
        await log.compact(2);
        expect(await log.changes(1, 1e9)).toHaveLength(2);
        const { state } = await again(store, log);
        expect(state).toMatchObject({ horizon: 3, cursor: { revision: 3 }, rows: 2 });
      });

      it('remove what is named and nothing else', async () => {
        const { store, log } = await fresh();
        await append(log, [put(2, 0, 'a', '1'), put(2, 1, 'b', '1'), put(3, 0, 'a', '2')]);
        await log.sweep([
          { revision: 2, sub: 0 },
          { revision: 2, sub: 7 },
          { revision: 50, sub: 0 },
        ]);
        await log.sweep([]);
        const { log: next } = await again(store, log);
        expect((await loadAll(next)).map(({ revision, sub }) => [revision, sub])).toEqual([
          [2, 1],
          [3, 0],
        ]);
      });

      it('keep the head when the newest rows are swept', async () => {
        const { store, log } = await fresh();
        await append(log, [put(2, 0, 'a', '1'), del(3, 0, 'a')]);
        await log.compact(3);
        await log.sweep([
          { revision: 2, sub: 0 },
          { revision: 3, sub: 0 },
        ]);
        expect(await log.head()).toBe(3);
        const { log: next, state } = await again(store, log);
        expect(state).toMatchObject({ cursor: { revision: 3 }, horizon: 3, rows: 0 });
        expect(await appendAt(next, 2, [put(3, 0, 'b', '')])).toEqual({
          kind: 'moved',
        });
        expect(await append(next, [put(4, 0, 'b', '')])).toEqual({ kind: 'committed' });
        expect(await next.head()).toBe(4);
      });
    });

    describe('space', () => {
      it('is counted and given back', async () => {
        const { log } = await fresh();
        const changes = Array.from({ length: 2_000 }, (_, i) => put(2, i, `key${i}`, noise(2_000)));
        await append(log, changes);
        const full = await log.size();
        expect(full.inUseBytes).toBeGreaterThanOrEqual(2_000 * 2_000);
        expect(full.totalBytes).toBeGreaterThanOrEqual(full.inUseBytes);
        for (let at = 0; at < changes.length; at += 1_000) await log.sweep(changes.slice(at, at + 1_000));
        let left = await log.vacuum(1_000_000);
        for (let round = 0; left > 0; round++) {
          expect(round).toBeLessThan(100);
          const next = await log.vacuum(1_000_000);
          expect(next).toBeLessThan(left);
          left = next;
        }
        const swept = await log.size();
        expect(swept.inUseBytes).toBeLessThan(full.inUseBytes / 4);
        expect(swept.totalBytes).toBeLessThan(full.totalBytes / 4);
        expect(await log.head()).toBe(2);
      });

      it('is given back whole by defragment, and the rows stay', async () => {
        const { store, log } = await fresh();
        const changes = Array.from({ length: 1_000 }, (_, i) => put(2, i, `key${i}`, noise(2_000)));
        await append(log, changes);
        const full = await log.size();
        await log.sweep(changes.slice(1));
        await log.defragment();
        const size = await log.size();
        // A server's files have a page or two more than what rows take.
        if (!isShared(log)) expect(size.inUseBytes).toBe(size.totalBytes);
        expect(size.totalBytes).toBeLessThan(full.totalBytes / 4);
        expect(await log.rows([{ revision: 2, sub: 0 }])).toEqual(changes.slice(0, 1));
        expect((await again(store, log)).state).toMatchObject({ cursor: { revision: 2 }, rows: 1 });
      });
    });

    describe('alarms', () => {
      it('stay until cleared', async () => {
        const { store, log } = await fresh();
        await log.alarm('nospace', true);
        await log.alarm('nospace', true);
        await log.alarm('corrupt', true);
        const { log: next, state } = await again(store, log);
        expect(state.alarms).toEqual(['corrupt', 'nospace']);
        await next.alarm('nospace', false);
        await next.alarm('nospace', false);
        expect((await again(store, next)).state.alarms).toEqual(['corrupt']);
      });
    });

    describe('snapshot', () => {
      it('streams as many bytes as it says, in chunks of at most 64 KiB, of one moment', async () => {
        const { log } = await fresh();
        await append(log, [put(2, 0, 'a', 'x'.repeat(300_000))]);
        const snapshot = await log.snapshot();
        await append(log, [put(3, 0, 'a', 'x'.repeat(300_000))]);
        let bytes = 0;
        for await (const chunk of snapshot.chunks) {
          expect(chunk.length).toBeLessThanOrEqual(65_536);
          bytes += chunk.length;
        }
        expect(bytes).toBe(snapshot.bytes);
        expect(bytes).toBeGreaterThan(300_000);
        expect(bytes).toBeLessThan(600_000 * 4);
      });

      it('may be broken off, or never begun', async () => {
        const { log } = await fresh();
        await append(log, [put(2, 0, 'a', 'x'.repeat(300_000))]);
        for await (const _ of (await log.snapshot()).chunks) break;
        await log.snapshot();
        await log.close();
      });
    });

    describe('close', () => {
      it('is idempotent, waits for what is under way, and refuses what comes after', async () => {
        const { store, log } = await fresh();
        const under = append(log, [put(2, 0, 'a', '1')]);
        await Promise.all([log.close(), log.close()]);
        expect(await under).toEqual({ kind: 'committed' });
        await expect(append(log, [put(3, 0, 'a', '1')])).rejects.toMatchObject({ name: 'LogError', code: 'closed' });
        await expect(log.head()).rejects.toMatchObject({ code: 'closed' });
        await expect(log.rows([])).rejects.toMatchObject({ code: 'closed' });
        await expect(log.compact(2)).rejects.toMatchObject({ code: 'closed' });
        await expect(log.snapshot()).rejects.toMatchObject({ code: 'closed' });
        expect((await again(store, log)).state.cursor.revision).toBe(2);
      });
    });
  });
}

const dice = new Random(7);

/** What no database can make smaller. */
function noise(bytes: number): string {
  return dice.bytes(bytes).toString('latin1');
}
