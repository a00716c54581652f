import fc from 'fast-check';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { logFor } from '../../src/log/engines.ts';
import { SharedMemoryLog, SharedMemoryStore } from '../../src/mvcc/shared-memory-log.ts';
import { SHARED_ENGINES, type SharedServer } from '../contract/shared-engines.ts';
import { Story, step } from './story.ts';

describe.each(SHARED_ENGINES)('the model of a shared log and $name', ({ isThere, start }) => {
  let server: SharedServer;
  beforeAll(async () => {
    if (isThere) server = await start();
  });
  afterAll(async () => {
    if (isThere) await server.dispose();
  });

  it.skipIf(!isThere)(
    'tell the same story',
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
          const store = new SharedMemoryStore(() => performance.now());
          const url = server.freshUrl();
          const story = new Story(
            () => new SharedMemoryLog(store),
            () => logFor(url),
          );
          try {
            await story.restart();
            for (const each of steps) await story.tell(each);
            await story.restart();
          } finally {
            await story.close();
          }
        }),
        { numRuns: Number(process.env['KEDGE_HISTORIES'] ?? 20) },
      );
    },
    300_000,
  );
});
