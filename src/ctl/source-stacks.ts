import { readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/*
 * A stack names places in the sources, as bug reports need it, not in what was built from them. Node.js does the same
 * with --enable-source-maps, but reads the map of every file that it loads, which is a sixth of a start; here a map is
 * read when the first stack is looked at that goes through its file.
 */

/** From now on every stack of this thread names places in the sources. Called once, first of all. */
export function showSourcesInStacks(): void {
  const maps = new Map<string, SourceMap | undefined>();
  const mapOf = (file: string): SourceMap | undefined => {
    if (!maps.has(file)) maps.set(file, readMap(file));
    return maps.get(file);
  };
  Error.prepareStackTrace = (error, sites) =>
    [titleOf(error), ...sites.map((site) => `    at ${shownSite(site, mapOf)}`)].join('\n');
}

/** As V8 writes it, with the place in the source where there is a map. */
function shownSite(site: NodeJS.CallSite, mapOf: (file: string) => SourceMap | undefined): string {
  const [name, line, column] = [site.getFileName(), site.getLineNumber(), site.getColumnNumber()];
  const shown = String(site);
  if (typeof name !== 'string' || name.startsWith('node:') || line === null || column === null) return shown;
  const file = name.startsWith('file:') ? fileURLToPath(name) : name;
  const entry = mapOf(file)?.findEntry(line - 1, column - 1);
  if (entry === undefined || !('originalSource' in entry)) return shown;
  const source = resolve(dirname(file), entry.originalSource);
  return shown.replace(
    `${name}:${line}:${column}`,
    () => `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`,
  );
}

function readMap(file: string): SourceMap | undefined {
  try {
    return new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8')) as SourceMapPayload);
  } catch {
    // A file of a package's has none. A stack is always better than none.
    return undefined;
  }
}

function titleOf(error: unknown): string {
  try {
    return String(error);
  } catch {
    // Whose toString throws; where it happened is still worth knowing.
    return 'Error';
  }
}
