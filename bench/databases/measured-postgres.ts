import { PostgresServer } from '../../test/support/postgres.ts';
import { type MeasuredDatabase, shortened } from './measured-database.ts';

/** PostgreSQL as it comes, with its extension that counts statements. */
export async function startMeasuredPostgres(): Promise<MeasuredDatabase> {
  const server = await PostgresServer.start({
    settings: { shared_preload_libraries: 'pg_stat_statements', max_wal_size: '4GB' },
  });
  const database = server.freshDatabase();
  await server.query(`CREATE DATABASE ${database}`);
  await server.query('CREATE EXTENSION pg_stat_statements', database);
  const [[version] = []] = await server.query('SHOW server_version');
  const ask = (text: string) => server.query(text, database);
  return {
    server: `PostgreSQL ${version}`,
    url: server.url(database),
    forgetStatements: async () => void (await ask('SELECT pg_stat_statements_reset()')),
    longestStatements: async () => {
      const rows = await ask(
        `SELECT max_exec_time, calls, query FROM pg_stat_statements
          WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND query NOT LIKE '%pg_stat_statements%' ORDER BY max_exec_time DESC LIMIT 8`,
      );
      return rows.map(([ms, calls, text]) => ({
        ms: Number(ms),
        calls: Number(calls),
        text: shortened(String(text)),
      }));
    },
    fileBytes: async () => {
      const [row = []] = await ask(
        `SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relnamespace = 'kedge'::regnamespace AND relkind = 'r'`,
      );
      return Number(row[0]);
    },
    leftovers: async () => {
      const [row = []] = await ask(
        `SELECT n_dead_tup, autovacuum_count, vacuum_count FROM pg_stat_user_tables WHERE relname = 'log'`,
      );
      return `${row[0]} dead rows; ${row[1]} autovacuums, ${row[2]} of kedge's own`;
    },
    ageCommits: async () => void (await ask(`UPDATE kedge.commit SET at = at - interval '2 hours'`)),
    settle: async () => void (await ask('CHECKPOINT')),
    dispose: () => server.dispose(),
  };
}
