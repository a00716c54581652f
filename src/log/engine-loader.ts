import type { Log } from '../mvcc/log.ts';
import type { EngineContext } from './shared/engine-context.ts';

/** Makes the Log for a URL of its engine's; throws as `logFor` does (`engines.ts`). */
export type Engine = (url: string, context: EngineContext) => Log;

/** As `logFor`, for who has the time to wait: loads the one engine that the URL means, and nothing of the others. */
export async function loadEngine(storeUrl: string): Promise<Engine> {
  switch (storeUrl.slice(0, Math.max(storeUrl.indexOf(':'), 0))) {
    case 'sqlite': {
      const [{ SqliteLog }, { parseSqliteUrl }] = await Promise.all([
        import('./sqlite/sqlite-log.ts'),
        import('./sqlite/options.ts'),
      ]);
      return (url) => new SqliteLog(parseSqliteUrl(url));
    }
    case 'postgres':
    case 'postgresql': {
      const [{ PostgresLog }, { parsePostgresUrl }] = await Promise.all([
        import('./postgres/postgres-log.ts'),
        import('./postgres/options.ts'),
      ]);
      return (url, context) => new PostgresLog(parsePostgresUrl(url), context);
    }
    case 'mysql':
    case 'mariadb': {
      const [{ MysqlLog }, { parseMysqlUrl }] = await Promise.all([
        import('./mysql/mysql-log.ts'),
        import('./mysql/options.ts'),
      ]);
      return (url, context) => new MysqlLog(parseMysqlUrl(url), context);
    }
    default:
      // The one in memory, and what is no engine: that is said there.
      return (await import('./engines.ts')).logFor;
  }
}
