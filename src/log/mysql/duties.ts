import { retryConflicts } from './conflicts.ts';
import { type MysqlConnection, numberAt } from './connection.ts';
import { NOW_US, textLiteral } from './literals.ts';

/*
 * Who has a duty, until when, by the server's clock. The row is written by whoever claims, so of two that claim at once
 * one is second: it waits for the row, or on Galera fails certification, and then finds it taken.
 */

/** SharedLog.claimDuty. */
export async function claimDuty(
  connection: MysqlConnection,
  name: string,
  holder: string,
  holdMs: number,
): Promise<number | undefined> {
  const me = textLiteral(holder);
  const until = `${NOW_US} + ${Math.round(holdMs * 1000)}`;
  // Assignments are made from left to right, and see those before them.
  const [, rows = []] = await retryConflicts(() =>
    connection.run([
      `INSERT INTO duty (name, holder, epoch, until_us) VALUES (${textLiteral(name)},${me},1,${until})
       ON DUPLICATE KEY UPDATE
         epoch = epoch + IF(until_us <= ${NOW_US}, 1, 0),
         holder = IF(until_us <= ${NOW_US}, ${me}, holder),
         until_us = IF(holder = ${me}, ${until}, until_us)`,
      `SELECT epoch FROM duty WHERE name = ${textLiteral(name)} AND holder = ${me} AND until_us > ${NOW_US}`,
    ]),
  );
  return rows.length === 0 ? undefined : numberAt(rows[0], 0);
}

/** SharedLog.releaseDuty. */
export async function releaseDuty(connection: MysqlConnection, name: string, holder: string): Promise<void> {
  await retryConflicts(() =>
    connection.rows(
      `UPDATE duty SET until_us = 0 WHERE name = ${textLiteral(name)} AND holder = ${textLiteral(holder)}`,
    ),
  );
}
