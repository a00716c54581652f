import { afterAll, beforeAll, describe } from 'vitest';
import { MysqlLog } from '../../src/log/mysql/mysql-log.ts';
import { parseMysqlUrl } from '../../src/log/mysql/options.ts';
import { hasMariadb, MariadbServer } from '../support/mariadb.ts';
import { logContract } from './log-contract.ts';
import { sharedContract } from './shared-contract.ts';

describe.skipIf(!hasMariadb())('on a real MariaDB', () => {
  let server: MariadbServer;
  beforeAll(async () => {
    server = await MariadbServer.start();
  });
  afterAll(() => server.dispose());

  const create = (parameters: string) => async () => {
    const options = parseMysqlUrl(server.url(server.freshDatabase(), parameters));
    return { log: () => new MysqlLog(options), dispose: async () => {} };
  };

  logContract('mysql', create(''));
  sharedContract('mysql', create(''));
  // As MySQL gets them.
  logContract('mysql, appends as statements', create('?append=statements'));
  sharedContract('mysql, appends as statements', create('?append=statements'));
});
