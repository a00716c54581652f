import { LogError, type LogState } from '../../mvcc/log.ts';
import type { AlarmKind, Cursor, LeaseRecord, Revision, StoredRecord } from '../../mvcc/types.ts';
import { bigintAt, bytesAt, keyAt, type MysqlConnection, numberAt, type Row } from './connection.ts';
import { ErrorNumber, ServerError } from './errors.ts';

/** Bits of the column `alarms`. */
const ALARM_BITS: Readonly<Record<AlarmKind, number>> = { nospace: 1, corrupt: 2 };

/** The row of `head` that says where the log ends, and the one that says what was swept. */
export interface Head {
  readonly cursor: Cursor;
  readonly horizon: Revision;
  readonly swept: Revision;
  /** The newest revision that has lost a row: whoever is before it cannot be told all any more. */
  readonly removed: Revision;
  readonly alarms: readonly AlarmKind[];
}

/*
 * Row 1 is what appends compare and set, row 2 what sweeps add to: neither waits for the other's commit. Row 2 comes with
 * the first sweep.
 */
const COLUMNS = `h.commit_id, h.revision, h.notes, h.horizon, GREATEST(h.swept, COALESCE(s.swept, 0)), GREATEST(h.removed, COALESCE(s.removed, 0)), h.alarms, @@global.read_only`;
const ROWS = 'head h LEFT JOIN head s ON s.id = 2 WHERE h.id = 1';

/** Reads the head, and whether the server still is the one that writes: a primary that was replaced has old news. */
export const HEAD_STATEMENT = `SELECT ${COLUMNS} FROM ${ROWS}`;

/** The head of a row of HEAD_STATEMENT. */
export function headOf(row: Row | undefined): Head {
  if (row === undefined) throw new LogError('corrupt', 'the table head is empty: restore a backup of the database');
  if (numberAt(row, 7) === 1) throw new ServerError(ErrorNumber.OPTION_PREVENTS_STATEMENT, 'read_only is on');
  return {
    cursor: { commit: numberAt(row, 0), revision: numberAt(row, 1), notes: numberAt(row, 2) },
    horizon: numberAt(row, 3),
    swept: numberAt(row, 4),
    removed: numberAt(row, 5),
    alarms: alarmsOf(numberAt(row, 6)),
  };
}

/** Raises or clears an alarm. */
export function alarmStatement(kind: AlarmKind, raised: boolean): string {
  const bit = ALARM_BITS[kind];
  return `UPDATE head SET alarms = ${raised ? `alarms | ${bit}` : `alarms & ~${bit}`} WHERE id = 1`;
}

/** Begins a transaction that sees one moment, for as long as it lasts, and reads what open tells. */
export async function beginSnapshot(connection: MysqlConnection): Promise<LogState> {
  const [, , heads = [], leases = [], records = []] = await connection.transact([
    'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ',
    'START TRANSACTION WITH CONSISTENT SNAPSHOT',
    `SELECT ${COLUMNS}, (SELECT SUM(log_rows) FROM head), h.cluster_id, h.member_id FROM ${ROWS}`,
    'SELECT id, ttl, remaining_ttl FROM lease ORDER BY id',
    'SELECT name, `value` FROM record ORDER BY name',
  ]);
  const [head] = heads;
  const { cursor, horizon, alarms } = headOf(head);
  return {
    cursor,
    horizon,
    alarms,
    leases: leases.map((row): LeaseRecord => {
      return { id: bigintAt(row, 0), ttl: numberAt(row, 1), remainingTtl: numberAt(row, 2) };
    }),
    records: records.map((row): StoredRecord => ({ name: keyAt(row, 0), value: bytesAt(row, 1) })),
    clusterId: BigInt.asUintN(64, bigintAt(head, 9)),
    memberId: BigInt.asUintN(64, bigintAt(head, 10)),
    rows: numberAt(head, 8),
  };
}

function alarmsOf(bits: number): AlarmKind[] {
  return (['corrupt', 'nospace'] as const).filter((kind) => (bits & ALARM_BITS[kind]) !== 0);
}
