import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { MysqlLog } from '../../src/log/mysql/mysql-log.ts';
import { parseMysqlUrl } from '../../src/log/mysql/options.ts';
import { SYSTEM_CONTEXT } from '../../src/log/shared/engine-context.ts';
import { put } from '../contract/changes.ts';
import { batchAt } from '../contract/shared-contract.ts';
import { cursorAfter } from '../support/commit-chain.ts';
import { hasMariadb, MariadbServer } from '../support/mariadb.ts';

/** What a primary says of itself and of its replicas to a user without rights on the server. */
describe.skipIf(!hasMariadb())('the health of a MariaDB with a replica', () => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  async function startServer(settings: Readonly<Record<string, string>>): Promise<MariadbServer> {
    const server = await MariadbServer.start({ settings });
    closing.push(() => server.dispose());
    return server;
  }

  function logOf(url: string, context = SYSTEM_CONTEXT): MysqlLog {
    const log = new MysqlLog(parseMysqlUrl(url), context);
    closing.push(() => log.close());
    return log;
  }

  it('tells how far the replica is behind, and that nobody waits for it any more', async () => {
    const primary = await startServer({ log_bin: 'log', server_id: '1', sync_binlog: '1' });
    const replica = await startServer({ log_bin: 'log', server_id: '2', log_slave_updates: 'ON', read_only: 'ON' });
    await primary.query("GRANT REPLICATION SLAVE ON *.* TO repl@'127.0.0.1' IDENTIFIED BY 'repl'");
    await primary.query("CREATE USER kedge@'%'");
    await primary.query("GRANT ALL ON kedge.* TO kedge@'%'");
    await replica.query(
      `CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=${primary.port}, MASTER_USER='repl', MASTER_PASSWORD='repl', MASTER_USE_GTID=slave_pos`,
    );
    await replica.query('START SLAVE');
    // As if the ten seconds after which the replicas are asked anew were always over.
    let aheadMs = 0;
    const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + aheadMs };
    const lag = async (): Promise<number | undefined> => {
      aheadMs += 11_000;
      return (await log.health()).replicationLagBytes;
    };
    const log = logOf(`mysql://kedge@127.0.0.1:${primary.port},127.0.0.1:${replica.port}/kedge`, {
      ...SYSTEM_CONTEXT,
      clock,
    });
    const { cursor } = await log.open();
    const one = batchAt(cursor, [put(2, 0, 'k', 'x'.repeat(999))]);
    await log.append(one);
    await until(async () => (await lag()) === 0);
    await replica.query('STOP SLAVE');
    const second = batchAt(cursorAfter(one), [put(3, 0, 'k', 'x'.repeat(999))]);
    await log.append(second);
    await until(async () => (await lag()) === 1000);

    expect((await log.health()).warnings).toEqual([]);
    await primary.query('SET GLOBAL rpl_semi_sync_master_timeout = 50');
    await primary.query('SET GLOBAL rpl_semi_sync_master_enabled = ON');
    await log.append(batchAt(cursorAfter(second), [put(4, 0, 'k', '')]));
    expect((await log.health()).warnings).toEqual([
      expect.stringContaining('has fallen back to asynchronous'),
      expect.stringContaining('set it to AFTER_SYNC'),
    ]);
  }, 120_000);
});

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; !(await isSo().catch(() => false)); attempt += 1) {
    if (attempt > 400) throw new Error('it does not come');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
