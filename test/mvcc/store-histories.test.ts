import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSqliteUrl } from '../../src/log/sqlite/options.ts';
import { SqliteLog } from '../../src/log/sqlite/sqlite-log.ts';
import { MemoryLog, MemoryStore } from '../../src/mvcc/memory-log.ts';
import { seedOf } from '../support/random.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { history } from './histories.ts';
import { replay, TINY_CACHE } from './replay.ts';

describe('random histories: the store answers as the model does', () => {
  const seed = seedOf(1);

  it('over the memory log, hardly anything cached', async () => {
    await fc.assert(
      fc.asyncProperty(history, async (steps) => {
        const rows = new MemoryStore();
        await replay(steps, () => new MemoryLog(rows), TINY_CACHE);
      }),
      { seed, numRuns: 150 },
    );
  }, 180_000);

  it('over the memory log, everything cached', async () => {
    await fc.assert(
      fc.asyncProperty(history, async (steps) => {
        const rows = new MemoryStore();
        await replay(steps, () => new MemoryLog(rows), {});
      }),
      { seed: seed + 1, numRuns: 150 },
    );
  }, 180_000);

  it('over SQLite, with the same HashKV as over the memory log', async () => {
    const folder = temporaryFolder('mvcc');
    let run = 0;
    await fc.assert(
      fc.asyncProperty(history, async (all) => {
        run += 1;
        const options = parseSqliteUrl(`sqlite://${folder}/${run}.db`);
        const rows = new MemoryStore();
        // Opening takes its time: once anew is enough.
        const firstRestart = all.findIndex((step) => step.kind === 'restart');
        const steps = all.filter((step, i) => step.kind !== 'restart' || i === firstRestart);
        const onMemory = await replay(steps, () => new MemoryLog(rows), TINY_CACHE);
        expect(await replay(steps, () => new SqliteLog(options), TINY_CACHE)).toBe(onMemory);
      }),
      { seed: seed + 2, numRuns: 10 },
    );
  }, 180_000);
});
