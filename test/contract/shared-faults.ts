import { afterEach, describe, expect, it } from 'vitest';
import { type AppendBatch, type AppendResult, LogError, type SharedLog } from '../../src/mvcc/log.ts';
import type { Cursor } from '../../src/mvcc/types.ts';
import { cursorAfter } from '../support/commit-chain.ts';
import { Random, seedOf } from '../support/random.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { put } from './changes.ts';
import { allNews, batchAt, expectNoGap } from './shared-contract.ts';

/** A shared store on a server that is reached over TCP. */
export interface RemoteStoreUnderTest {
  /** Where the server listens on 127.0.0.1. */
  readonly port: number;
  /** A Log of this store that nobody has opened, over this port of 127.0.0.1. Its calls end after a second or two. */
  logOver(port: number): SharedLog;
}

const ROUNDS = Number(process.env['KEDGE_FAULT_ROUNDS'] ?? 240);

/** What must hold of an append whose connection is cut at any byte of it, and of one that arrives too late. */
export function sharedFaults(engine: string, create: () => Promise<RemoteStoreUnderTest>): void {
  describe(`faults on the way to ${engine}`, () => {
    const closing: (() => Promise<void>)[] = [];

    afterEach(async () => {
      for (const close of closing.splice(0).reverse()) await close();
    });

    /** One replica whose wire can be cut, another that sees what became of it. */
    async function wired() {
      const store = await create();
      const proxy = await TcpProxy.start(store.port);
      closing.push(() => proxy.stop());
      const direct = store.logOver(store.port);
      const cut = store.logOver(proxy.port);
      for (const log of [direct, cut]) closing.push(() => log.close());
      const { cursor } = await direct.open();
      await cut.open();
      return { proxy, direct, cut, start: cursor };
    }

    it(`never tells the fate of an append wrongly (${ROUNDS} cuts)`, async () => {
      const random = new Random(seedOf(20_261_126));
      const { proxy, direct, cut, start } = await wired();
      const told = { committed: 0, settledTrue: 0, settledFalse: 0, unavailable: 0 };
      const values: string[] = [];
      let at = start;
      // How many bytes an append takes on the wire, once statements are prepared.
      let appendBytes = 600;
      for (let round = 0; round < ROUNDS; round++) {
        const value = `round ${round} `.repeat(random.between(1, 40));
        const batch = batchAt(
          at,
          [put(at.revision + 1, 0, 'k', value)],
          [{ kind: 'grant', id: BigInt(round + 1), ttl: 60 }],
        );
        const before = proxy.upBytes;
        const where = random.below(4);
        if (where < 2) proxy.cutUpAfter(random.below(Math.ceil(appendBytes * 1.1)));
        else if (where === 2) proxy.cutDownAfter(random.below(60));
        else if (round % 8 === 0) proxy.cutAll();
        const outcome = await fateOf(cut, batch);
        if (outcome === 'committed' && where === 3) appendBytes = proxy.upBytes - before;
        proxy.disarm();
        told[outcome] += 1;
        const isDone = outcome === 'committed' || outcome === 'settledTrue';
        if (isDone) values.push(value);
        const news = await allNews(direct, at);
        expect(
          news.changes.map((change) => change.value.length),
          `round ${round}, seed ${random.seed}: ${outcome}`,
        ).toEqual(isDone ? [value.length] : []);
        at = news.cursor;
      }
      console.log(`${engine}: fates of ${ROUNDS} appends, seed ${random.seed}:`, JSON.stringify(told));
      const { changes, cursor } = await allNews(direct, start);
      expect(changes.map(({ value }) => Buffer.from(value).toString('latin1'))).toEqual(values);
      expectNoGap(changes, start.revision, cursor.revision);
      // All of it happened, else this proved little.
      expect(told.settledFalse).toBeGreaterThan(0);
      expect(told.settledTrue).toBeGreaterThan(0);
      expect(told.committed).toBeGreaterThan(0);
    }, 300_000);

    it('never does an append that arrives after its end was told', async () => {
      const { proxy, direct, cut, start } = await wired();
      let at = start;
      for (let round = 0; round < 25; round++) {
        at = await commitAt(cut, at, `before ${round}`);
        const stale = batchAt(at, [put(at.revision + 1, 0, 'k', 'stale')]);
        const next = batchAt(cursorAfter(stale), [put(at.revision + 2, 0, 'k', 'stale too')]);
        proxy.hold();
        const results = [cut.append(stale), cut.append(next)].map((each) => each.then(nameOf, nameOf));
        while (proxy.heldBytes === 0) await pause(1);
        await pause(1);
        proxy.dropHeldClients();
        // The second one may have left with the first, or waited for its answer.
        const [first, second] = await Promise.all(results);
        expect(first).toBe('ambiguous');
        expect(['ambiguous', 'unavailable']).toContain(second);
        expect(await settled(cut, stale)).toBe(false);
        expect(await settled(cut, next)).toBe(false);
        // Others may go on before it comes, or not.
        if (round % 2 === 0) at = await commitAt(direct, (await allNews(direct, at)).cursor, `other ${round}`);
        expect(await proxy.releaseHeld()).toBeGreaterThan(0);
        await pause(5);
        const { changes, cursor } = await allNews(direct, start);
        expect(changes.filter(({ value }) => Buffer.from(value).toString().startsWith('stale'))).toEqual([]);
        at = cursor;
      }
    }, 120_000);

    it('waits for an append that the server is doing, before it tells its end', async () => {
      const { proxy, direct, cut, start } = await wired();
      let at = start;
      for (let round = 0; round < 25; round++) {
        at = await commitAt(cut, at, `before ${round}`);
        const batch = batchAt(
          at,
          Array.from({ length: 400 }, (_, i) => put(at.revision + 1, i, `k${i}`, 'x'.repeat(500))),
        );
        // The server has all of it and is at work when the answer's way is cut.
        proxy.cutDownAfter(0);
        const result = cut.append(batch).then(nameOf, nameOf);
        await pause(round % 5);
        proxy.cutAll();
        const name = await result;
        const isDone = name === 'committed' || (name === 'ambiguous' && (await settled(cut, batch)));
        proxy.disarm();
        const { changes, cursor } = await allNews(direct, at);
        expect(changes).toHaveLength(isDone ? 400 : 0);
        at = cursor;
      }
    }, 120_000);

    it('fails fast while the server is away, and is there again when it is back', async () => {
      const { proxy, cut, start } = await wired();
      const one = await commitAt(cut, start, 'before');
      proxy.refuse(true);
      proxy.cutAll();
      const batch = batchAt(one, [put(3, 0, 'k', 'after')]);
      // It takes some calls that waited in vain.
      for (let i = 0; i < 6; i++) {
        await expect(cut.head()).rejects.toMatchObject({ name: 'LogError', code: 'unavailable' });
      }
      expect(nameOf(await cut.append(batch).catch((error: unknown) => error))).toBe('unavailable');
      expect((await cut.health()).problem).toMatch(/127\.0\.0\.1/);
      proxy.refuse(false);
      for (let attempt = 0; ; attempt++) {
        const head = await cut.head().catch(() => undefined);
        if (head !== undefined) break;
        if (attempt > 200) throw new Error('the breaker does not close');
        await pause(50);
      }
      expect(await cut.append(batch)).toEqual({ kind: 'committed' });
      expect((await cut.health()).problem).toBe(undefined);
    }, 60_000);

    it('gives up on a server that does not answer, and finds out later', async () => {
      const { proxy, direct, cut, start } = await wired();
      const one = await commitAt(cut, start, 'before');
      proxy.pause();
      const batch = batchAt(one, [put(3, 0, 'k', 'held')]);
      const [append, head] = await Promise.all([
        cut.append(batch).then(nameOf, nameOf),
        cut.head().then(String, nameOf),
      ]);
      expect(append).toBe('ambiguous');
      expect(head).toBe('unavailable');
      proxy.resume();
      const isDone = await settled(cut, batch);
      await pause(200);
      expect(await direct.changes(one.revision, 1e6)).toHaveLength(isDone ? 1 : 0);
    }, 60_000);

    it('is slow when the way is long, and nothing else', async () => {
      const { proxy, cut, start } = await wired();
      let at = await commitAt(cut, start, 'warm');
      await cut.news(at, 1e6);
      await cut.append(batchAt(start, []));
      proxy.delayMs = 20;
      proxy.turns = 0;
      for (let i = 0; i < 5; i++) at = await commitAt(cut, at, `${i}`);
      expect(proxy.turns, 'round trips of five appends').toBe(5);
      proxy.turns = 0;
      for (let i = 0; i < 5; i++) await cut.news(at, 1e6);
      expect(proxy.turns, 'round trips of five news').toBe(5);
    }, 60_000);
  });
}

