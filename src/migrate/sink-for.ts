import { importerFor } from '../log/importers.ts';
import type { ImportSink } from '../mvcc/import-sink.ts';
import { LogImport } from './log-import.ts';

/** How a store at this URL is made of rows: the engine's own way, or append. */
export function sinkFor(storeUrl: string): ImportSink {
  return importerFor(storeUrl) ?? new LogImport(storeUrl);
}
