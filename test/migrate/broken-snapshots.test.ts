import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { SqliteImport } from '../../src/log/sqlite/import.ts';
import { parseSqliteUrl } from '../../src/log/sqlite/options.ts';
import { BboltWriter } from '../../src/migrate/bbolt/writer.ts';
import { copy } from '../../src/migrate/copy.ts';
import { revisionKey } from '../../src/migrate/etcd/revision-key.ts';
import { EtcdSnapshotSource } from '../../src/migrate/etcd/snapshot-source.ts';
import { Progress } from '../../src/migrate/progress.ts';
import { encodeKeyValue } from '../../src/mvcc/key-value.ts';
import { removeFolder, temporaryFolder } from '../support/temporary.ts';
import { kedge, TIMEOUT_MS } from './command.ts';

vi.setConfig({ testTimeout: TIMEOUT_MS, hookTimeout: TIMEOUT_MS });

const folder = temporaryFolder('broken');
afterAll(() => removeFolder(folder));
const snapshot = join(folder, 'snapshot.db');
const store = join(folder, 'store', 'kedge.db');
const VALUE = Buffer.from('value');

type Entry = readonly [key: Uint8Array, value: Uint8Array];

function write(buckets: Readonly<Record<string, readonly Entry[]>>): void {
  rmSync(snapshot, { force: true });
  const writer = new BboltWriter(snapshot);
  for (const [name, entries] of Object.entries(buckets)) {
    writer.begin(name);
    const sorted = [...new Map(entries.map(([key, value]) => [Buffer.from(key).toString('latin1'), value]))].sort();
    for (const [key, value] of sorted) if (key !== '') writer.put(Buffer.from(key, 'latin1'), value);
    writer.end();
  }
  writer.finish();
  writer.close();
}

async function restore(): Promise<void> {
  const source = new EtcdSnapshotSource(snapshot);
  try {
    const { horizon } = await source.open();
    const sink = new SqliteImport(parseSqliteUrl(`sqlite://${store}`));
    await copy(source, horizon, sink, { history: true, progress: Progress.silent });
  } finally {
    await source.close();
  }
}

const row = (revision: number, key = 'a', create = revision, version = 1): Entry => [
  revisionKey({ revision, sub: 0 }),
  encodeKeyValue(key, create, revision, version, VALUE, 0n),
];

describe('snapshots that are whole as files and broken within', () => {
  it.each([
    ['no bucket of keys', { meta: [] }, /no bucket "key"/],
    ['a key that is no revision', { key: [[Buffer.from('x'), VALUE] as Entry] }, /an entry that is no revision/],
    ['a value that is no message', { key: [[revisionKey({ revision: 2, sub: 0 }), VALUE] as Entry] }, /revision 2: /],
    ['a row that says it is another', { key: [[row(5)[0], row(6)[1]] as Entry] }, /mod_revision 6/],
    ['a key born after its change', { key: [row(5, 'a', 9)] }, /create_revision 9/],
    ['a version of zero', { key: [row(5, 'a', 5, 0)] }, /version 0/],
    ['a revision beyond the log', { key: [row(2 ** 42)] }, /beyond what a log can hold/],
    [
      'a change beyond a transaction',
      { key: [[revisionKey({ revision: 2, sub: 2 ** 22 }), row(2)[1]] as Entry] },
      /2\.4194304 is beyond/,
    ],
    [
      'a lease without a TTL',
      { key: [row(2)], lease: [[Buffer.alloc(8, 1), Buffer.from([8, 1])] as Entry] },
      /TTL of 0/,
    ],
    ['a lease that is no message', { key: [row(2)], lease: [[Buffer.alloc(8, 1), VALUE] as Entry] }, /a lease: /],
    [
      'a compaction nobody can reach',
      {
        key: [row(2)],
        meta: [[Buffer.from('finishedCompactRev'), revisionKey({ revision: 2 ** 50, sub: 0 })] as Entry],
      },
      /compacted at/,
    ],
  ])('with %s are refused, and nothing is written', async (_, buckets, message) => {
    write(buckets);
    await expect(restore()).rejects.toThrow(message);
    expect(existsSync(store)).toBe(false);
  });

  it('whatever is in them, give a Failure and no store, or a store', async () => {
    const bytes = fc.uint8Array({ maxLength: 40 });
    const entry = fc.oneof(
      fc.tuple(fc.nat({ max: 9 }), fc.constantFrom('a', 'b')).map(([at, key]): Entry => row(at + 1, key, 1, 1)),
      fc.tuple(fc.nat({ max: 9 }), bytes).map(([at, value]): Entry => [revisionKey({ revision: at, sub: 0 }), value]),
      fc
        .nat({ max: 9 })
        .map(
          (at): Entry => [
            revisionKey({ revision: at, sub: 1, kind: 'delete' }),
            encodeKeyValue('a', 0, 0, 0, new Uint8Array(0), 0n),
          ],
        ),
      { weight: 1, arbitrary: fc.tuple(bytes, bytes).map(([key, value]): Entry => [key, value]) },
    );
    const meta = fc.constantFrom('finishedCompactRev', 'scheduledCompactRev', 'other');
    let refused = 0;
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(entry, { maxLength: 6 }),
        fc.array(fc.tuple(bytes, bytes), { maxLength: 2 }),
        fc.option(
          fc.tuple(
            meta,
            fc.oneof(
              bytes,
              fc.nat({ max: 12 }).map((at) => revisionKey({ revision: at, sub: 0 })),
            ),
          ),
          { nil: undefined },
        ),
        async (key, lease, compaction) => {
          write({ key, lease, meta: compaction === undefined ? [] : [[Buffer.from(compaction[0]), compaction[1]]] });
          try {
            await restore();
            taken += 1;
            rmSync(store);
          } catch (error) {
            refused += 1;
            expect((error as Error).name, String((error as Error).stack)).toBe('Failure');
          }
          const left = existsSync(join(store, '..')) ? readdirSync(join(store, '..')) : [];
          expect(left.filter((name) => !name.endsWith('.lock'))).toEqual([]);
        },
      ),
      { numRuns: 150 },
    );
    expect(Math.min(refused, taken)).toBeGreaterThan(5);
  });
});

describe('files that are no snapshots', () => {
  it('are told for what they are', async () => {
    mkdirSync(join(folder, 'dir'));
    write({ key: [row(2)] });
    const to = ['--data-dir', join(folder, 'never')];
    expect(await kedge(['snapshot', 'restore', snapshot, ...to], 1)).toContain('has no digest');
    expect(await kedge(['snapshot', 'restore', join(folder, 'dir'), ...to], 1)).toContain('is not a file');
    expect(await kedge(['snapshot', 'restore', process.execPath, ...to], 1)).toContain('is not a snapshot');
    expect(await kedge(['snapshot', 'status', process.execPath], 1)).toContain('a snapshot of neither');
    expect(existsSync(join(folder, 'never'))).toBe(false);
    expect(await kedge(['snapshot', 'restore', snapshot, ...to, '--skip-hash-check'])).toContain('revision 2, 1 keys');
  });
});