type Fate = 'committed' | 'settledTrue' | 'settledFalse' | 'unavailable';

async function fateOf(log: SharedLog, batch: AppendBatch): Promise<Fate> {
  const name = await log.append(batch).then(nameOf, nameOf);
  if (name === 'committed' || name === 'unavailable') return name;
  if (name !== 'ambiguous') throw new Error(`append: ${name}`);
  return (await settled(log, batch)) ? 'settledTrue' : 'settledFalse';
}

/** Asks until it can be told. */
async function settled(log: SharedLog, batch: AppendBatch): Promise<boolean> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await log.settle(batch);
    } catch (error) {
      if (!(error instanceof LogError) || error.code !== 'ambiguous' || attempt > 400) throw error;
      await pause(25);
    }
  }
}

async function commitAt(log: SharedLog, at: Cursor, value: string): Promise<Cursor> {
  const batch = batchAt(at, [put(at.revision + 1, 0, 'k', value)]);
  for (let attempt = 0; ; attempt++) {
    const result = await log.append(batch).then(nameOf, nameOf);
    if (result === 'committed') return cursorAfter(batch);
    // The connection that was cut may be found out only now.
    if (result === 'ambiguous' && (await settled(log, batch))) return cursorAfter(batch);
    if (result !== 'unavailable' || attempt > 100) throw new Error(`append: ${result}`);
    await pause(20);
  }
}

function nameOf(result: AppendResult | number | unknown): string {
  if (result instanceof LogError) return result.code;
  if (typeof result === 'object' && result !== null && 'kind' in result) return String(result.kind);
  return result instanceof Error ? `${result.name}: ${result.message}` : String(result);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
