import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { copy } from '../../src/migrate/copy.ts';
import { KineSource } from '../../src/migrate/kine/kine-source.ts';
import { KineSqlite } from '../../src/migrate/kine/sqlite.ts';
import { NullSink } from '../../src/migrate/null-sink.ts';
import { Progress } from '../../src/migrate/progress.ts';
import { EtcdClient } from '../support/client.ts';
import { startKedge } from '../support/kedge.ts';
import { hasMariadb, MariadbServer } from '../support/mariadb.ts';
import { hasPostgres, PostgresServer } from '../support/postgres.ts';
import { removeFolder, temporaryFolder } from '../support/temporary.ts';
import { kedge, storeUrl, TIMEOUT_MS } from './command.ts';
import { COMPACT, type KineDialect, KineTable, SCHEMAS } from './kine-table.ts';

vi.setConfig({ testTimeout: TIMEOUT_MS, hookTimeout: TIMEOUT_MS });

const folder = temporaryFolder('kine');
afterAll(() => removeFolder(folder));

interface Opened {
  readonly from: string;
  readonly table: KineTable;
  run(sql: string, values: readonly unknown[]): Promise<readonly Record<string, unknown>[]>;
  close(): Promise<void>;
}

function openSqlite(file: string): Opened {
  const db = new Database(file);
  const run: KineDialect['run'] = async (sql, values) => {
    const statement = db.prepare(sql);
    if (statement.reader) return statement.all(...values) as Record<string, unknown>[];
    statement.run(...values);
    return [];
  };
  const table = new KineTable({ schema: SCHEMAS.sqlite, compact: COMPACT.sqlite, run });
  return { from: file, table, run, close: async () => void db.close() };
}

async function openPostgres(url: string): Promise<Opened> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const run: KineDialect['run'] = async (sql, values) => {
    let n = 0;
    const typed = ['text', 'int', 'int', 'bigint', 'bigint', 'int', 'bytea', 'bigint'];
    const isInsert = sql.includes('SELECT ?');
    const numbered = sql.replace(/\?/g, () => `$${++n}${isInsert ? `::${typed[n - 1]}` : ''}`);
    return (await client.query<Record<string, unknown>>(numbered, [...values])).rows;
  };
  const table = new KineTable({ schema: SCHEMAS.postgres, compact: COMPACT.postgres, run });
  return { from: url, table, run, close: () => client.end() };
}

async function openMysql(url: string): Promise<Opened> {
  const connection = await mysql.createConnection(url);
  const run: KineDialect['run'] = async (sql, values) => {
    const [rows] = await connection.query(sql, [...values]);
    return Array.isArray(rows) ? (rows as Record<string, unknown>[]) : [];
  };
  const table = new KineTable({ schema: SCHEMAS.mysql, compact: COMPACT.mysql, run });
  return { from: url, table, run, close: () => connection.end() };
}

/** The same life in each of them. Answers revisions worth asking for. */
async function live(table: KineTable): Promise<{ readonly before: number; readonly compacted: number }> {
  await table.make();
  await table.create('/registry/pods/a', 'a1');
  await table.create('/registry/pods/b', 'b1');
  await table.update('/registry/pods/a', 'a2');
  await table.gap();
  await table.create('/registry/events/e', 'e1', 3600);
  await table.delete('/registry/pods/b');
  await table.update('/registry/pods/a', 'a3');
  const compacted = await table.head();
  await table.create('/registry/pods/b', 'b2');
  await table.gap();
  await table.hole();
  await table.create('compact_rev_key_apiserver', '3|17');
  await table.update('compact_rev_key_apiserver', '4|19');
  await table.update('/registry/pods/a', 'a4');
  await table.compact(compacted);
  const before = await table.head();
  await table.delete('/registry/pods/a');
  await table.create('/registry/leases/l', 'l1', 15);
  await table.update('/registry/pods/b', 'b3');
  // Ends with revisions at which nothing happened.
  await table.gap();
  return { before, compacted };
}

interface Shown {
  readonly [key: string]: readonly [value: string, create: number, mod: number, version: number, lease: string];
}

async function shown(client: EtcdClient, revision = 0): Promise<Shown> {
  const all = { key: Buffer.from('\0'), range_end: Buffer.from('\0'), revision };
  const { kvs } = await client.call('KV/Range', all);
  return Object.fromEntries(
    kvs.map((kv) => [
      String(kv.key),
      [String(kv.value), Number(kv.create_revision), Number(kv.mod_revision), Number(kv.version), kv.lease] as const,
    ]),
  );
}

