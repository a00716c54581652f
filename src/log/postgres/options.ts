import { isIP } from 'node:net';
import type { Host } from '../shared/host-list.ts';
import { parseStoreUrl, refuse, type StoreUrl, UrlParameters } from '../shared/store-url.ts';

/** libpq's words. `require` encrypts without looking at who it is; the verifying ones do. */
export type SslMode = 'disable' | 'require' | 'verify-ca' | 'verify-full';

/** Everything that can be chosen for the PostgreSQL engine. */
export interface PostgresOptions {
  /** For messages: without the password. */
  readonly shown: string;
  readonly hosts: readonly Host[];
  readonly database: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** A file with the password and nothing else; read at each connect, so that it may change. */
  readonly passwordFile: string | undefined;
  /** Several stores may live in one database, each in a schema of its own. */
  readonly schema: string;
  readonly sslMode: SslMode;
  /** Paths of PEM files. */
  readonly sslRootCert: string | undefined;
  readonly sslCert: string | undefined;
  readonly sslKey: string | undefined;
  /** All connections together: one appends, one listens, the others read. */
  readonly poolMax: number;
  /** How long a call waits for a connection. */
  readonly poolWaitMs: number;
  readonly connectTimeoutMs: number;
  /** The server ends a statement that takes longer; a little later this side ends the connection. */
  readonly statementTimeoutMs: number;
  /** Tell other replicas of each append by NOTIFY. */
  readonly notify: boolean;
  /** A PgBouncer in transaction mode is between: no named statements, no LISTEN, no settings of a session. */
  readonly pgbouncer: boolean;
  readonly applicationName: string;
}

export const POSTGRES_PORT = 5432;
const SECOND_MS = 1000;

/**
 * Reads `postgres://user:password@host:port,host:port/database?…` (also `postgresql://`). Throws a LogError `refused`
 * that names the parameter. Unless told otherwise a server beyond this machine must show a certificate for its name.
 */
export function parsePostgresUrl(url: string): PostgresOptions {
  const parsed = parseStoreUrl(url, POSTGRES_PORT);
  const { shown } = parsed;
  const parameters = new UrlParameters(parsed);
  const hosts = hostsOf(parsed, parameters);
  const schema = parameters.text('schema') ?? 'kedge';
  if (!/^[a-z_][a-z0-9_]{0,39}$/.test(schema) || schema.startsWith('pg_')) {
    throw refuse(shown, `parameter schema is "${schema}"; it must be up to 40 of a-z, 0-9 and _, not pg_…`);
  }
  const options: PostgresOptions = {
    shown,
    hosts,
    database: parsed.database ?? 'kedge',
    user: parsed.user,
    password: parsed.password,
    passwordFile: parameters.text('password_file'),
    schema,
    sslMode: parameters.oneOf(
      'sslmode',
      ['disable', 'require', 'verify-ca', 'verify-full'],
      hosts.every(isNear) ? 'disable' : 'verify-full',
    ),
    sslRootCert: parameters.text('sslrootcert'),
    sslCert: parameters.text('sslcert'),
    sslKey: parameters.text('sslkey'),
    poolMax: parameters.whole('pool_max', 3, 100, 8),
    poolWaitMs: parameters.durationMs('pool_wait', 100, 60 * SECOND_MS, 5 * SECOND_MS),
    connectTimeoutMs: parameters.durationMs('connect_timeout', 100, 60 * SECOND_MS, 5 * SECOND_MS),
    statementTimeoutMs: parameters.durationMs('statement_timeout', 100, 600 * SECOND_MS, 10 * SECOND_MS),
    notify: parameters.oneOf('notify', ['on', 'off'], 'on') === 'on',
    pgbouncer: parameters.oneOf('pgbouncer', ['off', 'transaction'], 'off') === 'transaction',
    applicationName: parameters.text('application_name') ?? 'kedge',
  };
  // A store is written to: nothing but a primary will do, and saying so is allowed.
  parameters.oneOf('target_session_attrs', ['read-write', 'primary'], 'read-write');
  parameters.finish();
  if (options.password !== undefined && options.passwordFile !== undefined) {
    throw refuse(shown, 'a password in the URL and a password_file at once');
  }
  if ((options.sslCert === undefined) !== (options.sslKey === undefined)) {
    throw refuse(shown, 'sslcert and sslkey belong together');
  }
  if (options.sslMode === 'verify-ca' && options.sslRootCert === undefined) {
    throw refuse(shown, 'sslmode=verify-ca needs sslrootcert, the file of the authority');
  }
  return options;
}

/** Of the URL, or of `?host=/var/run/postgresql`, as Unix sockets are written. */
function hostsOf({ shown, hosts }: StoreUrl, parameters: UrlParameters): readonly Host[] {
  const named = parameters.text('host');
  const port = parameters.whole('port', 1, 65_535, POSTGRES_PORT);
  if (named === undefined) return hosts.length > 0 ? hosts : [{ host: '127.0.0.1', port }];
  if (hosts.length > 0) throw refuse(shown, 'hosts before the database and a parameter host at once');
  return named.split(',').map((host) => ({ host, port }));
}

/** Whether nobody but this machine sees the bytes. */
function isNear({ host }: Host): boolean {
  if (host.startsWith('/') || host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}
