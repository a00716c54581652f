import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parsePostgresUrl } from '../../src/log/postgres/options.ts';
import { PostgresLog } from '../../src/log/postgres/postgres-log.ts';
import { SCHEMA_VERSION } from '../../src/log/postgres/schema.ts';
import { put } from '../contract/changes.ts';
import { batchAt } from '../contract/shared-contract.ts';
import { cursorAfter } from '../support/commit-chain.ts';
import { hasPostgres, PostgresServer } from '../support/postgres.ts';
import { temporaryFolder } from '../support/temporary.ts';

describe.skipIf(!hasPostgres())('opening a store in PostgreSQL', () => {
  let server: PostgresServer;
  const closing: PostgresLog[] = [];

  beforeAll(async () => {
    server = await PostgresServer.start();
    await server.query("CREATE ROLE poor LOGIN PASSWORD 'geheim'");
  });
  afterAll(() => server.dispose());
  afterEach(async () => {
    for (const log of closing.splice(0)) await log.close();
  });

  function logOf(url: string): PostgresLog {
    const log = new PostgresLog(parsePostgresUrl(url));
    closing.push(log);
    return log;
  }

  function as(user: string, database: string, parameters = ''): string {
    return `postgres://${user}@127.0.0.1:${server.port}/${database}${parameters}`;
  }

  it('keeps several stores in one database apart, by schema', async () => {
    const database = 'postgres';
    const [one, two] = [logOf(server.url(database, '?schema=one')), logOf(server.url(database, '?schema=two'))];
    const state = await one.open();
    await two.open();
    await one.append(batchAt(state.cursor, [put(2, 0, 'a', '')]));
    expect([await one.head(), await two.head()]).toEqual([2, 1]);
  });

  it('needs no right to make anything once the schema is there', async () => {
    const database = server.freshDatabase();
    await logOf(server.url(database)).open();
    const tables = ['commit', 'log', 'note', 'lease', 'record', 'claim', 'store'].map((name) => `kedge.${name}`);
    await server.query(
      `GRANT USAGE ON SCHEMA kedge TO poor; GRANT SELECT, INSERT, UPDATE, DELETE ON ${tables} TO poor`,
      database,
    );
    const log = logOf(as('poor', database));
    const { cursor } = await log.open();
    expect(await log.append(batchAt(cursor, [put(2, 0, 'a', '')], [{ kind: 'grant', id: 1n, ttl: 5 }]))).toEqual({
      kind: 'committed',
    });
  });

  it('has what it sweeps written bit by bit, unless a PgBouncer would give the session to others', async () => {
    const database = server.freshDatabase();
    const { cursor } = await logOf(server.url(database)).open();
    await server.query(
      `CREATE TABLE seen (what text, setting text);
       CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
         'BEGIN INSERT INTO seen VALUES (TG_OP, current_setting(''backend_flush_after'')); RETURN NULL; END';
       CREATE TRIGGER see AFTER INSERT OR DELETE ON kedge.log EXECUTE FUNCTION see()`,
      database,
    );
    let at = cursor;
    for (const parameters of ['', '?pgbouncer=transaction']) {
      const log = logOf(server.url(database, parameters));
      await log.open();
      const batch = batchAt(at, [put(at.revision + 1, 0, 'a', ''), put(at.revision + 2, 0, 'a', '')]);
      expect(await log.append(batch)).toEqual({ kind: 'committed' });
      at = cursorAfter(batch);
      await log.sweep([{ revision: at.revision - 1, sub: 0 }], at.revision);
    }
    expect(await server.query('SELECT * FROM seen', database)).toEqual([
      ['INSERT', '0'],
      ['DELETE', '256kB'],
      ['INSERT', '0'],
      ['DELETE', '0'],
    ]);
  });

  it('says so when its role may not defragment, instead of doing nothing', async () => {
    const database = server.freshDatabase();
    await logOf(server.url(database)).open();
    await server.query(
      'CREATE ROLE "Guest" LOGIN; GRANT USAGE ON SCHEMA kedge TO "Guest"; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA kedge TO "Guest"',
      database,
    );
    const log = logOf(as('Guest', database));
    const { cursor } = await log.open();
    await log.append(batchAt(cursor, [put(2, 0, 'a', ''), put(3, 0, 'a', '')]));
    await log.sweep([{ revision: 2, sub: 0 }], 3);
    expect(await log.vacuum(1e6)).toBe(0);
    await expect(log.defragment()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/the role "Guest" may not .* tables of kedge: GRANT kedge TO "Guest"/),
    });
    await server.query('GRANT kedge TO "Guest"', database);
    await log.defragment();
  });

  it.each<[string, (database: string) => Promise<string>, RegExp]>([
    [
      'a newer schema',
      async (database) => {
        await logOf(server.url(database)).open();
        await server.query(`UPDATE kedge.store SET schema_version = ${SCHEMA_VERSION + 1}`, database);
        return server.url(database);
      },
      /schema kedge has version 3, this kedge knows up to 2: run the newer kedge/,
    ],
    [
      'a schema of somebody else',
      async (database) => {
        await server.query(`CREATE DATABASE ${database}`);
        await server.query('CREATE SCHEMA kedge; CREATE TABLE kedge.log (id int)', database);
        return server.url(database);
      },
      /schema kedge holds other tables: choose another one with \?schema=/,
    ],
    ['no right to make a database', async (database) => as('poor', database), /it cannot be made .*CREATEDB/],
    [
      'no right to make a schema',
      async (database) => {
        await server.query(`CREATE DATABASE ${database}`);
        return as('poor', database);
      },
      /GRANT CREATE ON DATABASE/,
    ],
    ['no such role', async (database) => as('nobody_at_all', database), /look at user and password/],
    [
      'a default isolation that a PgBouncer passes on',
      async (database) => {
        await server.query(`CREATE DATABASE ${database}`);
        await server.query(`ALTER DATABASE ${database} SET default_transaction_isolation = 'serializable'`);
        return server.url(database, '?pgbouncer=transaction');
      },
      /transactions are "serializable" by default/,
    ],
    [
      'a password file that is not there',
      async (database) => server.url(database, '?password_file=/no/such/file'),
      /parameter password_file: ENOENT/,
    ],
    [
      'TLS that the server does not speak',
      async (database) => server.url(database, '?sslmode=require'),
      /speaks no TLS.*sslmode=disable/,
    ],
  ])('is refused for %s', async (_, prepare, message) => {
    const log = logOf(await prepare(server.freshDatabase()));
    await expect(log.open()).rejects.toMatchObject({
      name: 'LogError',
      code: 'refused',
      message: expect.stringMatching(message),
    });
  });

  it('warns of settings that cost durability', async () => {
    const database = server.freshDatabase();
    const log = logOf(server.url(database));
    await log.open();
    expect((await log.health()).warnings).toEqual([]);
    await server.query(`ALTER DATABASE ${database} SET synchronous_commit = off`);
    const careless = logOf(server.url(database));
    await careless.open();
    const { warnings, server: name, problem } = await careless.health();
    expect(warnings).toEqual([expect.stringMatching(/^synchronous_commit is off/)]);
    expect(name).toMatch(/^PostgreSQL \d+/);
    expect(problem).toBe(undefined);
  });

  it('warns of a standby that nobody waits for', async () => {
    const database = server.freshDatabase();
    await server.query(`CREATE DATABASE ${database}`);
    await server.query(`ALTER DATABASE ${database} SET synchronous_commit = local`);
    await server.query("ALTER SYSTEM SET synchronous_standby_names = 'elsewhere'");
    await server.query('SELECT pg_reload_conf()');
    try {
      const log = logOf(server.url(database));
      await log.open();
      expect((await log.health()).warnings).toEqual([
        expect.stringMatching(/^synchronous_commit is local, .* set it to on/),
      ]);
    } finally {
      await server.query('ALTER SYSTEM RESET synchronous_standby_names');
      await server.query('SELECT pg_reload_conf()');
    }
  });

  it('forgets old commits, and the last hour and 10,000 never', async () => {
    const database = server.freshDatabase();
    const log = logOf(server.url(database));
    const { cursor } = await log.open();
    const next = batchAt(cursor, [put(2, 0, 'a', '')], [{ kind: 'grant', id: 1n, ttl: 60 }]);
    await log.append(next);
    const at = cursorAfter(next);
    // As if thirty thousand had been committed since, the first 25,000 of them long ago.
    await server.query("UPDATE kedge.commit SET at = now() - interval '3 hours'", database);
    await server.query(
      `INSERT INTO kedge.commit SELECT 2 + g, 100000000 + g, 2, 1, 0, 0, now() - CASE WHEN g <= 25000 THEN interval '2 hours' ELSE interval '0' END
         FROM generate_series(1, 30000) g`,
      database,
    );
    await log.compact(2);
    for (let attempt = 0; ; attempt += 1) {
      const [[first, last, count, notes] = []] = await server.query(
        'SELECT min(number), max(number), count(*), (SELECT count(*) FROM kedge.note) FROM kedge.commit',
        database,
      );
      if (Number(count) <= 10_000 || attempt > 400) {
        expect([first, last, count, notes].map(Number)).toEqual([20_003, 30_002, 10_000, 0]);
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(await log.news(at, 1e6)).toEqual({ kind: 'foreign' });
    expect(await log.news({ ...at, commit: 100_000_000 + 20_001 }, 1e6)).toMatchObject({ kind: 'news', notes: [] });
    // An append from before is past telling.
    await expect(log.settle(batchAt(cursor, []))).rejects.toMatchObject({ code: 'ambiguous' });
  });

  it('verifies the certificate of a server that speaks TLS', async () => {
    const folder = temporaryFolder('tls');
    makeCertificates(folder);
    const secure = await PostgresServer.start();
    try {
      for (const name of ['server.key', 'server.crt', 'ca.crt']) {
        const path = join(secure.data, name);
        writeFileSync(path, readFileSync(join(folder, name)));
        const { uid, gid } = statSync(secure.data);
        if (process.getuid?.() === 0) chownSync(path, uid, gid);
        chmodSync(path, 0o600);
      }
      await secure.stop();
      await secure.run({ ssl: 'on', ssl_cert_file: 'server.crt', ssl_key_file: 'server.key', ssl_ca_file: 'ca.crt' });
      const ca = join(folder, 'ca.crt');
      const at = (host: string, parameters: string) => `postgres://kedge@${host}:${secure.port}/tls?${parameters}`;
      await logOf(at('localhost', `sslmode=verify-full&sslrootcert=${ca}`)).open();
      await logOf(at('127.0.0.1', `sslmode=verify-ca&sslrootcert=${ca}`)).open();
      const log = logOf(at('127.0.0.1', 'sslmode=require'));
      await log.open();
      expect((await log.health()).warnings).toEqual([expect.stringContaining('sslmode=require')]);
      const key = `sslcert=${join(folder, 'client.crt')}&sslkey=${join(folder, 'client.key')}`;
      await logOf(at('localhost', `sslmode=verify-full&sslrootcert=${ca}&${key}`)).open();
      await expect(logOf(at('127.0.0.1', `sslmode=verify-full&sslrootcert=${ca}`)).open()).rejects.toMatchObject({
        code: 'refused',
        message: expect.stringContaining('127.0.0.1'),
      });
      await expect(logOf(at('localhost', 'sslmode=verify-full')).open()).rejects.toMatchObject({
        code: 'refused',
        message: expect.stringContaining('sslrootcert'),
      });
    } finally {
      await secure.dispose();
    }
  });
});

/** An authority, a server named localhost, a client named kedge. */
function makeCertificates(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const run = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  run(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=tests',
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
  );
  for (const [name, subject] of [
    ['server', 'localhost'],
    ['client', 'kedge'],
  ] as const) {
    writeFileSync(join(folder, `${name}.ext`), `subjectAltName=DNS:${subject}\n`);
    run(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-subj',
      `/CN=${subject}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
    );
    run(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      `${name}.ext`,
      '-out',
      `${name}.crt`,
    );
  }
}
