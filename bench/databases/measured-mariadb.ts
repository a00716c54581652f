import { setTimeout as sleep } from 'node:timers/promises';
import { MariadbServer } from '../../test/support/mariadb.ts';
import { type MeasuredDatabase, shortened } from './measured-database.ts';

/** Statements below are not noted: noting all would be the load. */
const NOTED_SECONDS_MIN = 0.01;
/** Settled: writes that go on leave some pages to be written all the time. */
const DIRTY_PAGES_MAX = 200;
const SETTLE_SECONDS_MAX = 20;

/** MariaDB with its default memory, and a log of slow statements. */
export async function startMeasuredMariadb(): Promise<MeasuredDatabase> {
  const server = await MariadbServer.start({
    settings: {
      'innodb-buffer-pool-size': '128M',
      'innodb-log-file-size': '96M',
      'log-output': 'TABLE',
      'slow-query-log': 'ON',
      'long-query-time': String(NOTED_SECONDS_MIN),
    },
  });
  const database = server.freshDatabase();
  const [[version] = []] = await server.query('SELECT VERSION()');
  const textOf = (value: unknown): string => (Buffer.isBuffer(value) ? value.toString('latin1') : String(value));
  return {
    server: `MariaDB ${version}`,
    url: server.url(database),
    forgetStatements: async () => {
      await server.query('SET GLOBAL slow_query_log = OFF');
      await server.query('TRUNCATE mysql.slow_log');
      await server.query('SET GLOBAL slow_query_log = ON');
    },
    longestStatements: async () => {
      const rows = await server.query(
        `SELECT MAX(TIME_TO_SEC(query_time)) * 1000 AS ms, COUNT(*), CONVERT(LEFT(sql_text, 110) USING latin1) AS text FROM mysql.slow_log
          WHERE db = '${database}' GROUP BY LEFT(CONVERT(sql_text USING latin1), 24) ORDER BY 1 DESC LIMIT 8`,
      );
      return rows.map(([ms, calls, text]) => ({
        ms: Number(ms),
        calls: Number(calls),
        text: shortened(textOf(text)),
      }));
    },
    fileBytes: async () => {
      const [row = []] = await server.query(
        `SELECT SUM(file_size) FROM information_schema.innodb_sys_tablespaces WHERE name LIKE '${database}/%'`,
      );
      return Number(row[0]);
    },
    leftovers: async () => {
      const [row = []] = await server.query(
        `SELECT count FROM information_schema.innodb_metrics WHERE name = 'trx_rseg_history_len'`,
      );
      return `${row[0]} transactions to purge`;
    },
    ageCommits: async () => void (await server.query(`UPDATE ${database}.commit SET at_us = at_us - 7200000000`)),
    settle: async () => {
      const [[pct] = []] = await server.query('SELECT @@GLOBAL.innodb_max_dirty_pages_pct');
      await server.query('SET GLOBAL innodb_max_dirty_pages_pct = 0');
      const giveUpAt = performance.now() + SETTLE_SECONDS_MAX * 1000;
      for (;;) {
        const [[, pages] = []] = await server.query(`SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'`);
        if (Number(pages) <= DIRTY_PAGES_MAX || performance.now() > giveUpAt) break;
        await sleep(100);
      }
      await server.query(`SET GLOBAL innodb_max_dirty_pages_pct = ${Number(pct)}`);
    },
    dispose: () => server.dispose(),
  };
}
