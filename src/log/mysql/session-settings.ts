import type { MysqlConnection, Rows } from './connection.ts';
import { textAt } from './connection.ts';

/*
 * What every connection sets for itself, and then reads back: nothing is taken for granted, for a proxy in between may
 * have its own mind.
 *
 *   isolation       READ COMMITTED: each statement sees the newest committed state; a row that does not match an
 *                   UPDATE is not kept locked, so an append that comes second holds nobody up; no gaps are locked.
 *   sql_mode        strict (what does not fit is an error, never cut), backslashes are escapes (literals.ts)
 *   time_zone       UTC: no hour comes twice
 *   wsrep_sync_wait Galera: a read waits until this node has applied all that was committed anywhere before it
 *   time limits     a client that vanished in the middle of a transaction frees its locks soon
 */

const SQL_MODE = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION';

/** How long a statement waits for a row that another transaction has locked. */
const LOCK_WAIT_SECONDS = 8;
/** After this the server ends a silent connection. Longer than a connection is kept idle (connection.ts). */
const SILENT_SECONDS_MAX = 60;
/** MariaDB: after this it ends a connection that is silent inside of a transaction that has written. */
const SILENT_IN_TRANSACTION_SECONDS_MAX = 10;

/** Variables that the checks look at too (checks.ts). */
const VARIABLES = [
  'version',
  'version_comment',
  'sql_mode',
  'autocommit',
  'time_zone',
  'tx_isolation',
  'transaction_isolation',
  'tx_read_only',
  'transaction_read_only',
  'character_set_client',
  'character_set_results',
  'max_allowed_packet',
  'read_only',
  'super_read_only',
  'innodb_flush_log_at_trx_commit',
  'innodb_doublewrite',
  'log_bin',
  'sync_binlog',
  'binlog_format',
  'wsrep_on',
  'wsrep_sync_wait',
  'wsrep_trx_fragment_size',
  'idle_write_transaction_timeout',
  'rpl_semi_sync_master_enabled',
  'rpl_semi_sync_master_wait_point',
  'rpl_semi_sync_source_enabled',
  'rpl_semi_sync_source_wait_point',
];

/** What the server says of its state, which the checks look at as well. */
const STATUS = ['rpl_semi_sync_master_status', 'rpl_semi_sync_source_status', 'wsrep_local_state_comment'];

/** The server's and the session's variables, by name. */
export type Settings = ReadonlyMap<string, string>;

/** Sets what this session needs and reads everything back. */
export async function setUp(connection: MysqlConnection): Promise<Settings> {
  const before = await readSettings(connection);
  const set = [
    'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
    `SET SESSION sql_mode = '${SQL_MODE}', time_zone = '+00:00', autocommit = 1`,
    'SET SESSION character_set_results = binary',
    `SET SESSION innodb_lock_wait_timeout = ${LOCK_WAIT_SECONDS}, wait_timeout = ${SILENT_SECONDS_MAX}`,
  ];
  if (before.has('idle_write_transaction_timeout')) {
    set.push(`SET SESSION idle_write_transaction_timeout = ${SILENT_IN_TRANSACTION_SECONDS_MAX}`);
  }
  if (isGalera(before)) set.push('SET SESSION wsrep_sync_wait = 1');
  await connection.run(set);
  return readSettings(connection);
}

/** What is not as this engine needs it, in words; undefined when all is well. */
export function sessionProblem(settings: Settings): string | undefined {
  const isolation = settings.get('transaction_isolation') ?? settings.get('tx_isolation');
  if (isolation !== 'READ-COMMITTED') return `the isolation is ${isolation}, not READ-COMMITTED`;
  const mode = settings.get('sql_mode') ?? '';
  if (!mode.includes('STRICT_ALL_TABLES') || mode.includes('NO_BACKSLASH_ESCAPES')) return `sql_mode is "${mode}"`;
  if (mode.includes('NO_UNSIGNED_SUBTRACTION')) return `sql_mode is "${mode}"`;
  if (settings.get('character_set_client') !== 'binary') {
    return `character_set_client is ${settings.get('character_set_client')}, not binary`;
  }
  if (settings.get('autocommit') !== 'ON') return 'autocommit is off';
  if (isGalera(settings) && settings.get('wsrep_sync_wait') !== '1') return 'wsrep_sync_wait cannot be set to 1';
  return undefined;
}

export function isGalera(settings: Settings): boolean {
  return settings.get('wsrep_on') === 'ON';
}

/** The server says that it takes no writes. Rights that would let this user write all the same do not count. */
export function isReadOnly(settings: Settings): boolean {
  return (settings.get('read_only') ?? 'OFF') !== 'OFF' || (settings.get('super_read_only') ?? 'OFF') !== 'OFF';
}

/** As `readStatus` reads it. */
export const STATUS_STATEMENT = `SHOW GLOBAL STATUS WHERE Variable_name IN (${quoted(STATUS)})`;

/** With the answer to STATUS_STATEMENT. */
export function withStatus(settings: Settings, rows: Rows): Settings {
  return new Map([...settings, ...namesAndValues(rows)]);
}

async function readSettings(connection: MysqlConnection): Promise<Settings> {
  const rows = await connection.rows(`SHOW SESSION VARIABLES WHERE Variable_name IN (${quoted(VARIABLES)})`);
  return new Map(namesAndValues(rows));
}

function namesAndValues(rows: Rows): [string, string][] {
  return rows.map((row) => [textAt(row, 0).toLowerCase(), textAt(row, 1)]);
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(',');
}
