import { LogError } from '../../mvcc/log.ts';
import type { EngineContext } from '../shared/engine-context.ts';
import type { PgConnection, TextRow } from './connection.ts';
import type { PostgresOptions } from './options.ts';

/** The oldest that is supported by its makers when this was written is 13. */
const VERSION_MIN = 130_000;

/** A difference of clocks that is worth a word: leases live by the database's, logs and certificates by ours. */
const CLOCK_DIFFERENCE_MS_MAX = 5_000;

/** What a server says of itself. */
export interface ServerFacts {
  /** Such as "PostgreSQL 15.8". */
  readonly server: string;
  readonly version: number;
  readonly isolation: string;
  readonly warnings: readonly string[];
  readonly latencyMs: number;
  readonly clockDifferenceMs: number;
  readonly replicationLagBytes: number | undefined;
}

const FACTS = {
  name: 'facts',
  text: `SELECT current_setting('server_version'), current_setting('server_version_num'),
                current_setting('transaction_isolation'), current_setting('synchronous_commit'),
                current_setting('fsync'), current_setting('full_page_writes'),
                extract(epoch FROM clock_timestamp()) * 1000,
                (SELECT max(pg_wal_lsn_diff(pg_current_wal_lsn(), coalesce(replay_lsn, sent_lsn)))::bigint
                   FROM pg_stat_replication),
                current_setting('synchronous_standby_names')`,
};

/** Asks for all that is checked at the start and shown later. */
export async function readFacts(
  connection: PgConnection,
  options: PostgresOptions,
  { clock }: EngineContext,
): Promise<ServerFacts> {
  const beganMs = clock.monotonicMs();
  const beganWallMs = clock.wallMs();
  const [row = []] = await connection.query(FACTS);
  const latencyMs = clock.monotonicMs() - beganMs;
  const clockDifferenceMs = Number(row[6]) - (beganWallMs + latencyMs / 2);
  return {
    server: `PostgreSQL ${row[0]}`,
    version: Number(row[1]),
    isolation: row[2] ?? '',
    warnings: warningsOf(row, clockDifferenceMs, connection, options),
    latencyMs,
    clockDifferenceMs,
    replicationLagBytes: row[7] == null ? undefined : Number(row[7]),
  };
}

/** Throws a LogError `refused` with the remedy for a server that will not do. */
export function checkFacts({ server, version, isolation }: ServerFacts, { shown }: PostgresOptions): void {
  if (version < VERSION_MIN) {
    throw new LogError('refused', `store ${shown}: ${server} is too old: 13 or newer is needed`);
  }
  if (isolation !== 'read committed') {
    throw new LogError(
      'refused',
      `store ${shown}: transactions are "${isolation}" by default, read committed is needed: ALTER ROLE … SET default_transaction_isolation = 'read committed'`,
    );
  }
}

function warningsOf(
  [, , , synchronousCommit, fsync, fullPageWrites, , , standbyNames]: TextRow,
  clockDifferenceMs: number,
  { host }: PgConnection,
  { sslMode }: PostgresOptions,
): string[] {
  const warnings: string[] = [];
  if (synchronousCommit === 'off') {
    warnings.push(
      'synchronous_commit is off: answered writes of the last moments are lost when the server crashes; set it to on',
    );
  }
  if (synchronousCommit === 'local' && (standbyNames ?? '') !== '') {
    warnings.push(
      'synchronous_commit is local, so the synchronous standbys are not waited for: a failover may lose answered writes; set it to on',
    );
  }
  if (fsync === 'off') warnings.push('fsync is off: a power cut may destroy the database; turn it on');
  if (fullPageWrites === 'off') {
    warnings.push('full_page_writes is off: a power cut may damage pages; turn it on, unless the file system is proof');
  }
  if (Math.abs(clockDifferenceMs) > CLOCK_DIFFERENCE_MS_MAX) {
    const direction = clockDifferenceMs > 0 ? 'ahead of' : 'behind';
    warnings.push(
      `the database's clock is ${Math.round(Math.abs(clockDifferenceMs) / 1000)} s ${direction} ours: leases live by it; keep both with NTP`,
    );
  }
  if (sslMode === 'require')
    warnings.push(`nobody has checked that ${host.host} is the right server (sslmode=require)`);
  return warnings;
}
