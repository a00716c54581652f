import mysql from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MysqlLog } from '../../src/log/mysql/mysql-log.ts';
import { parseMysqlUrl } from '../../src/log/mysql/options.ts';
import { type AppendBatch, LogError, type LogState } from '../../src/mvcc/log.ts';
import type { Cursor } from '../../src/mvcc/types.ts';
import { put } from '../contract/changes.ts';
import { cursorAfter, someCommit } from '../support/commit-chain.ts';
import { hasMariadb, MariadbServer } from '../support/mariadb.ts';
import { Random, seedOf } from '../support/random.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

/*
 * Writers append through faults, and each keeps a journal of what it was told. At the end the log must hold exactly
 * what was answered `committed` or settled as committed, once each, and nothing that was refused or settled as lost.
 */

const PARAMETERS = '?statement_timeout=1s&connect_timeout=1s&pool_wait=500ms';
/** In which appends are sent: as a block where that is possible, or as MySQL gets them. */
const WAYS = ['auto', 'statements'];
const ROUNDS = Number(process.env['KEDGE_ROUNDS'] ?? 40);

class Writer {
  readonly committed: string[] = [];
  readonly refused: string[] = [];
  settledTrue = 0;
  settledFalse = 0;
  readonly #log: MysqlLog;
  readonly #name: string;
  #cursor: Cursor;
  #serial = 0;

  constructor(log: MysqlLog, name: string, cursor: Cursor) {
    this.#log = log;
    this.#name = name;
    this.#cursor = cursor;
  }

