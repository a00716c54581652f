import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RESOURCE_LIMITS } from './limits.ts';
import { machineFactsShape, schemaVersionShape } from './machine-shapes.ts';
import { count, type Reader, readJson, record, ShapeError, text } from './shape.ts';
import { type MachineFacts, RESOURCES_SCHEMA_VERSION } from './types.ts';

/** Facts of one member as they were once fetched. */
export interface CachedFacts {
  readonly memberId: string;
  /** By the wall clock, since the epoch. */
  readonly fetchedAtMs: number;
  /** By how much its day is shorter than a day. */
  readonly jitterMs: number;
  readonly facts: MachineFacts;
}

/** Where facts are kept. Reading never throws: what cannot be used is undefined, and so is fetched anew. */
export interface FactsCache {
  read(memberId: string): Promise<CachedFacts | undefined>;
  /** Rejects when it cannot be kept. */
  write(entry: CachedFacts): Promise<void>;
}

/** For a program that ends after one answer. */
export function memoryCache(): FactsCache {
  const entries = new Map<string, CachedFacts>();
  return {
    read: async (memberId) => entries.get(memberId),
    write: async (entry) => void entries.set(entry.memberId, entry),
  };
}

/**
 * One JSON file a member in a folder of our own (0700, files 0600: serial numbers are nobody else's business). A file is
 * written beside its place and renamed into it, so that a reader sees the old or the new one. What another version wrote,
 * what is damaged, too large or of another member counts as not there.
 */
export function fileCache(folder: string): FactsCache {
  return {
    async read(memberId) {
      try {
        const entry = readJson(fileShape, await readBounded(join(folder, fileName(memberId))), 'the cache file');
        const fetchedAtMs = Date.parse(entry.fetchedAt);
        if (entry.memberId !== memberId || !Number.isFinite(fetchedAtMs)) return undefined;
        return { memberId, fetchedAtMs, jitterMs: entry.jitterMs, facts: entry.facts };
      } catch (error) {
        // Not there, not readable, not ours: each of them is a miss.
        if (error instanceof ShapeError || (error as NodeJS.ErrnoException).code !== undefined) return undefined;
        throw error;
      }
    },
    async write({ memberId, fetchedAtMs, jitterMs, facts }) {
      const entry: FileEntry = {
        schemaVersion: RESOURCES_SCHEMA_VERSION,
        memberId,
        fetchedAt: new Date(fetchedAtMs).toISOString(),
        jitterMs,
        facts,
      };
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const file = join(folder, fileName(memberId));
      // The same name each time: what a crash left is overwritten by the next one.
      await writeFile(`${file}.new`, `${JSON.stringify(entry)}\n`, { mode: 0o600 });
      await rename(`${file}.new`, file);
      await forgetOldest(folder);
    },
  };
}

interface FileEntry {
  readonly schemaVersion: typeof RESOURCES_SCHEMA_VERSION;
  readonly memberId: string;
  readonly fetchedAt: string;
  readonly jitterMs: number;
  readonly facts: MachineFacts;
}

const fileShape: Reader<FileEntry> = record<FileEntry>({
  schemaVersion: schemaVersionShape,
  memberId: text,
  fetchedAt: text,
  jitterMs: count,
  facts: machineFactsShape,
});

/** The id itself where it can be a file's name, else a digest of it: an id comes from elsewhere, `../x` too. */
function fileName(memberId: string): string {
  const isSafe = /^[0-9a-z][0-9a-z_-]{0,127}$/.test(memberId);
  return `${isSafe ? memberId : `sha256-${createHash('sha256').update(memberId).digest('hex')}`}.json`;
}

async function readBounded(path: string): Promise<Buffer> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    if (size > RESOURCE_LIMITS.answerBytesMax) throw new ShapeError(`${path} has ${size} bytes`);
    return await readFile(handle);
  } finally {
    await handle.close();
  }
}

/** Members come and go with new ids; their files must not stay for ever. */
async function forgetOldest(folder: string): Promise<void> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.json'));
  if (files.length <= RESOURCE_LIMITS.cacheFilesMax) return;
  const dated = await Promise.all(files.map(async (name) => ({ name, at: (await stat(join(folder, name))).mtimeMs })));
  dated.sort((a, b) => a.at - b.at);
  for (const { name } of dated.slice(0, files.length - RESOURCE_LIMITS.cacheFilesMax)) {
    await rm(join(folder, name), { force: true });
  }
}
