import { CLOCK_SLACK_MS, type DutyClaim, type DutyRecord, type WantedDuty } from '../../mvcc/duty-fence.ts';
import { int8Array } from './array-format.ts';
import type { PgConnection, TextRow } from './connection.ts';

/*
 * The table `claim`: who claimed each duty last, and when by the server's clock. A claim is one statement. Rows that are
 * due are locked, those that somebody else is claiming at this moment passed over; a row that was claimed between the
 * statement's snapshot and the lock is looked at again as it is now (READ COMMITTED), and then not due any more.
 * Who claims nothing writes nothing.
 */

/** SharedLog.claimDuties. */
export async function claimDuties(
  connection: PgConnection,
  schema: string,
  wanted: readonly WantedDuty[],
  holder: string,
): Promise<readonly DutyClaim[]> {
  const names = wanted.map(({ duty }) => duty).join();
  const dueAfterMs = int8Array(wanted.map((each) => each.dueAfterMs));
  const rows = await connection.query({ name: `${schema}_claim`, text: claimText(schema) }, [
    names,
    dueAfterMs,
    holder,
  ]);
  return rows.map((row) => ({ ...recordOf(row), isGranted: row[4] === 't' }));
}

/** SharedLog.readDuties. */
export async function readDuties(connection: PgConnection, schema: string): Promise<readonly DutyRecord[]> {
  const text = `SELECT name, epoch, holder, ${ageOf('at')} FROM ${schema}.claim ORDER BY name`;
  return (await connection.query({ name: `${schema}_claims`, text })).map(recordOf);
}

function claimText(schema: string): string {
  return `
    WITH wanted AS MATERIALIZED (
      SELECT name, make_interval(secs => after / 1000.0) AS after
        FROM unnest(string_to_array($1::text, ','), $2::bigint[]) w(name, after)),
    due AS MATERIALIZED (
      SELECT c.name, c.at FROM ${schema}.claim c JOIN wanted w ON w.name = c.name
       WHERE c.at <= clock_timestamp() - w.after
          OR c.at > clock_timestamp() + interval '${CLOCK_SLACK_MS} milliseconds'
       ORDER BY c.name FOR UPDATE OF c SKIP LOCKED),
    raised AS (
      UPDATE ${schema}.claim c SET epoch = c.epoch + 1, holder = $3::text, at = clock_timestamp()
        FROM due WHERE due.name = c.name RETURNING c.name, c.epoch, due.at AS before),
    added AS (
      INSERT INTO ${schema}.claim (name, holder, epoch, at)
      SELECT w.name, $3::text, 1, clock_timestamp() FROM wanted w
       WHERE NOT EXISTS (SELECT FROM ${schema}.claim c WHERE c.name = w.name) ORDER BY w.name
      ON CONFLICT (name) DO NOTHING RETURNING name, epoch)
    SELECT name, epoch, $3::text, ${ageOf('before')}, true FROM raised
    UNION ALL SELECT name, epoch, $3::text, NULL, true FROM added
    UNION ALL SELECT c.name, c.epoch, c.holder, ${ageOf('c.at')}, false FROM ${schema}.claim c JOIN wanted w ON w.name = c.name
     WHERE NOT EXISTS (SELECT FROM raised r WHERE r.name = c.name)`;
}

/** In milliseconds. */
function ageOf(column: string): string {
  return `extract(epoch FROM clock_timestamp() - ${column}) * 1000`;
}

function recordOf([duty, epoch, holder, ageMs]: TextRow): DutyRecord {
  return {
    duty: duty ?? '',
    epoch: Number(epoch),
    holder: holder ?? '',
    ageMs: ageMs == null ? Number.POSITIVE_INFINITY : Number(ageMs),
  };
}
