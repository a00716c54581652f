import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MysqlLog } from '../../src/log/mysql/mysql-log.ts';
import { parseMysqlUrl } from '../../src/log/mysql/options.ts';
import { parsePostgresUrl } from '../../src/log/postgres/options.ts';
import { PostgresLog } from '../../src/log/postgres/postgres-log.ts';
import type { SharedLog } from '../../src/mvcc/log.ts';
import { hasMariadb, MariadbServer } from '../support/mariadb.ts';
import { hasPostgres, PostgresServer } from '../support/postgres.ts';

/*
 * The table of claims: brought in by replicas that start at once on a store of the version before, and after a clock that
 * was set back.
 */

interface Database {
  log(): SharedLog;
  run(sql: string): Promise<readonly (readonly unknown[])[]>;
}

function claimsOf(open: () => Promise<Database>, toVersionOne: readonly string[], setBack: string, duty: string): void {
  const logs: SharedLog[] = [];
  const opened = (database: Database): SharedLog => {
    const log = database.log();
    logs.push(log);
    return log;
  };
  const HOURLY = [{ duty: 'check', dueAfterMs: 3_600_000 }];

  it('is made by two replicas at once, where there was that of the version before', async () => {
    const database = await open();
    const first = opened(database);
    const state = await first.open();
    await first.close();
    for (const statement of toVersionOne) await database.run(statement);
    const two = [opened(database), opened(database)];
    const states = await Promise.all(two.map((log) => log.open()));
    for (const each of states) expect(each).toEqual(state);
    const claims = await Promise.all(two.map((log, i) => log.claimDuties(HOURLY, String(i))));
    expect(claims.flat().filter(({ isGranted }) => isGranted)).toMatchObject([{ epoch: 1 }]);
    // For replicas of that version, which may still run.
    expect(await database.run(duty)).toHaveLength(1);
    for (const log of logs.splice(0)) await log.close();
  });

  it('gives a duty out although it was claimed in what is the future now', async () => {
    const database = await open();
    const log = opened(database);
    await log.open();
    await log.claimDuties(HOURLY, 'a');
    await database.run(setBack);
    expect(await log.claimDuties(HOURLY, 'b')).toMatchObject([{ epoch: 2, holder: 'b', isGranted: true }]);
    expect(await log.claimDuties(HOURLY, 'a')).toMatchObject([{ epoch: 2, holder: 'b', isGranted: false }]);
    for (const each of logs.splice(0)) await each.close();
  });
}

describe.skipIf(!hasPostgres())('the table of claims in PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  });
  afterAll(() => server.dispose());

  const open = async (): Promise<Database> => {
    const name = server.freshDatabase();
    const options = parsePostgresUrl(server.url(name));
    return { log: () => new PostgresLog(options), run: (sql) => server.query(sql, name) };
  };
  claimsOf(
    open,
    [
      'DROP TABLE kedge.claim',
      "INSERT INTO kedge.duty VALUES ('compact', 'somebody', 7, now() + interval '1 hour')",
      'UPDATE kedge.store SET schema_version = 1',
    ],
    "UPDATE kedge.claim SET at = at + interval '1 day'",
    'SELECT * FROM kedge.duty',
  );
});

describe.skipIf(!hasMariadb())('the table of claims in MariaDB', () => {
  let server: MariadbServer;
  beforeAll(async () => {
    server = await MariadbServer.start();
  });
  afterAll(() => server.dispose());

  const open = async (): Promise<Database> => {
    const name = server.freshDatabase();
    const options = parseMysqlUrl(server.url(name));
    return { log: () => new MysqlLog(options), run: (sql) => server.query(sql.replaceAll('kedge_', `${name}.`)) };
  };
  claimsOf(
    open,
    [
      'DROP TABLE kedge_claim',
      "INSERT INTO kedge_duty VALUES ('compact', 'somebody', 7, 9000000000000000)",
      'UPDATE kedge_kedge SET version = 1',
    ],
    'UPDATE kedge_claim SET at_us = at_us + 86400000000',
    'SELECT * FROM kedge_duty',
  );
});
