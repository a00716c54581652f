import { LogError } from '../../mvcc/log.ts';

/** An ErrorResponse of the server, as the driver gives it. */
export interface ServerError {
  readonly severity: string;
  /** SQLSTATE. */
  readonly code: string;
  readonly message: string;
  readonly detail?: string;
  readonly hint?: string;
}

/** Whether the server said so, rather than the connection or the driver. */
export function isServerError(error: unknown): error is ServerError {
  if (typeof error !== 'object' || error === null || !('severity' in error) || !('code' in error)) return false;
  return typeof error.code === 'string' && /^[0-9A-Z]{5}$/.test(error.code);
}

/**
 * Whether, after this, nothing of the statement's transaction is there. A FATAL one may also reach a session whose
 * commit is done and waits for a standby.
 */
export function nothingWasWritten(error: unknown): boolean {
  return isServerError(error) && error.severity === 'ERROR';
}

/** SQLSTATE of a transaction that would write on a standby. */
export const READ_ONLY = '25006';
/** What an append raises when a lease that it lets expire is alive. */
export const DIVISION_BY_ZERO = '22012';
export const NO_SUCH_DATABASE = '3D000';
/** The other replica made it at the same moment. */
export const ALREADY_THERE: readonly string[] = ['42P04', '42P06', '42P07', '23505'];

/** The one place where PostgreSQL's errors become LogErrors. */
export function translate(error: unknown, shown: string): LogError {
  if (error instanceof LogError) return error;
  const options = { cause: error };
  if (!isServerError(error)) {
    const text = error instanceof Error ? error.message : String(error);
    return new LogError('unavailable', `${shown}: ${text}`, options);
  }
  const { code } = error;
  const text = `${error.message} (SQLSTATE ${code})`;
  const remedy = REMEDIES.find(({ codes }) => codes.some((each) => code.startsWith(each)));
  return new LogError(
    remedy?.as ?? 'unavailable',
    `${shown}: ${text}${remedy === undefined ? '' : `: ${remedy.say}`}`,
    options,
  );
}

interface Remedy {
  /** SQLSTATEs, or how they begin. */
  readonly codes: readonly string[];
  readonly as: 'unavailable' | 'refused' | 'corrupt';
  readonly say: string;
}

const REMEDIES: readonly Remedy[] = [
  {
    codes: ['53100'],
    as: 'unavailable',
    say: "the database server's disk is full: make space, writes go on by themselves",
  },
  { codes: ['53300'], as: 'unavailable', say: 'raise max_connections, or lower pool_max of each replica' },
  { codes: ['53200', '53'], as: 'unavailable', say: 'the database server lacks resources' },
  {
    codes: [READ_ONLY],
    as: 'unavailable',
    say: 'it is a standby or read-only: name the primary too, host:port,host:port',
  },
  { codes: ['57014'], as: 'unavailable', say: 'the database is slow; statement_timeout says how long is waited' },
  { codes: ['57P01', '57P02', '57P03', '08'], as: 'unavailable', say: 'the database server is stopping or starting' },
  { codes: ['28'], as: 'refused', say: 'look at user and password, and at pg_hba.conf of the server' },
  {
    codes: [NO_SUCH_DATABASE],
    as: 'refused',
    say: 'make it (CREATE DATABASE), or let the role do so (ALTER ROLE … CREATEDB)',
  },
  {
    codes: ['42501'],
    as: 'refused',
    say: 'let the role make a schema of its own (GRANT CREATE ON DATABASE … TO …), or make it owner of the schema',
  },
  { codes: ['XX001', 'XX002'], as: 'corrupt', say: "the database's files are damaged: restore a backup" },
];
