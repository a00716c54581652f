import type { LogState } from '../../mvcc/log.ts';
import { CHANGES_PER_TXN_MAX, type Change, type ChangeHead, type Position, type Revision } from '../../mvcc/types.ts';
import { int4Array, int8Array } from './array-format.ts';
import type { PgConnection } from './connection.ts';
import { alarmsOf } from './news.ts';
import { bytesOf, changesOf, headOf, unescaped } from './rows.ts';
import type { Statements } from './statements.ts';

/** Rows of one answer. */
const PAGE_ROWS = 2048;
const HEADS_PAGE_ROWS = 4096;
/** Keys of one page of heads. */
const HEADS_PAGE_BYTES = 4 * 2 ** 20;
/** Keys and values of one page of changes. */
const PAGE_BYTES_MIN = 256 * 2 ** 10;
const PAGE_BYTES_MAX = 16 * 2 ** 20;
/** Positions asked for in one statement. */
const POSITIONS_MAX = 1024;

/** Several questions of one moment. */
export async function inSnapshot<T>(connection: PgConnection, read: () => Promise<T>): Promise<T> {
  await connection.run('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  try {
    return await read();
  } finally {
    // Nothing was written: however it ends, it ends.
    await connection.run('ROLLBACK').catch(() => connection.destroy('a read could not be ended'));
  }
}

/** Of one moment when the connection is in a snapshot. */
export async function readState(connection: PgConnection, statements: Statements): Promise<LogState> {
  const [heads, states, leases, records, counts] = await Promise.all([
    connection.query(statements.head),
    connection.query(statements.state),
    connection.query(statements.leases),
    connection.query(statements.records),
    connection.query(statements.rowCount),
  ]);
  const [, commit, revision, notes] = heads[0] ?? [];
  const [horizon, clusterId, memberId, alarms] = states[0] ?? [];
  return {
    cursor: { revision: Number(revision), notes: Number(notes), commit: Number(commit) },
    horizon: Number(horizon),
    leases: leases.map(([id, ttl, remainingTtl]) => ({
      id: BigInt(id ?? 0),
      ttl: Number(ttl),
      remainingTtl: Number(remainingTtl),
    })),
    records: records.map(([name, value]) => ({ name: unescaped(name ?? ''), value: bytesOf(value) })),
    alarms: alarmsOf(alarms ?? ''),
    clusterId: BigInt.asUintN(64, BigInt(clusterId ?? 0)),
    memberId: BigInt.asUintN(64, BigInt(memberId ?? 0)),
    rows: Number(counts[0]?.[0]),
  };
}

/** Every row up to a revision, of one moment; the next page is on its way while one is visited. */
export function loadHeads(
  connection: PgConnection,
  until: Revision,
  visit: (rows: readonly ChangeHead[]) => void | Promise<void>,
  statements: Statements,
): Promise<void> {
  const pageAfter = async ({ revision, sub }: Position) => {
    const values = [revision, sub, HEADS_PAGE_ROWS, HEADS_PAGE_BYTES, until];
    return (await connection.query(statements.heads, values)).map(headOf);
  };
  return inSnapshot(connection, async () => {
    let next = pageAfter({ revision: 0, sub: 0 });
    for (;;) {
      const heads = await next;
      const last = heads.at(-1);
      if (last === undefined) return;
      next = pageAfter(last);
      // Whoever waits for it hears of its failure; when the visitor fails first, nobody does.
      next.catch(() => {});
      await visit(heads);
    }
  });
}

/**
 * Page by page. A transaction is there as a whole or not at all, and rows only ever vanish by sweeping, so the pages
 * need not be of one moment.
 */
export async function readChanges(
  connection: PgConnection,
  after: Revision,
  bytesMax: number,
  statements: Statements,
): Promise<readonly Change[]> {
  const out: Change[] = [];
  let bytes = 0;
  let last: Position = { revision: after, sub: CHANGES_PER_TXN_MAX };
  for (;;) {
    // More than is left to gather may be needed: to the end of a transaction.
    const pageBytes = Math.min(Math.max(bytesMax - bytes, PAGE_BYTES_MIN), PAGE_BYTES_MAX);
    const page = await connection.query(statements.changes, [last.revision, last.sub, PAGE_ROWS, pageBytes]);
    const before = bytes;
    for (const change of changesOf(page)) {
      if (out.length > 0 && bytes >= bytesMax && change.revision !== last.revision) return out;
      out.push(change);
      bytes += change.key.length + change.value.length;
      last = change;
    }
    // Neither the number of rows nor their bytes ended the page: the log did.
    if (page.length < PAGE_ROWS && bytes - before < pageBytes) return out;
  }
}

export async function readRows(
  connection: PgConnection,
  at: readonly Position[],
  statements: Statements,
): Promise<readonly (Change | undefined)[]> {
  const out = new Array<Change | undefined>(at.length).fill(undefined);
  for (let from = 0; from < at.length; from += POSITIONS_MAX) {
    const asked = at.slice(from, from + POSITIONS_MAX);
    const found = await connection.query(statements.rows, [
      int8Array(asked.map(({ revision }) => revision)),
      int4Array(asked.map(({ sub }) => sub)),
    ]);
    for (const [i, change] of changesOf(found).entries()) out[from + Number(found[i]?.[3]) - 1] = change;
  }
  return out;
}
