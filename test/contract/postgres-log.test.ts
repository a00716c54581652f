import { afterAll, beforeAll, describe } from 'vitest';
import { parsePostgresUrl } from '../../src/log/postgres/options.ts';
import { PostgresLog } from '../../src/log/postgres/postgres-log.ts';
import { hasPostgres, PostgresServer } from '../support/postgres.ts';
import { logContract } from './log-contract.ts';
import { sharedContract } from './shared-contract.ts';

describe.skipIf(!hasPostgres())('on a real PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  });
  afterAll(() => server.dispose());

  async function create() {
    const options = parsePostgresUrl(server.url('contract', `?${server.freshSchema()}`));
    return { log: () => new PostgresLog(options), dispose: async () => {} };
  }

  logContract('postgres', create);
  sharedContract('postgres', create);
});