  /** One append, through to its fate. */
  async write(rows: number): Promise<void> {
    const label = `${this.#name}.${++this.#serial}`;
    const revision = this.#cursor.revision + 1;
    const changes = Array.from({ length: rows }, (_, sub) => put(revision, sub, label, `${label}/`.repeat(40)));
    const batch: AppendBatch = { expected: this.#cursor, commit: someCommit(), changes, notes: [] };
    const isCommitted = await this.#fateOf(batch);
    (isCommitted ? this.committed : this.refused).push(label);
    if (isCommitted) this.#cursor = cursorAfter(batch);
    else await this.#catchUp();
  }

  async #fateOf(batch: AppendBatch): Promise<boolean> {
    try {
      return (await this.#log.append(batch)).kind === 'committed';
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      if (error.code !== 'ambiguous') return false;
    }
    const isCommitted = await patiently(() => this.#log.settle(batch));
    if (isCommitted) this.settledTrue += 1;
    else this.settledFalse += 1;
    return isCommitted;
  }

  async #catchUp(): Promise<void> {
    for (;;) {
      const news = await patiently(() => this.#log.news(this.#cursor, 1e6));
      if (news.kind !== 'news') throw new Error(`${this.#name} is ${news.kind}`);
      this.#cursor = news.cursor;
      if (!news.more) return;
    }
  }
}

/** Asks until the database is back. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof LogError) || attempt > 400) throw error;
      await pause(50);
    }
  }
}

function codeOf(error: unknown): string {
  return error instanceof LogError ? error.code : String(error);
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; !(await isSo()); attempt += 1) {
    if (attempt > 600) throw new Error('it does not come');
    await pause(50);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

describe.skipIf(!hasMariadb())('faults under a real MariaDB', () => {
  let server: MariadbServer;
  beforeAll(async () => {
    server = await MariadbServer.start();
  });
  afterAll(() => server.dispose());

  /** Tells the story of three writers while `fault` happens again and again. */
  async function story(
    fault: (random: Random, port: TcpProxy) => Promise<void>,
    random: Random,
    append = 'auto',
  ): Promise<Writer[]> {
    const database = server.freshDatabase();
    const proxy = await TcpProxy.start(server.port);
    const logs = Array.from(
      { length: 3 },
      () => new MysqlLog(parseMysqlUrl(server.url(database, `${PARAMETERS}&append=${append}`, proxy.port))),
    );
    try {
      const states: LogState[] = [];
      for (const log of logs) states.push(await log.open());
      const writers = logs.map((log, i) => new Writer(log, 'abc'[i] ?? '', states[i]?.cursor as Cursor));
      let isOver = false;
      const working = writers.map(async (writer) => {
        while (!isOver) await writer.write(random.between(1, 5));
      });
      for (let round = 0; round < ROUNDS; round += 1) await fault(random, proxy);
      await pause(100);
      isOver = true;
      await Promise.all(working);
      await expectWhole(database, writers);
      return writers;
    } finally {
      for (const log of logs) await log.close();
      await proxy.stop();
    }
  }

  async function expectWhole(database: string, writers: readonly Writer[]): Promise<void> {
    const log = new MysqlLog(parseMysqlUrl(server.url(database)));
    const { cursor } = await log.open();
    const changes = await log.changes(1, Number.MAX_SAFE_INTEGER);
    const head = await log.head();
    await log.close();
    // Everything was told before the log was opened.
    const beyond = changes.filter(({ revision }) => revision > cursor.revision).map(({ key }) => key);
    expect({ beyond, head }).toEqual({ beyond: [], head: cursor.revision });
    const revisions = [...new Set(changes.map(({ revision }) => revision))];
    expect(revisions).toEqual(Array.from({ length: head - 1 }, (_, i) => i + 2));
    const labels = new Map(changes.map(({ revision, key }) => [revision, key]));
    const inLog = [...labels.values()];
    for (const writer of writers) {
      const prefix = (writer.committed[0] ?? writer.refused[0] ?? '').slice(0, 2);
      // In its own order, each once.
      expect(inLog.filter((label) => label.startsWith(prefix))).toEqual(writer.committed);
    }
    expect(inLog).toHaveLength(writers.reduce((sum, writer) => sum + writer.committed.length, 0));
  }

  it.each(WAYS)(
    'an append (%s) whose client is gone does nothing when it gets its turn after a fence',
    async (append) => {
      const database = server.freshDatabase();
      const proxy = await TcpProxy.start(server.port);
      const owner = await mysql.createConnection({ socketPath: server.socket, user: 'root' });
      const log = new MysqlLog(
        parseMysqlUrl(server.url(database, `?statement_timeout=20s&append=${append}`, proxy.port)),
      );
      try {
        const { cursor } = await log.open();
        // Another commit has the head's row for as long as we like.
        await owner.query(`USE ${database}`);
        await owner.query('START TRANSACTION');
        await owner.query('UPDATE head SET settled = settled + 1 WHERE id = 1');
        const changes = [put(2, 0, 'k', 'stale'), put(2, 1, 'l', 'stale')];
        const notes = [{ after: 2, change: { kind: 'grant', id: 1n, ttl: 60 } }] as const;
        const fate = log.append({ expected: cursor, commit: someCommit(), changes, notes }).catch(codeOf);
        await until(async () => (await sessionsAt(database, 'UPDATE head%')) === 1);
        // The server cannot tell anybody any more what it does. It goes on all the same.
        proxy.resetAll();
        expect(await fate).toBe('ambiguous');
        // What SharedLog.settle does, once it has the row.
        await owner.query('UPDATE head SET commit_id = 77, commits = commits + 1 WHERE id = 1');
        await owner.query('INSERT INTO `commit` SELECT revision, notes, commits, commit_id, 0, 0 FROM head');
        await owner.query('COMMIT');
        await until(async () => (await sessionsAt(database, '%')) === 1);
        for (const table of ['log', 'note', 'lease']) {
          expect(await server.query(`SELECT COUNT(*) FROM ${database}.${table}`), table).toEqual([[0]]);
        }
        expect(await server.query(`SELECT id FROM ${database}.commit ORDER BY number DESC LIMIT 1`)).toEqual([[77]]);
      } finally {
        await log.close();
        await owner.end();
        await proxy.stop();
      }
    },
    120_000,
  );

  /** Sessions of a database that wait for or do such a statement. */
  async function sessionsAt(database: string, statement: string): Promise<number> {
    const [row] = await server.query(
      `SELECT COUNT(*) FROM information_schema.processlist WHERE db = '${database}' AND COALESCE(info, '') LIKE '${statement}'`,
    );
    return Number(row?.[0]);
  }

  it.each(WAYS)(
    'connections cut in the middle of an append (%s): none is lost, none is there that was refused',
    async (append) => {
      const random = new Random(seedOf(41));
      const writers = await story(
        async (chance, proxy) => {
          // Whoever sends or is answered next is cut somewhere: in an append mostly, in news or a handshake too.
          if (chance.below(2) === 0) proxy.cutUpAfter(chance.below(4_000));
          else proxy.cutDownAfter(chance.below(60));
          await pause(chance.between(20, 120));
          if (chance.below(4) === 0) proxy.cutAll();
          proxy.disarm();
        },
        random,
        append,
      );
      expect(writers.reduce((sum, each) => sum + each.settledTrue, 0)).toBeGreaterThan(0);
      expect(writers.reduce((sum, each) => sum + each.settledFalse, 0)).toBeGreaterThan(0);
    },
    120_000,
  );

  it('the server killed and started again: what was answered is there', async () => {
    const random = new Random(seedOf(42));
    let kills = 0;
    await story(async (chance) => {
      if (kills === 4) return;
      kills += 1;
      await pause(chance.between(50, 400));
      await server.stop('kill');
      await server.run();
    }, random);
    expect(kills).toBe(4);
  }, 240_000);

  it('the server paused: what waits in its sockets is fenced or found', async () => {
    const random = new Random(seedOf(43));
    let pauses = 0;
    const writers = await story(async (chance) => {
      if (pauses === 3) return;
      pauses += 1;
      await pause(chance.between(50, 300));
      server.signal('SIGSTOP');
      await pause(chance.between(1_500, 2_500));
      server.signal('SIGCONT');
    }, random);
    expect(writers.reduce((sum, each) => sum + each.settledTrue + each.settledFalse, 0)).toBeGreaterThan(0);
  }, 240_000);
});
