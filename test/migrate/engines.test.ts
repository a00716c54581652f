import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { logFor } from '../../src/log/engines.ts';
import { parseSqliteUrl } from '../../src/log/sqlite/options.ts';
import { copy } from '../../src/migrate/copy.ts';
import { LogSource } from '../../src/migrate/log-source.ts';
import { Progress } from '../../src/migrate/progress.ts';
import { SharedStoreSource } from '../../src/migrate/shared-store-source.ts';
import { sinkFor } from '../../src/migrate/sink-for.ts';
import type { Source } from '../../src/migrate/source.ts';
import { readBack } from '../../src/migrate/verify.ts';
import type { ImportSink } from '../../src/mvcc/import-sink.ts';
import type { PutRequest } from '../../src/mvcc/requests.ts';
import { Store } from '../../src/mvcc/store.ts';
import type { Change } from '../../src/mvcc/types.ts';
import { put } from '../contract/changes.ts';
import { hasMariadb, MariadbServer } from '../support/mariadb.ts';
import { hasPostgres, PostgresServer } from '../support/postgres.ts';
import { removeFolder, temporaryFolder } from '../support/temporary.ts';
import { TIMEOUT_MS } from './command.ts';

vi.setConfig({ testTimeout: TIMEOUT_MS, hookTimeout: TIMEOUT_MS });

const folder = temporaryFolder('engines');
afterAll(() => removeFolder(folder));
let count = 0;

/** Nothing here must survive a power cut, and a small write-ahead log is made quickly. */
function freshFile(): string {
  count += 1;
  return `sqlite://${folder}/${count}/kedge.db?synchronous=normal&wal_mib=1`;
}

/** The engines that can be imported into: the embedded one by a file of its own, shared ones by append. */
interface Engine {
  readonly name: string;
  readonly there: boolean;
  start(): Promise<{ fresh(): string; dispose(): Promise<void> }>;
}

const ENGINES: readonly Engine[] = [
  { name: 'SQLite', there: true, start: async () => ({ fresh: freshFile, dispose: async () => undefined }) },
  {
    name: 'PostgreSQL',
    there: hasPostgres(),
    async start() {
      const server = await PostgresServer.start();
      return { fresh: () => server.url(server.freshDatabase()), dispose: () => server.dispose() };
    },
  },
  {
    name: 'MariaDB',
    there: hasMariadb(),
    async start() {
      const server = await MariadbServer.start();
      return { fresh: () => server.url(server.freshDatabase()), dispose: () => server.dispose() };
    },
  },
];

/** Reads a store of any engine as a source. */
function sourceOf(url: string): Source {
  return url.startsWith('sqlite:') ? new LogSource(url) : new SharedStoreSource(url, folder);
}

async function copyTo(sink: ImportSink, from: string, history: boolean) {
  const source = sourceOf(from);
  try {
    const { horizon } = await source.open();
    return await copy(source, horizon, sink, { history, progress: Progress.silent });
  } finally {
    await source.close();
  }
}

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e\xff');
const write = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('put' as const), key, value: fc.string({ maxLength: 9 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), key, all: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('txn' as const), keys: fc.uniqueArray(key, { minLength: 1 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('compact' as const), back: fc.nat({ max: 4 }) }) },
);

