import type { ImportSink } from '../mvcc/import-sink.ts';
import { SqliteImport } from './sqlite/import.ts';
import { parseSqliteUrl } from './sqlite/options.ts';

/** Engines that import in a way of their own, by the scheme of their URL. */
const IMPORTERS: Readonly<Record<string, (url: string) => ImportSink>> = {
  sqlite: (url) => new SqliteImport(parseSqliteUrl(url)),
};

/** The engine's own way to import; undefined when it has none, and append must do. Throws a LogError `refused`. */
export function importerFor(storeUrl: string): ImportSink | undefined {
  const scheme = storeUrl.slice(0, Math.max(storeUrl.indexOf(':'), 0));
  return Object.hasOwn(IMPORTERS, scheme) ? IMPORTERS[scheme]?.(storeUrl) : undefined;
}
