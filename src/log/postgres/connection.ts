import { readFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { Client, ClientConfig, QueryArrayConfig } from 'pg';
import { LogError } from '../../mvcc/log.ts';
import type { PooledConnection } from '../shared/connection-pool.ts';
import { DatabaseAway } from '../shared/database-away.ts';
import type { EngineContext } from '../shared/engine-context.ts';
import { type Host, showHost } from '../shared/host-list.ts';
import type { Silence } from '../shared/silence.ts';
import { bindInPieces } from './bind-message.ts';
import { isServerError } from './errors.ts';
import type { PostgresOptions } from './options.ts';

/** A statement and the name under which a session prepares it. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/** What a parameter may be. A Buffer goes in binary format, everything else as text. */
export type Parameter = number | bigint | string | Buffer | null;

/** Columns as text; bytea as `\x…`. */
export type TextRow = readonly (string | null)[];

/** How long this side waits beyond the server's own timeout. */
const GRACE_MS = 2_000;
/** A connection that is only listened to finds out that its other end is gone: some ten seconds after this one. */
const KEEPALIVE_DELAY_MS = 10_000;

/**
 * One connection. Queries may be sent one after the other without waiting: they are done in that order, each in a
 * transaction of its own unless BEGIN was said. One that is not answered in time ends the connection.
 */
export class PgConnection implements PooledConnection {
  readonly host: Host;
  readonly #client: Client;
  readonly #socket: Socket;
  readonly #options: PostgresOptions;
  readonly #context: EngineContext;
  readonly #silence: Silence;
  #isBroken = false;
  /** Whether it should still be used, asked of its maker. */
  readonly #isWanted: (host: Host) => boolean;
  onLost: () => void = () => {};
  /** However it ended. */
  onEnded: () => void = () => {};
  onNotification: (fromProcess: number, payload: string) => void = () => {};

  private constructor(parts: ConnectionParts) {
    this.host = parts.host;
    this.#client = parts.client;
    this.#socket = parts.socket;
    this.#options = parts.options;
    this.#context = parts.context;
    this.#silence = parts.silence;
    this.#isWanted = parts.isWanted;
    this.#client.on('error', () => this.#broke());
    this.#client.on('end', () => this.#broke());
    this.#client.on('notification', ({ processId, payload }) => this.onNotification(processId, payload ?? ''));
  }

  /** Rejects with DatabaseAway when the host cannot be reached, with the server's error when it says no. */
  static async connect(
    options: PostgresOptions,
    host: Host,
    context: EngineContext,
    silence: Silence,
    isWanted: (host: Host) => boolean = () => true,
  ): Promise<PgConnection> {
    const { Client } = (await import('pg')).default;
    const socket = new Socket();
    const client = new Client({
      host: host.host,
      port: host.port,
      database: options.database,
      user: options.user,
      password: await passwordOf(options),
      application_name: options.applicationName,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEPALIVE_DELAY_MS,
      stream: () => socket,
      ssl: host.host.startsWith('/') ? false : await tlsOf(options),
      types: { getTypeParser: () => (text: string) => text },
      pipeline: true,
      ...sessionOf(options),
    } as ClientConfig);
    const timer = context.clock.after(options.connectTimeoutMs, () =>
      socket.destroy(new Error(`no answer within ${options.connectTimeoutMs} ms`)),
    );
    bindInPieces(client);
    // Without a listener an error after the one that rejects connect would end the process.
    client.on('error', () => {});
    try {
      await client.connect();
    } catch (error) {
      socket.destroy();
      if (isServerError(error)) throw error;
      throw connectProblem(error, host, options);
    } finally {
      timer.cancel();
    }
    return new PgConnection({ client, socket, options, context, silence, host, isWanted });
  }

  get isUsable(): boolean {
    return !this.#isBroken && this.#isWanted(this.host);
  }

  /** The server's process behind it. */
  get processId(): number {
    const { processID } = this.#client as unknown as { readonly processID?: number | null };
    return processID ?? 0;
  }

  /**
   * Rejects with the server's error, or with DatabaseAway when the connection broke or no answer came in time. Whether
   * the statement was done is then not known.
   */
  async query(statement: Statement, values: readonly Parameter[] = []): Promise<readonly TextRow[]> {
    if (this.#isBroken) throw new DatabaseAway(`${this.#shown}: the connection is lost`);
    const config: QueryArrayConfig = { text: statement.text, rowMode: 'array', values: values as unknown[] };
    if (!this.#options.pgbouncer) config.name = statement.name;
    // Promises of the driver's own keep each result alive until the one after it is gone: with them, V8 moves all rows that
    // are read one answer after the other to its old generation.
    const answer = new Promise<readonly TextRow[]>((resolve, reject) => {
      this.#client.query<(string | null)[]>(config, (error: Error | null, result) => {
        if (error) reject(error);
        else resolve(result.rows);
      });
    });
    return this.#inTime(answer);
  }

  /** Several statements in one text, in one transaction, without parameters or answers. */
  async run(text: string): Promise<void> {
    if (this.#isBroken) throw new DatabaseAway(`${this.#shown}: the connection is lost`);
    await this.#inTime(this.#client.query(text));
  }

  async close(): Promise<void> {
    if (this.#isBroken) {
      this.#socket.destroy();
      return;
    }
    this.#isBroken = true;
    this.onEnded();
    const timer = this.#context.clock.after(GRACE_MS, () => this.#socket.destroy());
    await this.#client.end().catch(() => this.#socket.destroy());
    timer.cancel();
  }

  /** At once; whoever waits is told so. */
  destroy(why: string): void {
    this.#socket.destroy(new Error(why));
    this.#broke();
  }

  async #inTime<T>(answer: Promise<T>): Promise<T> {
    const waitMs = this.#options.statementTimeoutMs + GRACE_MS;
    const isNear = this.host.host.startsWith('/');
    const timer = this.#silence.watch(isNear ? undefined : this.host, waitMs, (why) => this.destroy(why));
    try {
      return await answer;
    } catch (error) {
      if (isServerError(error)) {
        if (error.severity !== 'ERROR') this.destroy(error.message);
        throw error;
      }
      this.#broke();
      const text = error instanceof Error ? error.message : String(error);
      throw new DatabaseAway(`${this.#shown}: ${text}`, 'unavailable', { cause: error });
    } finally {
      timer.cancel();
    }
  }

  get #shown(): string {
    return `PostgreSQL at ${showHost(this.host)}`;
  }

  #broke(): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    this.onEnded();
    this.onLost();
  }
}

