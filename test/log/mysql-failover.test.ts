import { afterEach, describe, expect, it } from 'vitest';
import { MysqlLog } from '../../src/log/mysql/mysql-log.ts';
import { parseMysqlUrl } from '../../src/log/mysql/options.ts';
import { LogError, type News } from '../../src/mvcc/log.ts';
import type { Cursor } from '../../src/mvcc/types.ts';
import { put } from '../contract/changes.ts';
import { batchAt } from '../contract/shared-contract.ts';
import { cursorAfter } from '../support/commit-chain.ts';
import { hasMariadb, MariadbServer } from '../support/mariadb.ts';

describe.skipIf(!hasMariadb())('a MariaDB that is replaced by its replica', () => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  it('is left for it, and what asynchronous replication has lost is found out', async () => {
    const primary = await MariadbServer.start({ settings: { log_bin: 'log', server_id: '1', sync_binlog: '1' } });
    closing.push(() => primary.dispose());
    const replica = await MariadbServer.start({
      settings: { log_bin: 'log', server_id: '2', log_slave_updates: 'ON', read_only: 'ON' },
    });
    closing.push(() => replica.dispose());
    await primary.query("GRANT REPLICATION SLAVE ON *.* TO repl@'127.0.0.1' IDENTIFIED BY 'repl'");
    await replica.query(
      `CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=${primary.port}, MASTER_USER='repl', MASTER_PASSWORD='repl', MASTER_USE_GTID=slave_pos`,
    );
    await replica.query('START SLAVE');

    // The replica comes first in the list, and is passed over while it is read-only.
    const url = `mysql://root@127.0.0.1:${replica.port},127.0.0.1:${primary.port}/kedge?pool_wait=1s&statement_timeout=2s`;
    const [a, b] = [new MysqlLog(parseMysqlUrl(url)), new MysqlLog(parseMysqlUrl(url))];
    closing.push(
      () => a.close(),
      () => b.close(),
    );
    const { cursor: start } = await a.open();
    await b.open();
    const shared = await commit(a, start, 'on both');
    await until(async () => (await replica.query('SELECT revision FROM kedge.head')).flat().map(Number)[0] === 2);
    await replica.query('STOP SLAVE');
    const lost = await commit(a, shared, 'on the primary alone');
    expect(await b.news(shared, 1e6)).toMatchObject({ kind: 'news', cursor: lost });

    await primary.stop('kill');
    await expect(a.append(batchAt(lost, [put(4, 0, 'k', '')]))).rejects.toMatchObject({ name: 'LogError' });
    await replica.query('SET GLOBAL read_only = 0');

    // Both had applied what the new primary does not know.
    expect(await patiently(() => b.news(lost, 1e6))).toEqual({ kind: 'foreign' });
    expect(await patiently(() => a.append(batchAt(lost, [put(4, 0, 'k', 'on what is lost')])))).toEqual({
      kind: 'moved',
    });
    expect(await patiently(() => b.news(shared, 1e6))).toMatchObject({ kind: 'news', changes: [] });
    const next = await commit(b, shared, 'the new history');
    expect(await a.news(shared, 1e6)).toMatchObject({ kind: 'news', cursor: next } satisfies Partial<News>);
    expect((await a.changes(0, 1e6)).map(({ value }) => Buffer.from(value).toString())).toEqual([
      'on both',
      'the new history',
    ]);
  }, 180_000);
});

async function commit(log: MysqlLog, at: Cursor, value: string): Promise<Cursor> {
  const batch = batchAt(at, [put(at.revision + 1, 0, 'k', value)]);
  expect(await log.append(batch)).toEqual({ kind: 'committed' });
  return cursorAfter(batch);
}

/** Asks until somebody answers. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof LogError) || attempt > 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; !(await isSo().catch(() => false)); attempt += 1) {
    if (attempt > 400) throw new Error('it does not come');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
