import { type Log, LogError } from '../mvcc/log.ts';
import { MemoryLog } from '../mvcc/memory-log.ts';
import { MysqlLog } from './mysql/mysql-log.ts';
import { parseMysqlUrl } from './mysql/options.ts';
import { parsePostgresUrl } from './postgres/options.ts';
import { PostgresLog } from './postgres/postgres-log.ts';
import { type EngineContext, SYSTEM_CONTEXT } from './shared/engine-context.ts';
import { shownStoreUrl } from './shared/store-url.ts';
import { parseSqliteUrl } from './sqlite/options.ts';
import { SqliteLog } from './sqlite/sqlite-log.ts';

/** Every engine by the scheme of its URL. Drivers of databases are loaded when they first connect. */
const ENGINES: Readonly<Record<string, (url: string, context: EngineContext) => Log>> = {
  sqlite: (url) => new SqliteLog(parseSqliteUrl(url)),
  postgres: (url, context) => new PostgresLog(parsePostgresUrl(url), context),
  postgresql: (url, context) => new PostgresLog(parsePostgresUrl(url), context),
  mysql: (url, context) => new MysqlLog(parseMysqlUrl(url), context),
  mariadb: (url, context) => new MysqlLog(parseMysqlUrl(url), context),
  memory: () => new MemoryLog(),
};

/**
 * The Log for a store URL: `sqlite:///absolute/path?…`, `sqlite:relative/path`, `postgres://user@host/database?…`, or
 * `memory:` (nothing survives the process; for trying out). Not yet open. Throws a LogError `refused` for an unknown
 * scheme or a bad parameter.
 */
export function logFor(storeUrl: string, context: EngineContext = SYSTEM_CONTEXT): Log {
  const scheme = storeUrl.slice(0, Math.max(storeUrl.indexOf(':'), 0));
  const engine = Object.hasOwn(ENGINES, scheme) ? ENGINES[scheme] : undefined;
  if (engine === undefined) {
    const known = Object.keys(ENGINES).join(', ');
    throw new LogError(
      'refused',
      `store ${shownStoreUrl(storeUrl)}: no such engine; the known ones are ${known} (sqlite:///path)`,
    );
  }
  return engine(storeUrl, context);
}
