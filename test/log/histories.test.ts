import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { logFor } from '../../src/log/engines.ts';
import { MemoryLog, MemoryStore } from '../../src/mvcc/memory-log.ts';
import { Story, step } from './story.ts';

describe('the model and SQLite', () => {
  it('tell the same story', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const folder = await mkdtemp(join(tmpdir(), 'kedge-history-'));
        const store = new MemoryStore();
        const story = new Story(
          () => new MemoryLog(store),
          () => logFor(`sqlite://${folder}/kedge.db?wal_mib=1`),
        );
        try {
          await story.restart();
          for (const each of steps) await story.tell(each);
          await story.restart();
        } finally {
          await story.close();
          await rm(folder, { recursive: true });
        }
      }),
      { numRuns: Number(process.env['KEDGE_HISTORIES'] ?? 25) },
    );
  }, 300_000);
});
