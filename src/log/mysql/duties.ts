import { CLOCK_SLACK_MS, type DutyClaim, type DutyRecord, isDue, type WantedDuty } from '../../mvcc/duty-fence.ts';
import { retryConflicts } from './conflicts.ts';
import { type MysqlConnection, numberAt, type Row, textAt } from './connection.ts';
import { NOW_US, textLiteral } from './literals.ts';

/*
 * The table `claim`: who claimed each duty last, and when by the server's clock. First a plain look: who finds nothing
 * due locks and writes nothing. The claim is one UPDATE that asks again for each row whether it is due; of two at once
 * the second waits for the row, or on Galera fails certification and comes again, and then it is not due any more.
 */

/** SharedLog.claimDuties. */
export async function claimDuties(
  connection: MysqlConnection,
  wanted: readonly WantedDuty[],
  holder: string,
): Promise<readonly DutyClaim[]> {
  const before = new Map((await readDuties(connection, wanted)).map((record) => [record.duty, record]));
  const ageOf = (duty: string): number => before.get(duty)?.ageMs ?? Number.POSITIVE_INFINITY;
  const due = wanted.filter(({ duty, dueAfterMs }) => isDue(ageOf(duty), dueAfterMs));
  if (due.length === 0) return [...before.values()].map((record) => ({ ...record, isGranted: false }));
  const me = textLiteral(holder);
  const missing = due.filter(({ duty }) => !before.has(duty));
  const conditions = due.map(
    ({ duty, dueAfterMs }) => `(name = ${textLiteral(duty)} AND at_us <= @now - ${Math.round(dueAfterMs * 1000)})`,
  );
  const statements = [
    `SET @now = ${NOW_US}`,
    `UPDATE claim SET epoch = epoch + 1, holder = ${me}, at_us = @now
      WHERE name IN ${namesOf(due)} AND (${conditions.join(' OR ')} OR at_us > @now + ${CLOCK_SLACK_MS * 1000})`,
    ...(missing.length === 0
      ? []
      : [
          `INSERT INTO claim (name, holder, epoch, at_us) VALUES ${missing
            .map(({ duty }) => `(${textLiteral(duty)},${me},1,@now)`)
            .join()} ON DUPLICATE KEY UPDATE name = claim.name`,
        ]),
    `SELECT name, epoch, holder, (@now - at_us) / 1000, holder = ${me} AND at_us = @now FROM claim WHERE name IN ${namesOf(wanted)}`,
  ];
  const rows = (await retryConflicts(() => connection.run(statements))).at(-1) ?? [];
  return rows.map((row) => {
    const record = recordOf(row);
    const isGranted = numberAt(row, 4) === 1;
    return { ...record, ageMs: isGranted ? ageOf(record.duty) : record.ageMs, isGranted };
  });
}

/** SharedLog.readDuties. `wanted`: only these. */
export async function readDuties(
  connection: MysqlConnection,
  wanted?: readonly WantedDuty[],
): Promise<readonly DutyRecord[]> {
  const which = wanted === undefined ? '' : ` WHERE name IN ${namesOf(wanted)}`;
  const rows = await connection.rows(`SELECT name, epoch, holder, (${NOW_US} - at_us) / 1000 FROM claim${which}`);
  return rows.map(recordOf);
}

function namesOf(wanted: readonly WantedDuty[]): string {
  return `(${wanted.map(({ duty }) => textLiteral(duty)).join()})`;
}

function recordOf(row: Row): DutyRecord {
  return { duty: textAt(row, 0), epoch: numberAt(row, 1), holder: textAt(row, 2), ageMs: numberAt(row, 3) };
}
