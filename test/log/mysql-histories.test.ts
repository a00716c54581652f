import fc from 'fast-check';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { logFor } from '../../src/log/engines.ts';
import { SharedMemoryLog, SharedMemoryStore } from '../../src/mvcc/shared-memory-log.ts';
import { hasMariadb, MariadbServer } from '../support/mariadb.ts';
import { Story, step } from './story.ts';

describe.skipIf(!hasMariadb())('the model of a shared log and MariaDB', () => {
  let server: MariadbServer;
  beforeAll(async () => {
    server = await MariadbServer.start();
  });
  afterAll(() => server.dispose());

  it('tell the same story', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const store = new SharedMemoryStore(() => performance.now());
        const database = server.freshDatabase();
        const story = new Story(
          () => new SharedMemoryLog(store),
          () => logFor(server.url(database)),
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
  }, 300_000);
});
