import { execFileSync } from 'node:child_process';
import { chownSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { parsePostgresUrl } from '../../src/log/postgres/options.ts';
import { PostgresLog } from '../../src/log/postgres/postgres-log.ts';
import { type AppendBatch, LogError, type SharedLog } from '../../src/mvcc/log.ts';
import type { Cursor } from '../../src/mvcc/types.ts';
import { put } from '../contract/changes.ts';
import { allNews, batchAt, expectNoGap } from '../contract/shared-contract.ts';
import { cursorAfter } from '../support/commit-chain.ts';
import { hasPostgres, PostgresServer } from '../support/postgres.ts';
import { Random } from '../support/random.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { temporaryFolder } from '../support/temporary.ts';

/*
 * What happens to the server: it is stopped and started, killed, held, replaced by its standby. Writers go on as well
 * as they can; after it all that was answered must be there, once and in order.
 */

describe.skipIf(!hasPostgres())('a PostgreSQL that fails', () => {
  const closing: (() => Promise<void>)[] = [];

  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  async function start(settings: Parameters<typeof PostgresServer.start>[0] = {}): Promise<PostgresServer> {
    const server = await PostgresServer.start(settings);
    closing.push(() => server.dispose());
    return server;
  }

  async function open(url: string): Promise<{ readonly log: PostgresLog; readonly cursor: Cursor }> {
    const log = new PostgresLog(parsePostgresUrl(url));
    closing.push(() => log.close());
    const { cursor } = await log.open();
    return { log, cursor };
  }

  const IMPATIENT = '?statement_timeout=2s&pool_wait=3s';

  it.each(['restarted', 'killed'] as const)(
    'keeps every answered append when it is %s',
    async (how) => {
      const server = await start();
      const url = server.url(server.freshDatabase(), IMPATIENT);
      const { cursor: begin } = await open(url);
      const writers = await Promise.all(
        [1, 2, 3].map(async (n) => new Writer(`writer ${n}`, (await open(url)).log, begin)),
      );
      const running = writers.map((writer) => writer.run());
      for (let round = 0; round < 4; round++) {
        await progress(writers, 15);
        await server.stop(how === 'killed' ? 'kill' : 'fast');
        await pause(round * 100);
        await server.run();
      }
      await progress(writers, 15);
      for (const writer of writers) writer.stop();
      await Promise.all(running);
      await expectAll(writers, (await open(url)).log, begin);
    },
    120_000,
  );

  it('keeps every answered append when it is held for longer than anybody waits', async () => {
    const server = await start();
    const url = server.url(server.freshDatabase(), '?statement_timeout=300ms&pool_wait=2s');
    const { cursor: begin } = await open(url);
    const writers = await Promise.all([1, 2].map(async (n) => new Writer(`writer ${n}`, (await open(url)).log, begin)));
    const running = writers.map((writer) => writer.run());
    for (let round = 0; round < 2; round++) {
      await progress(writers, 10);
      server.signalAll('SIGSTOP');
      await pause(3_500);
      server.signalAll('SIGCONT');
    }
    await progress(writers, 10);
    for (const writer of writers) writer.stop();
    await Promise.all(running);
    expect(writers.some((writer) => writer.ambiguous > 0)).toBe(true);
    await expectAll(writers, (await open(url)).log, begin);
  }, 120_000);

  it('hands over to a synchronous standby without losing anything', async () => {
    const primary = await start({ settings: { wal_level: 'replica', max_wal_senders: '4' } });
    const database = primary.freshDatabase();
    await open(primary.url(database)).then(({ log }) => log.close());
    const standby = await start({ standbyOf: primary, name: 'next' });
    await primary.query("ALTER SYSTEM SET synchronous_standby_names = 'next'");
    await primary.query('SELECT pg_reload_conf()');
    const hosts = `127.0.0.1:${primary.port},127.0.0.1:${standby.port}`;
    const url = `postgres://kedge@${hosts}/${database}${IMPATIENT}&target_session_attrs=read-write`;
    const { cursor: begin, log: reader } = await open(url);
    expect((await reader.health()).replicationLagBytes).toBeGreaterThanOrEqual(0);
    const writers = await Promise.all([1, 2].map(async (n) => new Writer(`writer ${n}`, (await open(url)).log, begin)));
    const running = writers.map((writer) => writer.run());
    await progress(writers, 20);
    await primary.stop('kill');
    standby.promote();
    await standby.query("ALTER SYSTEM SET synchronous_standby_names = ''");
    await standby.query('SELECT pg_reload_conf()');
    await progress(writers, 10);
    for (const writer of writers) writer.stop();
    await Promise.all(running);
    for (const writer of writers) expect(writer.foreign).toBe(0);
    await expectAll(writers, (await open(url)).log, begin);
  }, 120_000);

  it('is found out when its standby takes over without the last commits', async () => {
    const primary = await start({ settings: { wal_level: 'replica', max_wal_senders: '4' } });
    const database = primary.freshDatabase();
    const { log: first, cursor: begin } = await open(primary.url(database));
    const known = await commit(first, begin, 'known to both');
    await first.close();
    const standby = await start({ standbyOf: primary, name: 'late' });
    const url = `postgres://kedge@127.0.0.1:${primary.port},127.0.0.1:${standby.port}/${database}${IMPATIENT}`;
    const { log: a } = await open(url);
    const { log: b } = await open(url);
    const shared = await commit(a, known, 'replicated');
    await untilReplayed(primary, standby);
    // From here on the standby hears nothing.
    await standby.query('SELECT pg_wal_replay_pause()');
    await standby.stop('fast');
    const lost = await commit(a, shared, 'lost');
    expect((await allNews(b, shared)).cursor).toEqual(lost);
    await primary.stop('kill');
    await standby.run();
    standby.promote();

    // Whoever had applied the lost commit is told so, and cannot append to a history that is not his.
    expect(await patient(() => a.news(lost, 1e6))).toEqual({ kind: 'foreign' });
    expect(await patient(() => b.news(lost, 1e6))).toEqual({ kind: 'foreign' });
    const onLost = batchAt(lost, [put(lost.revision + 1, 0, 'k', 'on top of what is lost')]);
    expect(await patient(() => a.append(onLost))).toEqual({ kind: 'moved' });
    expect(await a.settle(onLost)).toBe(false);
    // Whoever had not goes on.
    expect(await b.news(shared, 1e6)).toMatchObject({ kind: 'news', cursor: shared });
    const next = await commit(b, shared, 'the new history');
    expect(await a.news(lost, 1e6)).toEqual({ kind: 'foreign' });
    expect((await a.changes(0, 1e6)).map(({ value }) => Buffer.from(value).toString())).toEqual([
      'known to both',
      'replicated',
      'the new history',
    ]);
    expect(await a.head()).toBe(next.revision);

    // The old primary comes back with what only it has, as if nothing had happened: nobody goes to it any more, neither
    // who has seen the new one, not even while that is away, nor who starts now.
    await primary.run();
    const { log: late, cursor } = await open(url);
    expect(cursor).toEqual(next);
    await standby.stop('fast');
    await expect(a.head()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('was replaced by a failover: its timeline is 1, 2 was seen'),
    });
    await standby.run();
    expect(await patient(() => late.head())).toBe(next.revision);
  }, 120_000);

  it.skipIf(!mayMount())(
    'refuses what does not fit on its disk, and goes on when there is room',
    async () => {
      const server = await start();
      const disk = temporaryFolder('small-disk');
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'kedge-test', disk]);
      closing.push(async () => {
        await server.stop('kill');
        execFileSync('umount', [disk]);
      });
      const { uid } = statSync(server.data);
      chownSync(disk, uid, 0);
      const database = server.freshDatabase();
      await server.query(`CREATE TABLESPACE small LOCATION '${disk}'`);
      await server.query(`CREATE DATABASE ${database} TABLESPACE small`);
      const { log, cursor } = await open(server.url(database));
      writeFileSync(join(disk, 'ballast'), Buffer.alloc(2 ** 21));
      let at = cursor;
      const dice = new Random(1);
      let refused: unknown;
      for (let i = 0; i < 200 && refused === undefined; i++) {
        const batch = batchAt(
          at,
          Array.from({ length: 20 }, (_, n) => put(at.revision + 1, n, `k${n}`, dice.bytes(10_000).toString('latin1'))),
        );
        await log.append(batch).then(
          () => (at = cursorAfter(batch)),
          (error: unknown) => (refused = error),
        );
      }
      expect(refused).toMatchObject({ code: 'unavailable', message: expect.stringContaining("server's disk is full") });
      expect((await log.changes(at.revision - 1, 1)).length).toBeGreaterThan(0);
      expect((await log.news(at, 1e6)).kind).toBe('news');
      rmSync(join(disk, 'ballast'));
      await commit(log, at, 'there is room again');
    },
    120_000,
  );

  it('is asked about an append only when that has ended', async () => {
    const server = await start();
    const proxy = await TcpProxy.start(server.port);
    closing.push(() => proxy.stop());
    const database = server.freshDatabase();
    const { log: direct, cursor } = await open(server.url(database));
    const { log: cut } = await open(`postgres://kedge@127.0.0.1:${proxy.port}/${database}`);
    // Somebody holds the place of its row, so that the append stays half done.
    const blocker = new pg.Client({ host: '127.0.0.1', port: server.port, user: 'kedge', database });
    await blocker.connect();
    await blocker.query("BEGIN; INSERT INTO kedge.log VALUES (2, 0, '', 0, 0, 0, NULL)");
    const batch = batchAt(cursor, [put(2, 0, 'k', 'half done')]);
    const result = cut.append(batch).then(({ kind }) => kind, codeOf);
    const waiting = `SELECT count(*)::int FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = '${database}'`;
    const untilWaiting = async (sessions: number) => {
      while (Number((await server.query(waiting))[0]?.[0]) < sessions) await pause(10);
    };
    await untilWaiting(1);
    proxy.cutAll();
    expect(await result).toBe('ambiguous');
    let fate: boolean | undefined;
    const settling = direct.settle(batch).then((isDone) => {
      fate = isDone;
    });
    await untilWaiting(2);
    expect(fate).toBe(undefined);
    await blocker.query('ROLLBACK');
    await settling;
    expect(fate).toBe(true);
    await blocker.end();
    expect(await direct.changes(0, 1e6)).toEqual(batch.changes);
  }, 60_000);

  it('is left by all connections when one of them has found another primary', async () => {
    const server = await start();
    const proxy = await TcpProxy.start(server.port);
    closing.push(() => proxy.stop());
    const database = server.freshDatabase();
    await open(server.url(database));
    // Two ways to the same primary, the second one closed at first.
    const second = await TcpProxy.start(server.port);
    closing.push(() => second.stop());
    second.refuse(true);
    const { log, cursor } = await open(`postgres://kedge@127.0.0.1:${proxy.port},127.0.0.1:${second.port}/${database}`);
    second.refuse(false);
    const one = await commit(log, cursor, 'one');
    await log.head();
    let hints = 0;
    log.listen(() => {
      hints += 1;
    });
    while (hints === 0) await pause(10);
    // One appends, one reads, one listens.
    expect(proxy.connections).toBe(3);
    proxy.refuse(true);
    proxy.cutUpAfter(1);
    const batch = batchAt(one, [put(one.revision + 1, 0, 'k', 'two')]);
    expect(await log.append(batch).then(({ kind }) => kind, codeOf)).toBe('ambiguous');
    expect(await patient(() => log.settle(batch))).toBe(false);
    await patient(() => log.append(batchAt(one, [])));
    for (let i = 0; i < 500 && proxy.connections > 0; i++) await pause(10);
    expect(proxy.connections).toBe(0);
    hints = 0;
    const { log: other, cursor: at } = await open(server.url(database));
    let next = at;
    for (let i = 0; i < 200 && hints === 0; i++) {
      next = await commit(other, next, `${i}`);
      await pause(20);
    }
    expect(hints).toBeGreaterThan(0);
  }, 60_000);

  it('is not written to while only a standby is there', async () => {
    const primary = await start({ settings: { wal_level: 'replica', max_wal_senders: '4' } });
    const database = primary.freshDatabase();
    await open(primary.url(database)).then(({ log }) => log.close());
    const standby = await start({ standbyOf: primary });
    await primary.stop();
    const log = new PostgresLog(parsePostgresUrl(standby.url(database, '?pool_wait=300ms')));
    await expect(log.open()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('standby'),
    });
  }, 60_000);
});

