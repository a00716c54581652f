import { LEASE_PARTS } from '../../mvcc/duty-names.ts';
import type { LeaseId } from '../../mvcc/types.ts';
import { retryConflicts } from './conflicts.ts';
import { bigintAt, type MysqlConnection, numberAt } from './connection.ts';
import { idList, NOW_US } from './literals.ts';

/*
 * Leases live by the server's clock: a deadline is its now and the TTL, in microseconds.
 */

/** Ids in one statement. */
const IDS_PER_STATEMENT = 1_000;

/** SharedLog.renewLeases. Each thousand in a commit of its own. */
export async function renewLeases(connection: MysqlConnection, ids: readonly LeaseId[]): Promise<ReadonlySet<LeaseId>> {
  const renewed = new Set<LeaseId>();
  for (const some of slices(ids)) {
    for (const id of await retryConflicts(() => renewSome(connection, some))) renewed.add(id);
  }
  return renewed;
}

async function renewSome(connection: MysqlConnection, ids: readonly LeaseId[]): Promise<LeaseId[]> {
  const which = `id IN ${idList(ids)} AND deadline_us > @now`;
  try {
    const answers = await connection.transact([
      'START TRANSACTION',
      `SET @now = ${NOW_US}`,
      `SELECT id FROM lease WHERE ${which} FOR UPDATE`,
      `UPDATE lease SET deadline_us = @now + ttl * 1000000 WHERE ${which}`,
      'COMMIT',
    ]);
    return (answers[2] ?? []).map((row) => bigintAt(row, 0));
  } catch (error) {
    await connection.rollback();
    throw error;
  }
}

/** SharedLog.leasesLeftMs. */
export async function leasesLeftMs(
  connection: MysqlConnection,
  ids: readonly LeaseId[],
): Promise<ReadonlyMap<LeaseId, number>> {
  const left = new Map<LeaseId, number>();
  for (const some of slices(ids)) {
    const rows = await connection.rows(`SELECT id, deadline_us - ${NOW_US} FROM lease WHERE id IN ${idList(some)}`);
    for (const row of rows) left.set(bigintAt(row, 0), numberAt(row, 1) / 1000);
  }
  return left;
}

/** SharedLog.expiredLeases. */
export async function expiredLeases(
  connection: MysqlConnection,
  countMax: number,
  parts = LEASE_PARTS,
): Promise<readonly LeaseId[]> {
  const rows = await connection.rows(
    `SELECT id FROM lease WHERE deadline_us <= ${NOW_US} AND id & 15 IN ${idList(parts)} ORDER BY deadline_us, id LIMIT ${Math.max(0, Math.floor(countMax))}`,
  );
  return rows.map((row) => bigintAt(row, 0));
}

/** SharedLog.refreshLeases. */
export async function refreshLeases(connection: MysqlConnection, parts: readonly number[]): Promise<void> {
  await retryConflicts(() =>
    connection.rows(`UPDATE lease SET deadline_us = ${NOW_US} + ttl * 1000000 WHERE id & 15 IN ${idList(parts)}`),
  );
}

function* slices(ids: readonly LeaseId[]): Generator<readonly LeaseId[]> {
  for (let at = 0; at < ids.length; at += IDS_PER_STATEMENT) yield ids.slice(at, at + IDS_PER_STATEMENT);
}