/** A database of each kind, and where it is; `dispose` takes all of it away. */
interface Made {
  readonly opened: Opened;
  dispose(): Promise<void>;
}

const DATABASES: readonly { name: string; there: boolean; make(folder: string): Promise<Made> }[] = [
  {
    name: 'SQLite',
    there: true,
    make: async (here) => ({ opened: openSqlite(join(here, 'state.db')), dispose: async () => undefined }),
  },
  {
    name: 'PostgreSQL',
    there: hasPostgres(),
    async make() {
      const server = await PostgresServer.start({ settings: { fsync: 'off' } });
      const url = server.url('postgres').replace('kedge@', 'kedge:none@');
      return { opened: await openPostgres(url), dispose: () => server.dispose() };
    },
  },
  {
    name: 'MariaDB',
    there: hasMariadb(),
    async make() {
      const server = await MariadbServer.start({ settings: { 'innodb-flush-log-at-trx-commit': '0' } });
      await server.query('CREATE DATABASE kine');
      return { opened: await openMysql(server.url('kine')), dispose: () => server.dispose() };
    },
  },
];

describe.each(DATABASES)('a kine on $name', ({ name, there, make }) => {
  const test = it.skipIf(!there);
  const here = join(folder, name);
  let made: Made | undefined;
  let opened: Opened | undefined;
  beforeAll(async () => {
    if (!there) return;
    mkdirSync(here);
    made = await make(here);
    opened = made.opened;
  });
  afterAll(async () => {
    await opened?.close();
    await made?.dispose();
  });

  test('moves with its revisions, gaps dropped, TTLs kept', async () => {
    if (opened === undefined) throw new Error('no database');
    const { table, from } = opened;
    const { before, compacted } = await live(table);
    const head = await table.head();
    const output = await kedge(['migrate', '--from', from, '--to', storeUrl(join(here, 'history')), '--history']);
    expect(output).toContain('gap rows are dropped');
    expect(output).toContain('keys with a TTL (15 s, 3600 s) live that long again');
    expect(output).not.toContain(':none@');
    const moved = await startKedge({ dataDir: join(here, 'history') });
    const client = new EtcdClient(moved.endpoint);
    const newest: Shown = {
      '/registry/events/e': ['e1', 6, 6, 1, '3600'],
      '/registry/leases/l': ['l1', before + 2, before + 2, 1, '15'],
      '/registry/pods/b': ['b3', 9, before + 3, 2, '0'],
      compact_rev_key: ['19', 12, 13, 4, '0'],
    };
    expect(await shown(client)).toEqual(newest);
    expect(await shown(client, before)).toMatchObject({
      // Compaction took its beginning: at least its second version, and two more.
      '/registry/pods/a': ['a4', 2, before, 3, '0'],
      '/registry/pods/b': ['b2', 9, 9, 1, '0'],
    });
    await expect(shown(client, compacted - 1)).rejects.toThrow(/compacted/);
    const { header } = await client.call('KV/Put', { key: Buffer.from('next'), value: Buffer.from('x') });
    expect(Number(header?.revision)).toBe(head + 1);

    // A watch across the gaps tells each event once, in order.
    const watch = client.stream('Watch/Watch');
    watch.send({
      create_request: { key: Buffer.from('\0'), range_end: Buffer.from('\0'), start_revision: compacted + 1 },
    });
    const revisions: number[] = [];
    while (revisions.at(-1) !== head + 1) {
      for (const event of (await watch.take()).events) revisions.push(Number(event.kv?.mod_revision));
    }
    expect(revisions).toEqual([9, 12, 13, before, before + 1, before + 2, before + 3, head + 1]);
    watch.cancel();
    client.close();
    await moved.stop();

    await kedge(['migrate', '--from', from, '--to', storeUrl(join(here, 'newest'))]);
    const bare = await startKedge({ dataDir: join(here, 'newest') });
    const bareClient = new EtcdClient(bare.endpoint);
    expect(await shown(bareClient)).toEqual(newest);
    await expect(shown(bareClient, head - 1)).rejects.toThrow(/compacted/);
    bareClient.close();
    await bare.stop();

    // And on to a real etcd's file.
    expect(await kedge(['snapshot', 'export', join(here, 'etcd.db'), '--from', from])).toContain(`revision ${head}`);
  });

  test('with a broken row is refused by its number, and nothing is written', async () => {
    if (opened === undefined) throw new Error('no database');
    const { run, from } = opened;
    const store = join(here, 'broken', 'kedge.db');
    await run(
      `INSERT INTO kine(id, name, created, deleted, create_revision, prev_revision, lease, value)
      VALUES(900, '', 1, 0, 0, 900, 0, NULL)`,
      [],
    );
    const output = await kedge(['migrate', '--from', from, '--to', storeUrl(join(here, 'broken'))], 1);
    expect(output).toContain('row 900: its name is 0 bytes long');
    expect(existsSync(store)).toBe(false);
    await run('DELETE FROM kine WHERE id = 900', []);
  });

  if (name === 'MariaDB') {
    test('takes keys that differ by case alone for what kine took them', async () => {
      if (opened === undefined) throw new Error('no database');
      const { table, from } = opened;
      await table.create('/Case/One', '1');
      expect(await table.create('/case/one', 'refused')).toBe(false);
      await table.update('/case/one', '2');
      const at = await table.head();
      const output = await kedge(['migrate', '--from', from, '--to', storeUrl(join(here, 'case')), '--history']);
      expect(output).toContain('superseded one that differs by case alone');
      const moved = await startKedge({ dataDir: join(here, 'case') });
      const client = new EtcdClient(moved.endpoint);
      expect((await shown(client))['/case/one']).toEqual(['2', at - 1, at, 2, '0']);
      expect((await shown(client))['/Case/One']).toBeUndefined();
      expect((await shown(client, at - 1))['/Case/One']).toEqual(['1', at - 1, at - 1, 1, '0']);
      client.close();
      await moved.stop();
    });
  }
});

