import { LogError } from '../../mvcc/log.ts';
import { DatabaseAway } from '../shared/database-away.ts';

/** The server's refusal of a statement. The connection goes on. */
export class ServerError extends Error {
  override readonly name = 'ServerError';
  /** MySQL's and MariaDB's number of the error. */
  readonly number: number;

  constructor(number: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.number = number;
  }
}

/** The connection ended, or its answer did not come in time: what it was asked for may be done or not. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

/** No answer came in time. */
export class NoAnswer extends ConnectionLost {}

/** The errors that the engine tells apart, by the servers' own names. */
export const ErrorNumber = {
  DISK_FULL: 1021,
  CON_COUNT: 1040,
  DBACCESS_DENIED: 1044,
  ACCESS_DENIED: 1045,
  /** Galera: the node is not part of its cluster now. */
  UNKNOWN_COM: 1047,
  BAD_DB: 1049,
  SERVER_SHUTDOWN: 1053,
  DUP_ENTRY: 1062,
  RECORD_FILE_FULL: 1114,
  NET_PACKET_TOO_LARGE: 1153,
  /** Too many connections of this host came to nothing. */
  HOST_IS_BLOCKED: 1129,
  TABLEACCESS_DENIED: 1142,
  NO_SUCH_TABLE: 1146,
  LOCK_WAIT_TIMEOUT: 1205,
  LOCK_DEADLOCK: 1213,
  SPECIFIC_ACCESS_DENIED: 1227,
  OPTION_PREVENTS_STATEMENT: 1290,
  QUERY_INTERRUPTED: 1317,
  DATA_TOO_LONG: 1406,
  DATA_OUT_OF_RANGE: 1690,
  READ_ONLY_TRANSACTION: 1792,
  READ_ONLY_MODE: 1836,
  CONNECTION_KILLED: 1927,
  STATEMENT_TIMEOUT: 1969,
  /** MySQL: not allowed while read-only. */
  SUPER_READ_ONLY: 3100,
} as const;

const N = ErrorNumber;

/** Raised before anything is committed: an append that ends so has written nothing. */
const NOTHING_WRITTEN: ReadonlySet<number> = new Set([
  N.DISK_FULL,
  N.DBACCESS_DENIED,
  N.UNKNOWN_COM,
  N.DUP_ENTRY,
  N.RECORD_FILE_FULL,
  N.NET_PACKET_TOO_LARGE,
  N.TABLEACCESS_DENIED,
  N.NO_SUCH_TABLE,
  N.LOCK_WAIT_TIMEOUT,
  N.LOCK_DEADLOCK,
  N.OPTION_PREVENTS_STATEMENT,
  N.DATA_TOO_LONG,
  N.DATA_OUT_OF_RANGE,
  N.READ_ONLY_TRANSACTION,
  N.READ_ONLY_MODE,
  N.SUPER_READ_ONLY,
]);

/** The server is there but not, or no more, the one that may write. */
const READ_ONLY: ReadonlySet<number> = new Set([
  N.OPTION_PREVENTS_STATEMENT,
  N.READ_ONLY_TRANSACTION,
  N.READ_ONLY_MODE,
  N.SUPER_READ_ONLY,
]);
const GOING: ReadonlySet<number> = new Set([N.SERVER_SHUTDOWN, N.CONNECTION_KILLED, N.CON_COUNT]);
const DENIED: ReadonlySet<number> = new Set([
  N.DBACCESS_DENIED,
  N.ACCESS_DENIED,
  N.TABLEACCESS_DENIED,
  N.SPECIFIC_ACCESS_DENIED,
]);
/** ER_NOT_KEYFILE, ER_CRASHED_ON_USAGE, ER_INDEX_CORRUPT, ER_TABLE_CORRUPT. */
const DAMAGED: ReadonlySet<number> = new Set([1034, 1194, 1712, 1877]);

/** Whether an append that the server refused with this has certainly written nothing. */
export function wroteNothing(error: ServerError): boolean {
  return NOTHING_WRITTEN.has(error.number);
}

/**
 * Two transactions were in each other's way; this one is rolled back and may be tried again. Galera ends one for another
 * node's with error 1213, at COMMIT or before; where the other's rows come in before the end does, they show as duplicates.
 */
export function isConflict(error: unknown): boolean {
  return error instanceof ServerError && (error.number === N.LOCK_DEADLOCK || error.number === N.DUP_ENTRY);
}

/** After these the connection should not be used again: another host may be the right one by now. */
export function endsConnection({ number }: ServerError): boolean {
  return READ_ONLY.has(number) || GOING.has(number) || number === N.UNKNOWN_COM;
}

/** The one place where the driver's and the server's errors become LogErrors. `shown` is the store's URL without secrets. */
export function translate(error: unknown, shown: string): LogError {
  if (error instanceof LogError) return error;
  const options = { cause: error };
  const text = error instanceof Error ? error.message : String(error);
  if (error instanceof ConnectionLost) return new DatabaseAway(`store ${shown}: ${text}`, 'unavailable', options);
  if (!(error instanceof ServerError)) return new LogError('unavailable', `store ${shown}: ${text}`, options);
  const { number } = error;
  const tell = (what: string): LogError => new LogError('unavailable', `store ${shown}: ${what} (${text})`, options);
  const away = (what: string): LogError =>
    new DatabaseAway(`store ${shown}: ${what} (${text})`, 'unavailable', options);
  if (READ_ONLY.has(number)) return away('the server is read-only');
  if (number === N.UNKNOWN_COM) return away('the Galera node is not part of its cluster');
  if (GOING.has(number)) return away('the server takes no more work');
  if (number === N.RECORD_FILE_FULL || number === N.DISK_FULL)
    return tell("the server's disk is full: free some space, writes go on by themselves");
  if (number === N.LOCK_WAIT_TIMEOUT) return tell('another connection held a lock for too long');
  if (number === N.LOCK_DEADLOCK || number === N.DUP_ENTRY) return tell('others were in the way, time and again');
  if (number === N.NET_PACKET_TOO_LARGE)
    return tell("one value is larger than the server takes: raise the server's max_allowed_packet");
  if (number === N.HOST_IS_BLOCKED) {
    const remedy = 'run FLUSH HOSTS on the server, find out what breaks connections off, and raise max_connect_errors';
    const what = `the server has shut this host out after too many broken connections (${text})`;
    return new LogError('refused', `store ${shown}: ${what}: ${remedy}`, options);
  }
  if (DENIED.has(number)) return new LogError('refused', `store ${shown}: the server denies it (${text})`, options);
  if (DAMAGED.has(number)) {
    const remedy = "look at the server's log, and restore a backup if a table is damaged";
    return new LogError('corrupt', `store ${shown}: ${text}; ${remedy}`, options);
  }
  return tell(`error ${number}`);
}