interface ConnectionParts {
  readonly client: Client;
  readonly socket: Socket;
  readonly options: PostgresOptions;
  readonly context: EngineContext;
  readonly silence: Silence;
  readonly host: Host;
  readonly isWanted: (host: Host) => boolean;
}

/** Settings of the session, which a PgBouncer in transaction mode would not keep. */
function sessionOf({ pgbouncer, statementTimeoutMs }: PostgresOptions): Partial<ClientConfig> {
  if (pgbouncer) return {};
  const settings = [
    'default_transaction_isolation=read\\ committed',
    `statement_timeout=${statementTimeoutMs}`,
    `lock_timeout=${statementTimeoutMs}`,
    `idle_in_transaction_session_timeout=${statementTimeoutMs * 6}`,
    // Compiling a plan takes longer than any of ours runs.
    'jit=off',
  ];
  return { options: settings.map((each) => `-c ${each}`).join(' ') };
}

async function passwordOf({ password, passwordFile, shown }: PostgresOptions): Promise<string | undefined> {
  if (passwordFile === undefined) return password;
  return (await readNamed(shown, 'password_file', passwordFile)).replace(/\r?\n$/, '');
}

async function tlsOf(options: PostgresOptions): Promise<false | ConnectionOptions> {
  const { sslMode, sslRootCert, sslCert, sslKey, shown } = options;
  if (sslMode === 'disable') return false;
  const tls: ConnectionOptions = { rejectUnauthorized: sslMode !== 'require' };
  if (sslRootCert !== undefined) tls.ca = await readNamed(shown, 'sslrootcert', sslRootCert);
  if (sslCert !== undefined) tls.cert = await readNamed(shown, 'sslcert', sslCert);
  if (sslKey !== undefined) tls.key = await readNamed(shown, 'sslkey', sslKey);
  // The authority vouches for the server, whatever name it goes by.
  if (sslMode === 'verify-ca') tls.checkServerIdentity = () => undefined;
  return tls;
}

async function readNamed(shown: string, parameter: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new LogError('refused', `store ${shown}: parameter ${parameter}: ${why}`, { cause: error });
  }
}

/** Certificates are a matter of settings; all else passes. */
function connectProblem(error: unknown, host: Host, options: PostgresOptions): LogError {
  const text = error instanceof Error ? error.message : String(error);
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  if (/CERT|SELF_SIGNED|UNABLE_TO_/.test(code) || /certificate/i.test(text)) {
    return new LogError(
      'refused',
      `PostgreSQL at ${showHost(host)}: ${text}: name the authority with sslrootcert=…, or choose sslmode=require to encrypt without knowing the server`,
      { cause: error },
    );
  }
  if (text.includes('does not support SSL')) {
    return new LogError(
      'refused',
      `PostgreSQL at ${showHost(host)} speaks no TLS: turn it on there (ssl=on), or choose sslmode=disable in a network that you trust (sslmode=${options.sslMode} is asked for)`,
      { cause: error },
    );
  }
  return new DatabaseAway(`PostgreSQL at ${showHost(host)}: ${text}`, 'unavailable', { cause: error });
}