describe('broken kine files', () => {
  async function read(file: string): Promise<void> {
    const source = new KineSource(file, async () => new KineSqlite(file));
    try {
      const { horizon } = await source.open();
      await copy(source, horizon, new NullSink(), { history: true, progress: Progress.silent });
    } finally {
      await source.close();
    }
  }

  it('with values of any type in any column give a Failure or a store', async () => {
    const any = fc.oneof(
      fc.constant(null),
      fc.integer(),
      fc.maxSafeInteger(),
      fc.double(),
      fc.string(),
      fc.uint8Array(),
    );
    const row = fc.record({
      name: fc.oneof({ weight: 3, arbitrary: fc.constantFrom('a', 'b', 'compact_rev_key', 'gap-3') }, any),
      numbers: fc.array(fc.oneof({ weight: 3, arbitrary: fc.nat({ max: 9 }) }, any), { minLength: 5, maxLength: 5 }),
      value: any,
    });
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 12 }), async (rows) => {
        const file = join(folder, 'any.db');
        const db = new Database(file);
        db.exec(
          'DROP TABLE IF EXISTS kine; CREATE TABLE kine (id INTEGER PRIMARY KEY, name, created, deleted, create_revision, prev_revision, lease, value)',
        );
        const insert = db.prepare('INSERT INTO kine VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
        for (const [i, { name, numbers, value }] of rows.entries()) insert.run(i + 2, name, ...numbers, value);
        db.close();
        try {
          await read(file);
        } catch (error) {
          refused += 1;
          expect((error as Error).name, String((error as Error).stack)).toBe('Failure');
        }
      }),
      { numRuns: 60 },
    );
    expect(refused).toBeGreaterThan(5);
  });

  it('with bytes changed give a Failure or a store', async () => {
    const file = join(folder, 'bytes.db');
    const { table, close } = openSqlite(file);
    await live(table);
    for (let i = 0; i < 300; i += 1) await table.create(`/k/${i}`, 'x'.repeat(i));
    await close();
    const db = new Database(file);
    const whole = db.serialize();
    db.close();
    const broken = join(folder, 'changed.db');
    const change = fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 40 }), async (changes) => {
        const bytes = Buffer.from(whole);
        for (const [at, byte] of changes) bytes[at % 2 === 0 ? at : at - (at % 4096) + (at % 40)] = byte;
        writeFileSync(broken, bytes);
        try {
          await read(broken);
        } catch (error) {
          expect((error as Error).name, String((error as Error).stack)).toBe('Failure');
        }
      }),
      { numRuns: 60 },
    );
  });
});
