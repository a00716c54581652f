import { type Log, LogError } from '../mvcc/log.ts';
import { MemoryLog } from '../mvcc/memory-log.ts';
import { parseSqliteUrl } from './sqlite/options.ts';
import { SqliteLog } from './sqlite/sqlite-log.ts';

/** Every engine by the scheme of its URL. */
const ENGINES: Readonly<Record<string, (url: string) => Log>> = {
  sqlite: (url) => new SqliteLog(parseSqliteUrl(url)),
  memory: () => new MemoryLog(),
};

/**
 * The Log for a store URL: `sqlite:///absolute/path?…`, `sqlite:relative/path`, or `memory:` (nothing survives the
 * process; for trying out). Not yet open. Throws a LogError `refused` for an unknown scheme or a bad parameter.
 */
export function logFor(storeUrl: string): Log {
  const scheme = storeUrl.slice(0, Math.max(storeUrl.indexOf(':'), 0));
  const engine = Object.hasOwn(ENGINES, scheme) ? ENGINES[scheme] : undefined;
  if (engine === undefined) {
    const known = Object.keys(ENGINES).join(', ');
    throw new LogError('refused', `store ${storeUrl}: no such engine; the known ones are ${known} (sqlite:///path)`);
  }
  return engine(storeUrl);
}
