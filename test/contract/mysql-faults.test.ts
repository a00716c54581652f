import { afterAll, beforeAll, describe } from 'vitest';
import { MysqlLog } from '../../src/log/mysql/mysql-log.ts';
import { parseMysqlUrl } from '../../src/log/mysql/options.ts';
import { hasMariadb, MariadbServer } from '../support/mariadb.ts';
import { sharedFaults } from './shared-faults.ts';

describe.skipIf(!hasMariadb())('on the way to a real MariaDB', () => {
  let server: MariadbServer;
  beforeAll(async () => {
    server = await MariadbServer.start();
  });
  afterAll(() => server.dispose());

  const create = (append: string) => async () => {
    const database = server.freshDatabase();
    const parameters = `?statement_timeout=1s&connect_timeout=1s&pool_wait=500ms&pool_max=4&append=${append}`;
    return {
      port: server.port,
      logOver: (port: number) => new MysqlLog(parseMysqlUrl(server.url(database, parameters, port))),
    };
  };

  sharedFaults('mysql', create('auto'));
  sharedFaults('mysql, appends as statements', create('statements'));
});
