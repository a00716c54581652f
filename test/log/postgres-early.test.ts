import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parsePostgresUrl } from '../../src/log/postgres/options.ts';
import { PostgresLog } from '../../src/log/postgres/postgres-log.ts';
import { BatchesBelow } from '../../src/mvcc/batches-below.ts';
import type { AppendBatch } from '../../src/mvcc/log.ts';
import type { Cursor } from '../../src/mvcc/types.ts';
import { put } from '../contract/changes.ts';
import { batchAt } from '../contract/shared-contract.ts';
import { cursorAfter } from '../support/commit-chain.ts';
import { hasPostgres, PostgresServer } from '../support/postgres.ts';

/** Appends that are sent to PostgreSQL before the commit below them is there. */
describe.skipIf(!hasPostgres()).each(['', '?pgbouncer=true'])('an early append in PostgreSQL%s', (parameters) => {
  let server: PostgresServer;
  let a: PostgresLog;
  let b: PostgresLog;
  let at: Cursor;
  /** Somebody whose transaction takes its time. */
  let slow: pg.Client;

  beforeAll(async () => {
    server = await PostgresServer.start();
  });
  afterAll(() => server.dispose());
  beforeEach(async () => {
    const database = server.freshDatabase();
    await server.query(`CREATE DATABASE ${database}`);
    const url = server.url(database, parameters);
    [a, b] = [new PostgresLog(parsePostgresUrl(url)), new PostgresLog(parsePostgresUrl(url))];
    at = (await a.open()).cursor;
    await b.open();
    slow = new pg.Client({ connectionString: server.url(database) });
    await slow.connect();
  });
  afterEach(async () => {
    await slow.end();
    for (const log of [a, b]) await log.close();
  });

  function upon(cursor: Cursor, value: string): AppendBatch {
    return batchAt(cursor, [put(cursor.revision + 1, 0, 'k', value), put(cursor.revision + 2, 0, 'l', value)]);
  }

  /** What an append does, as far as its commit goes, without an end. */
  async function beginCommit({ expected, commit }: AppendBatch): Promise<void> {
    await slow.query('BEGIN');
    await slow.query('SELECT pg_advisory_xact_lock($1)', [commit]);
    await slow.query(
      `INSERT INTO kedge.commit SELECT number + 1, $2, revision + 2, notes, 0, total, now() FROM kedge.commit WHERE id = $1`,
      [expected.commit, commit],
    );
  }

  async function untilSomebodyWaits(mode: string): Promise<void> {
    const waiting = `SELECT FROM pg_locks WHERE NOT granted AND locktype = '${mode}'`;
    while ((await slow.query(waiting)).rowCount === 0);
  }

  it('waits in the server for the commit below, with its rows written and unseen, and comes directly after it', async () => {
    const first = upon(at, '1');
    const second = upon(cursorAfter(first), '2');
    await beginCommit(first);
    const appending = b.append(second, new BatchesBelow([first]));
    await untilSomebodyWaits('advisory');
    expect(await a.changes(at.revision, 1e6)).toEqual([]);
    expect(await a.head()).toBe(at.revision);
    await slow.query('COMMIT');
    expect(await appending).toEqual({ kind: 'committed' });
    expect(await a.head()).toBe(at.revision + 4);
    expect((await a.changes(at.revision, 1e6)).map(({ revision }) => revision)).toEqual([
      at.revision + 3,
      at.revision + 4,
    ]);
  });

  it('is taken back whole when the one below is, and is not sent again once nobody waits for that', async () => {
    const first = upon(at, '1');
    const below = new BatchesBelow([first]);
    await beginCommit(first);
    const appending = b.append(upon(cursorAfter(first), '2'), below);
    await untilSomebodyWaits('advisory');
    await slow.query('ROLLBACK');
    const other = upon(at, 'other');
    expect(await a.append(other)).toEqual({ kind: 'committed' });
    below.know(false);
    expect(await appending).toEqual({ kind: 'moved' });
    expect((await a.changes(at.revision, 1e6)).map(({ value }) => String(value))).toEqual(
      other.changes.map(({ value }) => String(value)),
    );
  });

  it('that has overtaken the one below is sent again when that is committed, and says so', async () => {
    const first = upon(at, '1');
    const second = upon(cursorAfter(first), '2');
    const below = new BatchesBelow([first]);
    const appending = b.append(second, below);
    // What is behind it on its connection is done after it.
    expect(await b.append(upon({ ...at, commit: 1 }, 'nowhere'))).toEqual({ kind: 'moved' });
    expect(await a.append(first)).toEqual({ kind: 'committed' });
    below.know(true);
    expect(await appending).toEqual({ kind: 'committed', overtook: true });
    expect(await a.head()).toBe(at.revision + 4);
  });

  it('gives way to one at the same place, so that neither waits for the other', async () => {
    const first = upon(at, '1');
    expect(await a.append(first)).toEqual({ kind: 'committed' });
    const below = new BatchesBelow([first]);
    // As if the one below took longer, and the other one knew already that it is there.
    await slow.query('BEGIN');
    await slow.query('SELECT pg_advisory_xact_lock($1)', [first.commit]);
    const early = b.append(upon(cursorAfter(first), 'early'), below);
    await untilSomebodyWaits('advisory');
    const other = upon(cursorAfter(first), 'other');
    const appending = a.append(other);
    await untilSomebodyWaits('transactionid');
    await slow.query('COMMIT');
    expect(await appending).toEqual({ kind: 'committed' });
    below.know(true);
    expect(await early).toEqual({ kind: 'moved' });
    expect((await a.changes(at.revision + 2, 1e6)).map(({ value }) => String(value))).toEqual(
      other.changes.map(({ value }) => String(value)),
    );
  });

  it('passes on what is no miss', async () => {
    await slow.query('ALTER TABLE kedge.log ADD CONSTRAINT short CHECK (octet_length(value) < 100)');
    const first = upon(at, '1');
    const appending = b.append(upon(cursorAfter(first), 'x'.repeat(100)), new BatchesBelow([first]));
    await expect(appending).rejects.toThrow(/short/);
  });
});