function putOf(name: string, value: string): PutRequest {
  const plain = { lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
  return { kind: 'put', key: name, value: Buffer.from(value), ...plain };
}

type Step = typeof write extends fc.Arbitrary<infer T> ? T : never;

function storeAt(url: string): Store {
  return new Store({ log: logFor(url), clock: systemClock, random: Math.random, replica: 'test' });
}

async function perform(store: Store, step: Step): Promise<void> {
  if (step.kind === 'put') await store.put(putOf(step.key, step.value));
  else if (step.kind === 'delete') {
    await store.deleteRange({ kind: 'delete', key: step.key, end: step.all ? '\0' : '', prevKv: false });
  } else if (step.kind === 'txn') {
    await store.txn({ kind: 'txn', compare: [], success: step.keys.map((one) => putOf(one, 'txn')), failure: [] });
  } else {
    const revision = store.revision - step.back;
    if (revision > store.compactRevision && revision > 1) await store.compact(revision, true);
  }
}

describe.each(ENGINES)('a store copied into $name', ({ there, start }) => {
  const test = it.skipIf(!there);
  let server: Awaited<ReturnType<Engine['start']>> | undefined;
  beforeAll(async () => {
    if (there) server = await start();
  });
  afterAll(async () => {
    await server?.dispose();
  });
  const fresh = (): string => server?.fresh() ?? '';

  test('keeps everything, whatever happened to it, and so does the way back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(write, { minLength: 10, maxLength: 60, size: 'max' }), async (steps) => {
        const from = freshFile();
        const store = storeAt(from);
        await store.start();
        await store.leaseGrant(77n, 1000);
        for (const step of steps) await perform(store, step);
        const { hash } = await store.hashKv(0);
        const status = await store.status();
        await store.stop();

        const to = fresh();
        const { remarks, ...wanted } = await copyTo(sinkFor(to), from, true);
        expect(await readBack(to)).toEqual(wanted);
        const { revision: head, compactRevision: horizon, keys } = status;
        expect(wanted).toMatchObject({ hash, head, horizon, keys, leases: 1 });
        const back = freshFile();
        expect(await copyTo(sinkFor(back), to, true)).toEqual({ remarks, ...wanted });

        const newest = fresh();
        const { remarks: _, ...bare } = await copyTo(sinkFor(newest), from, false);
        expect(await readBack(newest)).toEqual(bare);
        expect(bare).toMatchObject({ head, horizon: head, keys });

        // It is a store like any other, whose next revision is the next one.
        const again = storeAt(to);
        await again.start();
        expect(again.alarms()).toEqual([]);
        expect((await again.put(putOf('z', 'z'))).revision).toBe(head + 1);
        expect(await again.leaseTimeToLive(77n, false)).toMatchObject({ grantedTtl: 1000 });
        await again.compact(head + 1, true);
        await again.stop();
      }),
      // Each run makes five stores.
      { numRuns: 3, endOnFailure: true },
    );
  });

  test('is not made where one is, which stays as it is', async () => {
    const [from, to] = [freshFile(), fresh()];
    for (const url of [from, to]) {
      const store = storeAt(url);
      await store.start();
      await store.put(putOf('a', url));
      await store.stop();
    }
    const before = await readBack(to);
    await expect(copyTo(sinkFor(to), from, true)).rejects.toThrow(/already there|not empty/);
    expect(await readBack(to)).toEqual(before);
  });

  test('is not taken for one when it breaks off', async () => {
    const to = fresh();
    const copying = copy(new BreakingSource(), 0, sinkFor(to), { history: true, progress: Progress.silent });
    await expect(copying).rejects.toThrow('the cable');
    if (to.startsWith('sqlite:')) {
      const { file } = parseSqliteUrl(to);
      expect(existsSync(file)).toBe(false);
      expect(readdirSync(join(file, '..')).filter((name) => name.includes('importing'))).toEqual([]);
      return;
    }
    // In a database there is something: it serves nobody, and no second import goes on top of it.
    const store = storeAt(to);
    await store.start();
    expect(store.alarms()).toEqual(['corrupt']);
    await store.stop();
    const again = copy(new BreakingSource(), 0, sinkFor(to), { history: true, progress: Progress.silent });
    await expect(again).rejects.toThrow(/left of an import that broke off/);
  });
});

/** Breaks off in the middle of the second pass. */
class BreakingSource implements Source {
  readonly name = 'breaking';
  readonly #changes = Array.from({ length: 9000 }, (_, i): Change => put(i + 2, 0, `k${i}`, 'v'));

  async open() {
    return { description: 'breaking', horizon: 0, rows: undefined };
  }

  async survey(visit: (row: Change) => void) {
    for (const change of this.#changes) visit(change);
    return { head: 9001, leases: [], records: [], remarks: [] };
  }

  async *changes(): AsyncIterable<readonly Change[]> {
    yield this.#changes.slice(0, 4500);
    yield this.#changes.slice(4500, 8500);
    throw new Error('the cable was pulled');
  }

  async close(): Promise<void> {}
}
