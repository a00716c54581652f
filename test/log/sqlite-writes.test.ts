import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseSqliteUrl } from '../../src/log/sqlite/options.ts';
import { SqliteLog } from '../../src/log/sqlite/sqlite-log.ts';
import type { Change } from '../../src/mvcc/types.ts';

const ROWS = 1000;
const VALUE_BYTES = 4096;

/** Writes that this process has asked the system for, of all its threads. */
function writesSoFar(): number {
  return Number(/^syscw: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
}

describe.skipIf(process.platform !== 'linux')('the writer of an embedded store', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kedge-writes-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  /** Appends ROWS values in one commit; answers how many writes that took. */
  async function append(parameters: string): Promise<number> {
    const log = new SqliteLog(parseSqliteUrl(`sqlite://${folder}/kedge.db?${parameters}`));
    const { cursor } = await log.open();
    const changes: Change[] = Array.from({ length: ROWS }, (_, i) => ({
      kind: 'put',
      revision: cursor.revision + 1 + i,
      sub: 0,
      key: `/registry/pods/${i}`,
      createRevision: cursor.revision + 1 + i,
      version: 1,
      lease: 0n,
      value: new Uint8Array(VALUE_BYTES).fill(i),
    }));
    const before = writesSoFar();
    const result = await log.append({ expected: cursor, commit: 0, changes, notes: [] });
    const writes = writesSoFar() - before;
    expect(result).toEqual({ kind: 'committed' });
    const read = await log.rows([{ revision: cursor.revision + ROWS, sub: 0 }]);
    expect(read[0]?.value).toEqual(changes.at(-1)?.value);
    await log.close();
    return writes;
  }

  it('gathers the pages of a commit: 4 MiB in some dozens of writes', async () => {
    expect(await append('synchronous=full')).toBeLessThan(ROWS / 5);
  });

  it('gathers nothing where SQLite does not sync before it tells', async () => {
    expect(await append('synchronous=normal')).toBeGreaterThan(ROWS);
  });
});
