import fc from 'fast-check';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { logFor } from '../../src/log/engines.ts';
import { SharedMemoryLog, SharedMemoryStore } from '../../src/mvcc/shared-memory-log.ts';
import { hasPostgres, PostgresServer } from '../support/postgres.ts';
import { Story, step } from './story.ts';

describe.skipIf(!hasPostgres())('the model of a shared log and PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  });
  afterAll(() => server.dispose());

  it('tell the same story', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const store = new SharedMemoryStore(() => performance.now());
        const schema = server.freshSchema();
        const story = new Story(
          () => new SharedMemoryLog(store),
          () => logFor(server.url('histories', `?${schema}`)),
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