/** Whether this process may mount: a real full disk needs that. */
function mayMount(): boolean {
  try {
    execFileSync('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs -o size=1m kedge-test /mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    return false; // an ordinary user may not
  }
}

/** Appends as fast as it can, finds out what became of each, and remembers what was done. */
class Writer {
  readonly done: string[] = [];
  ambiguous = 0;
  foreign = 0;
  readonly #name: string;
  readonly #log: SharedLog;
  #at: Cursor;
  #isStopped = false;

  constructor(name: string, log: SharedLog, at: Cursor) {
    this.#name = name;
    this.#log = log;
    this.#at = at;
  }

  stop(): void {
    this.#isStopped = true;
  }

  async run(): Promise<void> {
    for (let n = 0; !this.#isStopped; n++) {
      const value = `${this.#name}: ${n}`;
      for (;;) {
        const batch = batchAt(this.#at, [put(this.#at.revision + 1, 0, this.#name, value)]);
        if (await this.#isDone(batch)) {
          this.done.push(value);
          this.#at = cursorAfter(batch);
          break;
        }
        if (this.#isStopped) return;
        await this.#catchUp();
      }
    }
  }

  async #isDone(batch: AppendBatch): Promise<boolean> {
    try {
      return (await this.#log.append(batch)).kind === 'committed';
    } catch (error) {
      const code = codeOf(error);
      if (code === 'unavailable') {
        await pause(50);
        return false;
      }
      expect(code).toBe('ambiguous');
    }
    this.ambiguous += 1;
    return patient(() => this.#log.settle(batch));
  }

  async #catchUp(): Promise<void> {
    const news = await patient(() => this.#log.news(this.#at, 1e6));
    if (news.kind !== 'news') this.foreign += 1;
    else this.#at = news.cursor;
  }
}

/** Until so many more appends were answered. */
async function progress(writers: readonly Writer[], count: number): Promise<void> {
  const done = () => writers.reduce((sum, writer) => sum + writer.done.length, 0);
  const enough = done() + count;
  for (let i = 0; i < 1_500 && done() < enough; i++) await pause(20);
  expect(done()).toBeGreaterThanOrEqual(enough);
}

async function expectAll(writers: readonly Writer[], log: SharedLog, begin: Cursor): Promise<void> {
  const { changes, cursor } = await patient(() => allNews(log, begin));
  expectNoGap(changes, begin.revision, cursor.revision);
  const values = changes.map(({ value }) => Buffer.from(value).toString());
  expect([...values].sort()).toEqual(writers.flatMap(({ done }) => done).sort());
  expect(new Set(values).size).toBe(values.length);
}

async function commit(log: SharedLog, at: Cursor, value: string): Promise<Cursor> {
  const batch = batchAt(at, [put(at.revision + 1, 0, 'k', value)]);
  expect(await log.append(batch)).toEqual({ kind: 'committed' });
  return cursorAfter(batch);
}

/** Until the database is back. */
async function patient<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      const code = codeOf(error);
      if ((code !== 'unavailable' && code !== 'ambiguous') || attempt > 300) throw error;
      await pause(100);
    }
  }
}

async function untilReplayed(primary: PostgresServer, standby: PostgresServer): Promise<void> {
  const [[lsn] = []] = await primary.query('SELECT pg_current_wal_lsn()');
  for (let attempt = 0; attempt < 300; attempt++) {
    const [[isThere] = []] = await standby.query(`SELECT pg_last_wal_replay_lsn() >= '${String(lsn)}'`);
    if (isThere === true) return;
    await pause(50);
  }
  throw new Error('the standby does not follow');
}

function codeOf(error: unknown): string {
  if (!(error instanceof LogError)) throw error;
  return error.code;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
