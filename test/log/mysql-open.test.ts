import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { MysqlLog } from '../../src/log/mysql/mysql-log.ts';
import { parseMysqlUrl } from '../../src/log/mysql/options.ts';
import { BatchesBelow } from '../../src/mvcc/batches-below.ts';
import { put } from '../contract/changes.ts';
import { batchAt } from '../contract/shared-contract.ts';
import { cursorAfter } from '../support/commit-chain.ts';
import { hasMariadb, MariadbServer } from '../support/mariadb.ts';
import { freePort } from '../support/ports.ts';
import { temporaryFolder } from '../support/temporary.ts';

describe.skipIf(!hasMariadb())('a store in MariaDB', () => {
  let server: MariadbServer;
  const closing: MysqlLog[] = [];

  beforeAll(async () => {
    server = await MariadbServer.start();
    await server.query("CREATE USER poor@'%' IDENTIFIED BY 'geheim'");
  });
  afterAll(() => server.dispose());
  afterEach(async () => {
    for (const log of closing.splice(0)) await log.close();
  });

  function logOf(url: string): MysqlLog {
    const log = new MysqlLog(parseMysqlUrl(url));
    closing.push(log);
    return log;
  }

  function as(user: string, database: string, parameters = '?pool_wait=500ms'): string {
    return `mysql://${user}@127.0.0.1:${server.port}/${database}${parameters}`;
  }

  /** With a global variable set, for connections made meanwhile. */
  async function having(variable: string, value: string | number, task: () => Promise<void>): Promise<void> {
    const [[before] = []] = await server.query(`SELECT @@global.${variable}`);
    await server.query(`SET GLOBAL ${variable} = ${value}`);
    try {
      await task();
    } finally {
      await server.query(`SET GLOBAL ${variable} = ${String(before)}`);
    }
  }

  it('needs no right to make anything once the tables are there', async () => {
    const database = server.freshDatabase();
    await expect(logOf(as('poor:geheim', database)).open()).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringMatching(/Access denied|cannot be made/),
    });
    const state = await logOf(server.url(database)).open();
    await server.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ${database}.* TO poor@'%'`);
    const log = logOf(as('poor:geheim', database));
    expect(await log.open()).toEqual(state);
    expect(await log.append(batchAt(state.cursor, [put(2, 0, 'a', '')]))).toEqual({ kind: 'committed' });
  });

  it('refuses what is not its own, newer, or not allowed, and shows no password', async () => {
    const foreign = server.freshDatabase();
    await server.query(`CREATE DATABASE ${foreign}`);
    await server.query(`CREATE TABLE ${foreign}.kine (id INT PRIMARY KEY)`);
    await expect(logOf(server.url(foreign)).open()).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('another program'),
    });
    const newer = server.freshDatabase();
    await logOf(server.url(newer)).open();
    await server.query(`UPDATE ${newer}.kedge SET version = 99`);
    await expect(logOf(server.url(newer)).open()).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('schema version 99'),
    });
    const wrong: Error = await logOf(as('poor:verraten', 'any'))
      .open()
      .then(() => new Error('it opened'))
      .catch((error: Error) => error);
    expect(wrong).toMatchObject({ code: 'refused', message: expect.stringContaining('Access denied') });
    expect(wrong.message).not.toContain('verraten');
  });

  it('refuses a server that is not set up for it, with the remedy', async () => {
    const url = server.url(server.freshDatabase(), '?pool_wait=500ms');
    await having('max_allowed_packet', 2 ** 20, async () => {
      await expect(logOf(url).open()).rejects.toMatchObject({
        code: 'refused',
        message: expect.stringContaining('max_allowed_packet is 1048576 bytes: set it to 16777216'),
      });
    });
    await having('read_only', 1, async () => {
      await expect(logOf(url).open()).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining('read-only'),
      });
    });
    const statements = await MariadbServer.start({ settings: { log_bin: 'binlog', binlog_format: 'STATEMENT' } });
    try {
      await expect(logOf(statements.url('any')).open()).rejects.toMatchObject({
        code: 'refused',
        message: expect.stringContaining('set it to ROW'),
      });
    } finally {
      await statements.dispose();
    }
  });

  it('warns of settings that cost durability', async () => {
    const log = logOf(server.url(server.freshDatabase()));
    await log.open();
    expect((await log.health()).warnings).toEqual([]);
    await having('innodb_flush_log_at_trx_commit', 2, async () => {
      expect((await log.health()).warnings).toEqual([expect.stringContaining('a crash may lose answered writes')]);
    });
    expect((await log.health()).server).toMatch(/^MariaDB 1\d\.\d+\.\d+$/);
  });

  it('works at READ COMMITTED, whatever the default of the server is', async () => {
    await server.query("SET GLOBAL tx_isolation = 'READ-UNCOMMITTED'");
    try {
      const log = logOf(server.url(server.freshDatabase()));
      const { cursor } = await log.open();
      expect(await log.append(batchAt(cursor, [put(2, 0, 'a', '')]))).toEqual({ kind: 'committed' });
      expect(await log.health()).toMatchObject({ problem: undefined, warnings: [] });
    } finally {
      await server.query("SET GLOBAL tx_isolation = 'REPEATABLE-READ'");
    }
  });

  it('looks for the host that takes writes, and leaves one that no longer does', async () => {
    const dead = await freePort();
    const database = server.freshDatabase();
    const log = logOf(`mysql://root@127.0.0.1:${dead},127.0.0.1:${server.port}/${database}?pool_wait=500ms`);
    const { cursor } = await log.open();
    const one = batchAt(cursor, [put(2, 0, 'a', '')]);
    expect(await log.append(one)).toEqual({ kind: 'committed' });
    await having('read_only', 1, async () => {
      await expect(log.news(cursor, 1e6)).rejects.toMatchObject({ code: 'unavailable' });
      await expect(log.head()).rejects.toMatchObject({ code: 'unavailable' });
    });
    let next = batchAt(cursorAfter(one), [put(3, 0, 'a', '')]);
    for (let attempt = 0; ; attempt += 1) {
      const result = await log.append(next).catch(() => undefined);
      if (result !== undefined) break;
      if (attempt > 100) throw new Error('it does not come back');
      await new Promise((resolve) => setTimeout(resolve, 100));
      next = batchAt(cursorAfter(one), [put(3, 0, 'a', '')]);
    }
    expect(await log.head()).toBe(3);
  });

  it('appends as one commit what one message of the server cannot hold', async () => {
    await having('max_allowed_packet', 4 * 2 ** 20, async () => {
      const log = logOf(server.url(server.freshDatabase()));
      const { cursor } = await log.open();
      // Every byte of some must be escaped.
      const values = ["'", '\\', 'x', '\0'].map((each) => each.repeat(1_500_000));
      const changes = Array.from({ length: 12 }, (_, i) => put(2, i, `key ${i}`, values[i % 4] ?? ''));
      const one = batchAt(cursor, changes);
      expect(await log.append(one)).toEqual({ kind: 'committed' });
      const found = await log.changes(1, 1);
      expect(found.map(({ value }) => value.length)).toEqual(changes.map(({ value }) => value.length));
      for (const [i, { value }] of found.entries()) {
        expect(Buffer.compare(value, changes[i]?.value ?? new Uint8Array(0))).toBe(0);
      }
      const tooLarge = batchAt(cursorAfter(one), [put(3, 0, 'a', "'".repeat(3 * 2 ** 20))]);
      await expect(log.append(tooLarge)).rejects.toMatchObject({ code: 'unavailable' });
      expect(await log.append(batchAt(cursorAfter(one), [put(3, 0, 'a', '')]))).toEqual({ kind: 'committed' });
    });
  });

  it('appends as one statement what is small, where the server takes that and nobody says otherwise', async () => {
    const blocks = async (): Promise<number> => {
      const [row] = await server.query("SHOW GLOBAL STATUS LIKE 'Com_compound_sql'");
      return Number(row?.[1]);
    };
    const database = server.freshDatabase();
    const bytes = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join('');
    // How many statements of many were used for each.
    const used: number[] = [];
    for (const [parameters, value] of [
      ['', `${bytes}; END; COMMIT;`],
      ['', bytes.repeat(256)],
      ['?append=statements', bytes],
    ] as const) {
      const log = logOf(server.url(database, parameters));
      const { cursor } = await log.open();
      const before = await blocks();
      const change = put(cursor.revision + 1, 0, bytes, value);
      expect(await log.append(batchAt(cursor, [change], [{ kind: 'grant', id: 1n, ttl: 60 }]))).toEqual({
        kind: 'committed',
      });
      used.push((await blocks()) - before);
      expect(await log.changes(cursor.revision, 1e6)).toEqual([change]);
    }
    expect(used).toEqual([1, 0, 0]);
  });

  it('lets an append wait for those below it that it has overtaken, and nobody for that one', async () => {
    const database = server.freshDatabase();
    const [a, b] = [logOf(server.url(database)), logOf(server.url(database))];
    let { cursor: at } = await a.open();
    await b.open();
    // What the server is like is known by the first connection that appends.
    const begin = batchAt(at, [put(at.revision + 1, 0, 'k', '')]);
    expect(await b.append(begin)).toEqual({ kind: 'committed' });
    at = cursorAfter(begin);
    const statements = async (kind: string): Promise<number> => {
      const [row] = await server.query(`SHOW GLOBAL STATUS LIKE 'Com_${kind}'`);
      return Number(row?.[1]);
    };
    for (const value of ['small', 'x'.repeat(20_000)]) {
      // It waits for some ten milliseconds, which a busy machine may let pass between two appends.
      for (let attempt = 1, waited = false; !waited; attempt += 1) {
        const first = batchAt(at, [put(at.revision + 1, 0, 'k', '1')]);
        const second = batchAt(cursorAfter(first), [put(at.revision + 2, 0, 'k', '2')]);
        const third = batchAt(cursorAfter(second), [put(at.revision + 3, 0, 'k', value)]);
        const before = await statements('rollback');
        const early = b.append(third, new BatchesBelow([first, second]));
        while ((await statements('rollback')) === before);
        // It has looked, and found that it is too early.
        const below = [await a.append(first), await a.append(second)];
        expect(below).toEqual([{ kind: 'committed' }, { kind: 'committed' }]);
        waited = (await early).kind === 'committed';
        at = cursorAfter(waited ? third : second);
        expect(attempt).toBeLessThan(50);
      }
      // One that never comes is waited for a moment, and one that is not to come at all not even that.
      const never = batchAt(at, [put(at.revision + 1, 0, 'never', '')]);
      const vain = b.append(
        batchAt(cursorAfter(never), [put(at.revision + 2, 0, 'k', value)]),
        new BatchesBelow([never]),
      );
      const other = batchAt(at, [put(at.revision + 1, 0, 'k', '4')]);
      expect(await a.append(other)).toEqual({ kind: 'committed' });
      expect(await vain).toEqual({ kind: 'moved' });
      at = cursorAfter(other);
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
    await server.query(`UPDATE ${database}.commit SET at_us = 1`);
    await server.query(
      `INSERT INTO ${database}.commit (revision, notes, number, id, bytes, at_us)
         SELECT 2, 1 + seq, 1 + seq, 100000000 + seq, 0, IF(seq <= 25000, 1, 4000000000000000) FROM ${database}.seq_1_to_30000`,
    );
    await server.query(`UPDATE ${database}.head SET commits = 30001, notes = 30001, commit_id = 100030000`);
    await log.compact(2);
    for (let attempt = 0; ; attempt += 1) {
      const [[first, last, count, notes] = []] = await server.query(
        `SELECT MIN(number), MAX(number), COUNT(*), (SELECT COUNT(*) FROM ${database}.note) FROM ${database}.commit`,
      );
      if (Number(count) <= 10_000 || attempt > 200) {
        expect([first, last, count, notes].map(Number)).toEqual([20_002, 30_001, 10_000, 0]);
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(await log.news(at, 1e6)).toEqual({ kind: 'behind' });
    expect(await log.news({ ...at, notes: 30_001 }, 1e6)).toEqual({ kind: 'foreign' });
    const newest = { revision: 2, notes: 30_001, commit: 100_030_000 };
    expect(await log.news(newest, 1e6)).toMatchObject({ kind: 'news', cursor: newest, more: false });
    // An append from before is past telling.
    await expect(log.settle(batchAt(cursor, []))).rejects.toMatchObject({ code: 'ambiguous' });
  });

  it('verifies the certificate of a server that speaks TLS, and reads the password from a file', async () => {
    const folder = temporaryFolder('tls');
    makeCertificate(folder);
    const secure = await MariadbServer.start();
    try {
      const own = ['server.key', 'server.crt'].map((name) => {
        const path = join(secure.folder, name);
        writeFileSync(path, readFileSync(join(folder, name)));
        const { uid, gid } = statSync(secure.data);
        if (process.getuid?.() === 0) chownSync(path, uid, gid);
        chmodSync(path, 0o600);
        return path;
      });
      await secure.stop();
      await secure.run({ ssl_key: own[0] ?? '', ssl_cert: own[1] ?? '' });
      await secure.query("CREATE USER kedge@'%' IDENTIFIED BY 'geheim' REQUIRE SSL");
      await secure.query("GRANT ALL ON tls.* TO kedge@'%'");
      const passwordFile = join(folder, 'password');
      writeFileSync(passwordFile, 'geheim\n', { mode: 0o600 });
      const ca = join(folder, 'server.crt');
      const at = (host: string, parameters: string) =>
        `mysql://kedge@${host}:${secure.port}/tls?pool_wait=500ms&password_file=${passwordFile}&${parameters}`;
      await logOf(at('localhost', `tls_ca=${ca}`)).open();
      await logOf(at('127.0.0.1', `tls=verify-ca&tls_ca=${ca}`)).open();
      await logOf(at('127.0.0.1', 'tls=required')).open();
      expect(() => logOf(at('127.0.0.1', `tls_ca=${ca}`))).toThrow(/name the host, or take tls=verify-ca/);
      await expect(logOf(at('localhost', 'tls=verify-identity')).open()).rejects.toThrow(/self-signed/);
      await expect(logOf(at('localhost', 'tls=off')).open()).rejects.toMatchObject({ code: 'refused' });
    } finally {
      await secure.dispose();
    }
  });
});

/** Of a server named localhost, signed by itself. */
function makeCertificate(folder: string): void {
  const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const files = ['-keyout', 'server.key', '-out', 'server.crt'];
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  execFileSync('openssl', ['req', ...kind, ...files, ...name], { cwd: folder, stdio: 'pipe' });
}
