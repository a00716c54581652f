import { afterAll, beforeAll, describe } from 'vitest';
import { parsePostgresUrl } from '../../src/log/postgres/options.ts';
import { PostgresLog } from '../../src/log/postgres/postgres-log.ts';
import { hasPgBouncer, startPgBouncer } from '../support/pgbouncer.ts';
import { hasPostgres, PostgresServer } from '../support/postgres.ts';
import { sharedContract } from './shared-contract.ts';

describe.skipIf(!hasPostgres() || !hasPgBouncer())('through a real PgBouncer in transaction mode', () => {
  let server: PostgresServer;
  let bouncer: Awaited<ReturnType<typeof startPgBouncer>>;
  beforeAll(async () => {
    server = await PostgresServer.start();
    bouncer = await startPgBouncer(server);
  });
  afterAll(async () => {
    await bouncer.stop();
    await server.dispose();
  });

  sharedContract('postgres', async () => {
    const options = parsePostgresUrl(
      `postgres://kedge@127.0.0.1:${bouncer.port}/postgres?pgbouncer=transaction&${server.freshSchema()}`,
    );
    return { log: () => new PostgresLog(options), dispose: async () => {} };
  });
});
