import { isIP } from 'node:net';
import { LogError } from '../../mvcc/log.ts';
import type { Host } from '../shared/host-list.ts';
import { parseStoreUrl, refuse, UrlParameters } from '../shared/store-url.ts';

/** Whether and how far the server's certificate is looked at. The names are MySQL's ssl-mode in plain words. */
export type TlsMode = 'off' | 'required' | 'verify-ca' | 'verify-identity';

/** How small appends are sent (connection.ts). */
export type AppendMode = 'auto' | 'statements';

const APPEND_MODES: readonly AppendMode[] = ['auto', 'statements'];
const TLS_MODES: readonly TlsMode[] = ['off', 'required', 'verify-ca', 'verify-identity'];

/** Everything that can be chosen for the MariaDB/MySQL engine. */
export interface MysqlOptions {
  /** The URL without its password. */
  readonly shown: string;
  readonly hosts: readonly Host[];
  /** A Unix socket's path; then there are no hosts. */
  readonly socketPath: string | undefined;
  readonly user: string;
  readonly password: string | undefined;
  /** Read anew for each connection, so that it may be changed while kedge runs. */
  readonly passwordFile: string | undefined;
  readonly database: string;
  readonly tls: TlsMode;
  /** PEM files. */
  readonly tlsCaFile: string | undefined;
  readonly tlsCertFile: string | undefined;
  readonly tlsKeyFile: string | undefined;
  /** One of them appends, the others read. */
  readonly connectionsMax: number;
  readonly connectTimeoutMs: number;
  /** How long one statement may take before its connection is given up. */
  readonly statementTimeoutMs: number;
  /** How long a call waits for a connection, reconnecting included. */
  readonly waitMs: number;
  /** `statements`: appends are never sent as a block, as if the server did not take them. */
  readonly append: AppendMode;
}

export const DEFAULT_PORT = 3306;
const MINUTE_MS = 60_000;

/**
 * Reads `mysql://user:password@host:3306,other/database?parameter=value` (or `mariadb://`). Throws a LogError `refused`
 * that names what is wrong, never the password. Unless told otherwise a server beyond this machine must show a
 * certificate for its name.
 */
export function parseMysqlUrl(url: string): MysqlOptions {
  const parts = parseStoreUrl(url, DEFAULT_PORT);
  const { shown, user, database = 'kedge' } = parts;
  if (!/^(mysql|mariadb):/.test(url)) throw refuse(shown, 'it must start with mysql:// or mariadb://');
  if (user === undefined) throw refuse(shown, 'it must name a user: mysql://user:password@host/database');
  if (!/^[A-Za-z0-9_$-]{1,64}$/.test(database)) {
    throw refuse(shown, `the database's name "${database}" must be of letters, digits, _, - and $, 64 at most`);
  }
  const parameters = new UrlParameters(parts);
  const tlsCaFile = parameters.text('tls_ca');
  const isNear = parts.hosts.every(({ host }) => host === 'localhost' || host === '::1' || /^127\.[\d.]+$/.test(host));
  const options: MysqlOptions = {
    shown,
    user,
    database,
    hosts: parts.hosts,
    password: parts.password,
    passwordFile: parameters.text('password_file'),
    socketPath: parameters.text('socket'),
    tls: parameters.oneOf('tls', TLS_MODES, isNear && tlsCaFile === undefined ? 'off' : 'verify-identity'),
    tlsCaFile,
    tlsCertFile: parameters.text('tls_cert'),
    tlsKeyFile: parameters.text('tls_key'),
    connectionsMax: parameters.whole('pool_max', 2, 100, 8),
    connectTimeoutMs: parameters.durationMs('connect_timeout', 100, MINUTE_MS, 5_000),
    statementTimeoutMs: parameters.durationMs('statement_timeout', 1_000, 10 * MINUTE_MS, 15_000),
    waitMs: parameters.durationMs('pool_wait', 100, MINUTE_MS, 5_000),
    append: parameters.oneOf('append', APPEND_MODES, 'auto'),
  };
  parameters.finish();
  checkTogether(options);
  return options;
}

/** What is right alone and wrong together. */
function checkTogether(options: MysqlOptions): void {
  const problem = problemOf(options);
  if (problem !== undefined) throw refuse(options.shown, problem);
}

function problemOf(options: MysqlOptions): string | undefined {
  const { hosts, socketPath, tls, tlsCaFile, tlsCertFile, tlsKeyFile } = options;
  if (hosts.length === 0 && socketPath === undefined) return 'it must name a host, or socket=/path/to/mysqld.sock';
  if (hosts.length > 1 && socketPath !== undefined) return 'socket= goes with one host, localhost, or none';
  if (options.password !== undefined && options.passwordFile !== undefined)
    return 'the password stands in the URL or in password_file, not in both';
  if ((tlsCertFile === undefined) !== (tlsKeyFile === undefined)) return 'tls_cert and tls_key go together';
  const address = hosts.find(({ host }) => isIP(host) !== 0);
  if (tls === 'verify-identity' && address !== undefined)
    return `tls=verify-identity needs names: ${address.host} is an address; name the host, or take tls=verify-ca (or tls=off on a network of your own)`;
  if (tls === 'off' && (tlsCaFile ?? tlsCertFile) !== undefined) return 'tls=off and TLS files contradict each other';
  return undefined;
}

/** After close, or before open. */
export function notOpen({ shown }: MysqlOptions): LogError {
  return new LogError('closed', `store ${shown} is not open`);
}
