import { LogError } from '../../mvcc/log.ts';
import { isGalera, type Settings, sessionProblem } from './session-settings.ts';

/*
 * What is looked at when a connection is made. Wrong is refused with the remedy; allowed but risky is a warning, which
 * /readyz?verbose and a metric show.
 */

const MARIADB_MIN = [10, 11] as const;
const MYSQL_MIN = [8, 0] as const;

const MIB = 2 ** 20;
/** A value of etcd's largest request, every byte of it escaped, and the statement around it. */
const PACKET_BYTES_MIN = 4 * MIB;
const PACKET_BYTES_ADVISED = 16 * MIB;
/** Leases live by the database's clock alone; what people compare is the log files of both. */
const CLOCK_DIFFERENCE_MS_ADVISED = 5_000;

/** What a server is, as health shows it. */
export interface ServerFacts {
  /** Such as "MariaDB 10.11.6" or "MySQL 8.0.36 (Galera)". */
  readonly server: string;
  readonly isGalera: boolean;
  /** It takes compound statements outside of procedures, and there is no reason against them (connection.ts). */
  readonly takesBlocks: boolean;
  readonly packetBytesMax: number;
  /** A commit can be seen before it is on disk: who tells others of it must see to that first (news.ts). */
  readonly showsUnflushed: boolean;
  readonly warnings: readonly string[];
}

/** Throws a LogError `refused` when the server or the session is not as it must be. */
export function checkServer(settings: Settings, clockDifferenceMs: number, shown: string): ServerFacts {
  const refuse = (why: string): LogError => new LogError('refused', `store ${shown}: ${why}`);
  const server = serverName(settings);
  const [isMariaDb, version] = versionOf(settings);
  const oldest = isMariaDb ? MARIADB_MIN : MYSQL_MIN;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < oldest[0] || (major === oldest[0] && minor < oldest[1])) {
    throw refuse(
      `the server is ${server}; kedge needs MariaDB ${MARIADB_MIN.join('.')} or MySQL ${MYSQL_MIN.join('.')}`,
    );
  }
  const problem = sessionProblem(settings);
  if (problem !== undefined) {
    throw refuse(`the session is not as kedge set it: ${problem}; a proxy in between must leave SET SESSION alone`);
  }
  const packetBytesMax = Number(settings.get('max_allowed_packet'));
  if (packetBytesMax < PACKET_BYTES_MIN) {
    throw refuse(
      `max_allowed_packet is ${packetBytesMax} bytes: set it to ${PACKET_BYTES_ADVISED} on the server (at least ${PACKET_BYTES_MIN})`,
    );
  }
  if (settings.get('log_bin') === 'ON' && settings.get('binlog_format') === 'STATEMENT') {
    throw refuse(
      'binlog_format is STATEMENT, which cannot carry READ COMMITTED: set it to ROW (or MIXED) on the server',
    );
  }
  if (isGalera(settings) && Number(settings.get('wsrep_trx_fragment_size') ?? 0) > 0) {
    throw refuse('wsrep_trx_fragment_size is not 0: an append must be replicated as a whole');
  }
  return {
    server,
    isGalera: isGalera(settings),
    takesBlocks: isMariaDb && !isGalera(settings),
    packetBytesMax,
    showsUnflushed: showsUnflushed(settings),
    warnings: warningsOf(settings, clockDifferenceMs),
  };
}

/**
 * With a binary log that is synced at commit a transaction is on disk before others see it. Without one InnoDB shows it
 * first, and flushes then. (Where commits are not flushed at all nothing helps, and Galera has it on the other nodes.)
 */
function showsUnflushed(settings: Settings): boolean {
  const isLogged = settings.get('log_bin') === 'ON' && settings.get('sync_binlog') === '1';
  return !isLogged && !isGalera(settings) && settings.get('innodb_flush_log_at_trx_commit') === '1';
}

function warningsOf(settings: Settings, clockDifferenceMs: number): string[] {
  const warnings: string[] = [];
  const flush = settings.get('innodb_flush_log_at_trx_commit');
  const packet = Number(settings.get('max_allowed_packet'));
  const difference = Math.round(Math.abs(clockDifferenceMs));
  if (flush !== '1' && !isGalera(settings)) {
    warnings.push(`innodb_flush_log_at_trx_commit is ${flush}: a crash may lose answered writes; set it to 1`);
  }
  if (flush !== '1' && isGalera(settings)) {
    warnings.push(`innodb_flush_log_at_trx_commit is ${flush}: a crash of all nodes at once may lose answered writes`);
  }
  if (settings.get('log_bin') === 'ON' && settings.get('sync_binlog') !== '1') {
    warnings.push(
      `sync_binlog is ${settings.get('sync_binlog')}: a crash may leave replicas ahead or behind; set it to 1`,
    );
  }
  warnings.push(...replicationWarnings(settings));
  if (settings.get('innodb_doublewrite') === 'OFF') {
    warnings.push('innodb_doublewrite is off: a power cut may damage pages; turn it on');
  }
  if (packet < PACKET_BYTES_ADVISED) {
    warnings.push(
      `max_allowed_packet is ${packet} bytes: large batches take more round trips; ${PACKET_BYTES_ADVISED} is better`,
    );
  }
  if (difference > CLOCK_DIFFERENCE_MS_ADVISED) {
    const direction = clockDifferenceMs > 0 ? 'ahead of' : 'behind';
    warnings.push(
      `the database's clock is ${Math.round(difference / 1000)} s ${direction} ours: leases live by it; keep both with NTP`,
    );
  }
  return warnings;
}

/** MariaDB says master where MySQL says source. */
function replicationWarnings(settings: Settings): string[] {
  const warnings: string[] = [];
  for (const role of ['master', 'source']) {
    const named = (what: string): string | undefined => settings.get(`rpl_semi_sync_${role}_${what}`);
    if (named('enabled') !== 'ON') continue;
    if (named('status') === 'OFF') {
      warnings.push(
        'semi-synchronous replication has fallen back to asynchronous: a failover may lose answered writes; look after the replicas, and raise the timeout',
      );
    }
    if (named('wait_point') === 'AFTER_COMMIT') {
      warnings.push(
        `rpl_semi_sync_${role}_wait_point is AFTER_COMMIT: others see a write before a replica has it; set it to AFTER_SYNC`,
      );
    }
  }
  const state = settings.get('wsrep_local_state_comment');
  if (isGalera(settings) && state !== undefined && state !== 'Synced') {
    warnings.push(`the Galera node is in state ${state}: reads and writes through it wait for it`);
  }
  return warnings;
}

function serverName(settings: Settings): string {
  const [isMariaDb, version] = versionOf(settings);
  return `${isMariaDb ? 'MariaDB' : 'MySQL'} ${version}${isGalera(settings) ? ' (Galera)' : ''}`;
}

/** Whether it is MariaDB, and the version's number. */
function versionOf(settings: Settings): [boolean, string] {
  const text = settings.get('version') ?? '';
  const isMariaDb = /mariadb/i.test(`${text} ${settings.get('version_comment') ?? ''}`);
  // Replication had MariaDB 10 pretend to be 5.5.5; its own number follows.
  const [number = ''] = text.replace(/^5\.5\.5-/, '').split('-');
  return [isMariaDb, number];
}
