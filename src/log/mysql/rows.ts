import {
  type Change,
  type ChangeHead,
  type LeaseId,
  NO_LEASE,
  type Position,
  type Revision,
} from '../../mvcc/types.ts';
import { bigintAt, bytesAt, keyAt, type MysqlConnection, numberAt, type Row, type Rows } from './connection.ts';
import { isAt } from './positions.ts';

/*
 * Reading the log. Pages are found by key (after this position), never by offset, so each costs the same.
 */

const HEAD_COLUMNS = 'revision, sub, kind, create_revision, version, lease, `key`, value_bytes';
const COLUMNS = 'revision, sub, kind, create_revision, version, lease, `key`, `value`';

/** Rows of one page of heads. */
const HEADS_PER_PAGE = 2_000;
/** Rows that are weighed at a time, to see how many fit. */
const WEIGHED_PER_PAGE = 1_000;
/** More than any. */
const SUB_MAX = 2 ** 31 - 1;
/** Positions in one statement. */
const POSITIONS_PER_STATEMENT = 250;

/** Hands over all rows up to a revision, in pages; the next one is fetched while one is being visited. */
export async function load(
  connection: MysqlConnection,
  upTo: Revision,
  visit: (rows: readonly ChangeHead[]) => void | Promise<void>,
): Promise<void> {
  let next = headsAfter(connection, { revision: 0, sub: 0 }, upTo);
  for (;;) {
    const heads = await next;
    const last = heads.at(-1);
    if (last === undefined) return;
    next = headsAfter(connection, last, upTo);
    // Told when it is awaited; the visitor may throw before.
    next.catch(() => {});
    await visit(heads);
  }
}

/** Revision, sub and bytes of the rows after a position, a page of them. */
function weigh(connection: MysqlConnection, after: Position): Promise<Rows> {
  return connection.rows(
    `SELECT revision, sub, OCTET_LENGTH(\`key\`) + value_bytes FROM log WHERE ${isAfter(after)} ORDER BY revision, sub LIMIT ${WEIGHED_PER_PAGE}`,
  );
}

/** The condition of standing after a position, as both servers turn it into ranges of the primary key. */
function isAfter({ revision, sub }: Position): string {
  return `((revision = ${revision} AND sub > ${sub}) OR revision > ${revision})`;
}

async function headsAfter(connection: MysqlConnection, after: Position, upTo: Revision): Promise<ChangeHead[]> {
  const rows = await connection.rows(
    `SELECT ${HEAD_COLUMNS} FROM log WHERE ${isAfter(after)} AND revision <= ${upTo} ORDER BY revision, sub LIMIT ${HEADS_PER_PAGE}`,
  );
  return rows.map(changeHeadOf);
}

/** Whole transactions after a revision until about so many bytes are gathered. */
export async function changesAfter(
  connection: MysqlConnection,
  after: Revision,
  bytesMax: number,
): Promise<readonly Change[]> {
  const until = await lastThatFits(connection, after, bytesMax);
  if (until === undefined) return [];
  return (await connection.rows(changesStatement(after, until))).map(changeOf);
}

/** Changes after one revision up to another. */
export function changesStatement(after: Revision, upTo: Revision): string {
  return `SELECT ${COLUMNS} FROM log WHERE revision > ${after} AND revision <= ${upTo} ORDER BY revision, sub`;
}

/** The transaction with which the bytes are gathered, or the last one; undefined when there is none. */
async function lastThatFits(
  connection: MysqlConnection,
  after: Revision,
  bytesMax: number,
): Promise<Revision | undefined> {
  let bytes = 0;
  let at: Position | undefined;
  for (;;) {
    const rows = await weigh(connection, at ?? { revision: after, sub: SUB_MAX });
    for (const row of rows) {
      const next = numberAt(row, 0);
      if (at !== undefined && next !== at.revision && bytes >= bytesMax) return at.revision;
      bytes += numberAt(row, 2);
      at = { revision: next, sub: numberAt(row, 1) };
    }
    // However many rows the last transaction has: all of them come.
    if (rows.length < WEIGHED_PER_PAGE || bytes >= bytesMax) return at?.revision;
  }
}

/** Rows after a position, about so many bytes of them, or one. */
export async function pageAfter(
  connection: MysqlConnection,
  after: Position,
  bytesMax: number,
): Promise<readonly Change[]> {
  const weighed = await weigh(connection, after);
  let bytes = 0;
  let count = 0;
  while (count < weighed.length && (count === 0 || bytes < bytesMax)) {
    bytes += numberAt(weighed[count], 2);
    count += 1;
  }
  if (count === 0) return [];
  const rows = await connection.rows(
    `SELECT ${COLUMNS} FROM log WHERE ${isAfter(after)} ORDER BY revision, sub LIMIT ${count}`,
  );
  return rows.map(changeOf);
}

/** The rows at the positions, in their order. */
export async function rowsAt(
  connection: MysqlConnection,
  positions: readonly Position[],
): Promise<readonly (Change | undefined)[]> {
  const found = new Map<string, Change>();
  for (let at = 0; at < positions.length; at += POSITIONS_PER_STATEMENT) {
    const some = positions.slice(at, at + POSITIONS_PER_STATEMENT);
    const rows = await connection.rows(`SELECT ${COLUMNS} FROM log WHERE ${isAt(some)}`);
    for (const row of rows) {
      const change = changeOf(row);
      found.set(placeOf(change), change);
    }
  }
  return positions.map((position) => found.get(placeOf(position)));
}

/** A change of a row of `changesStatement`. Field by field, here and below: a start reads millions of them. */
export function changeOf(row: Row): Change {
  return {
    revision: numberAt(row, 0),
    sub: numberAt(row, 1),
    kind: numberAt(row, 2) === 0 ? 'put' : 'delete',
    createRevision: numberAt(row, 3),
    version: numberAt(row, 4),
    lease: leaseAt(row, 5),
    key: keyAt(row, 6),
    value: bytesAt(row, 7),
  };
}

/** The same of HEAD_COLUMNS. */
function changeHeadOf(row: Row): ChangeHead {
  return {
    revision: numberAt(row, 0),
    sub: numberAt(row, 1),
    kind: numberAt(row, 2) === 0 ? 'put' : 'delete',
    createRevision: numberAt(row, 3),
    version: numberAt(row, 4),
    lease: leaseAt(row, 5),
    key: keyAt(row, 6),
    valueBytes: numberAt(row, 7),
  };
}

/** Most have none: no bigint is made for it. */
function leaseAt(row: Row, column: number): LeaseId {
  return row[column] === 0 ? NO_LEASE : bigintAt(row, column);
}

function placeOf({ revision, sub }: Position): string {
  return `${revision}.${sub}`;
}
