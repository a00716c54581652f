import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { logFor } from '../../src/log/engines.ts';
import { SqliteImport } from '../../src/log/sqlite/import.ts';
import { parseSqliteUrl } from '../../src/log/sqlite/options.ts';
import { copy } from '../../src/migrate/copy.ts';
import { LogImport } from '../../src/migrate/log-import.ts';
import { LogSource } from '../../src/migrate/log-source.ts';
import { Progress } from '../../src/migrate/progress.ts';
import type { Source } from '../../src/migrate/source.ts';
import { readBack } from '../../src/migrate/verify.ts';
import type { ImportSink } from '../../src/mvcc/import-sink.ts';
import { Store } from '../../src/mvcc/store.ts';
import type { Change } from '../../src/mvcc/types.ts';
import { put } from '../contract/changes.ts';
import { removeFolder, temporaryFolder } from '../support/temporary.ts';

const folder = temporaryFolder('engines');
afterAll(() => removeFolder(folder));
let count = 0;

function freshUrl(): string {
  count += 1;
  // Nothing here must survive a power cut, and a small write-ahead log is made quickly.
  return `sqlite://${folder}/${count}/kedge.db?synchronous=normal&wal_mib=1`;
}

/** Both ways to make a store: the engine's own, and append, which every engine has. */
const SINKS: Readonly<Record<string, (url: string) => ImportSink>> = {
  'the engine’s own import': (url) => new SqliteImport(parseSqliteUrl(url)),
  append: (url) => new LogImport(url),
};

async function copyTo(sink: ImportSink, from: string, history: boolean) {
  const source = new LogSource(from);
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

type Step = typeof write extends fc.Arbitrary<infer T> ? T : never;

async function perform(store: Store, step: Step): Promise<void> {
  const plain = { lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
  const putOf = (name: string, value: string) =>
    ({ kind: 'put', key: name, value: Buffer.from(value), ...plain }) as const;
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

describe.each(Object.entries(SINKS))('copying a store by %s', (_, sinkTo) => {
  it('keeps everything, whatever happened to it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(write, { minLength: 10, maxLength: 60, size: 'max' }), async (steps) => {
        const from = freshUrl();
        const store = new Store({ log: logFor(from), clock: systemClock, random: Math.random });
        await store.start();
        await store.leaseGrant(77n, 1000);
        for (const step of steps) await perform(store, step);
        const { hash } = await store.hashKv(0);
        const status = await store.status();
        await store.stop();

        const to = freshUrl();
        const copied = await copyTo(sinkTo(to), from, true);
        const { remarks, ...wanted } = copied;
        expect(await readBack(to)).toEqual(wanted);
        expect(wanted).toMatchObject({
          hash,
          head: status.revision,
          horizon: status.compactRevision,
          keys: status.keys,
          leases: 1,
        });

        const newest = freshUrl();
        const { remarks: _none, ...bare } = await copyTo(sinkTo(newest), from, false);
        expect(await readBack(newest)).toEqual(bare);
        expect(bare).toMatchObject({ head: status.revision, horizon: status.revision, keys: status.keys });

        // It is a store like any other, whose next revision is the next one.
        const again = new Store({ log: logFor(to), clock: systemClock, random: Math.random });
        await again.start();
        expect(again.alarms()).toEqual([]);
        const { revision } = await again.put({
          kind: 'put',
          key: 'z',
          value: Buffer.from('z'),
          lease: 77n,
          prevKv: false,
          ignoreValue: false,
          ignoreLease: false,
        });
        expect(revision).toBe(status.revision + 1);
        await again.stop();
      }),
      { numRuns: 5 },
    );
  });

  it('refuses a store that is there, and leaves it as it is', async () => {
    const [from, to] = [freshUrl(), freshUrl()];
    for (const url of [from, to]) {
      const log = logFor(url);
      await log.open();
      await log.append({ expectedHead: 1, changes: [put(2, 0, 'a', url)], leases: [] });
      await log.close();
    }
    const before = await readBack(to);
    await expect(copyTo(sinkTo(to), from, true)).rejects.toThrow(/already there|not empty/);
    expect(await readBack(to)).toEqual(before);
  });

  it('leaves nothing that could be taken for a store when it breaks off', async () => {
    const to = freshUrl();
    const source = new BreakingSource();
    const sink = sinkTo(to);
    await expect(copy(source, 0, sink, { history: true, progress: Progress.silent })).rejects.toThrow('the cable');
    const { file } = parseSqliteUrl(to);
    if (existsSync(file)) {
      // By append there is a file: it serves nobody, and no second import goes on top of it.
      const store = new Store({ log: logFor(to), clock: systemClock, random: Math.random });
      await store.start();
      expect(store.alarms()).toEqual(['corrupt']);
      await store.stop();
      const again = copy(new BreakingSource(), 0, sinkTo(to), { history: true, progress: Progress.silent });
      await expect(again).rejects.toThrow(/left of an import that broke off/);
    } else {
      expect(readdirSync(join(file, '..')).filter((name) => name.includes('importing'))).toEqual([]);
    }
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
    return { head: 9001, leases: [], remarks: [] };
  }

  async *changes(): AsyncIterable<readonly Change[]> {
    yield this.#changes.slice(0, 4500);
    yield this.#changes.slice(4500, 8500);
    throw new Error('the cable was pulled');
  }

  async close(): Promise<void> {}
}
