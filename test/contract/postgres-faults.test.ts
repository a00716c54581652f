import { afterAll, beforeAll, describe } from 'vitest';
import { parsePostgresUrl } from '../../src/log/postgres/options.ts';
import { PostgresLog } from '../../src/log/postgres/postgres-log.ts';
import { hasPostgres, PostgresServer } from '../support/postgres.ts';
import { sharedFaults } from './shared-faults.ts';

describe.skipIf(!hasPostgres())('on the way to a real PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  });
  afterAll(() => server.dispose());

  sharedFaults('postgres', async () => {
    const schema = server.freshSchema();
    return {
      port: server.port,
      logOver: (port) =>
        new PostgresLog(
          parsePostgresUrl(
            `postgres://kedge@127.0.0.1:${port}/faults?${schema}&statement_timeout=1s&pool_wait=1s&pool_max=4`,
          ),
        ),
    };
  });
});
