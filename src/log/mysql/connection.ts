import { readFile } from 'node:fs/promises';
import { connect as connectSocket, type Socket } from 'node:net';
import type * as mysql from 'mysql2';
import type { Clock } from '../../base/clock.ts';
import { LogError } from '../../mvcc/log.ts';
import type { PooledConnection } from '../shared/connection-pool.ts';
import type { Host } from '../shared/host-list.ts';
import type { Silence } from '../shared/silence.ts';
import { ConnectionLost, endsConnection, isConflict, NoAnswer, ServerError } from './errors.ts';
import { type Message, statementsOf } from './message-writer.ts';
import type { MysqlOptions } from './options.ts';

/** A row as the columns' values in order: numbers, strings (integers beyond 2^53), buffers or null. */
export type Row = readonly unknown[];

/** What one statement answered: its rows, or none. */
export type Rows = readonly Row[];

/** An idle connection is not used again after this long: the server drops its end later (session-settings.ts). */
const IDLE_MS_MAX = 25_000;
const KEEPALIVE_DELAY_MS = 10_000;
const ROLLBACKS_MAX = 3;
/** A server reads all of a block before it runs any of it: beyond this the answers that it spares cost less. */
const BLOCK_CHARACTERS_MAX = 16 * 1024;

/**
 * One connection. Several statements given at once travel as one message and are answered in turn: the first error ends
 * them, those before it stay done. Calls may overlap; they are sent one after the other.
 */
export class MysqlConnection implements PooledConnection {
  readonly #driver: mysql.Connection;
  readonly #socket: Socket;
  readonly #host: Host | undefined;
  readonly #clock: Clock;
  readonly #silence: Silence;
  readonly #timeoutMs: number;
  readonly #isWanted: () => boolean;
  #isUsable = true;
  #lastUsedMs: number;
  /** Galera: statements of a transaction are sent one by one. */
  sendsOneByOne = false;
  /** MariaDB without Galera: many statements can be sent as one. */
  takesBlocks = false;

  constructor(driver: mysql.Connection, socket: Socket, way: ConnectionWay, timeoutMs: number) {
    const { host, clock, silence, isWanted = () => true } = way;
    this.#driver = driver;
    this.#socket = socket;
    this.#host = host;
    this.#clock = clock;
    this.#silence = silence;
    this.#timeoutMs = timeoutMs;
    this.#isWanted = isWanted;
    this.#lastUsedMs = clock.monotonicMs();
    // Calls under way are told by their own callbacks.
    driver.on('error', () => this.drop());
    driver.on('end', () => this.drop());
    socket.on('close', () => this.drop());
  }

  get isUsable(): boolean {
    return this.#isUsable && this.#isWanted() && this.#clock.monotonicMs() - this.#lastUsedMs < IDLE_MS_MAX;
  }

  /**
   * Runs the statements in order. Rejects with ServerError when the server refuses one, with ConnectionLost when the
   * answer will not come: then some, all or none of them may be done.
   */
  run(statements: readonly string[], timeoutMs = this.#timeoutMs): Promise<readonly Rows[]> {
    if (!this.#isUsable) return Promise.reject(new ConnectionLost('the connection has ended'));
    const sql = statements.join(';');
    return new Promise((resolve, reject) => {
      const timer = this.#silence.watch(this.#host, timeoutMs, (why) => {
        this.drop();
        reject(new NoAnswer(why));
      });
      this.#driver.query(sql, (error, result) => {
        timer.cancel();
        this.#lastUsedMs = this.#clock.monotonicMs();
        if (error === null) resolve((statements.length === 1 ? [result] : result) as Rows[]);
        else reject(this.#fate(error));
      });
    });
  }

  /**
   * Runs the statements of a transaction, or of a part of it. In one message where that is safe. On Galera it is not:
   * when another node's transaction ends this one between two statements of a message, MariaDB (seen with 10.11) rolls
   * it back, tells nobody, and goes on with the next statement, so that COMMIT answers well and nothing is written. When
   * each statement is a message of its own, the next one is answered with the error.
   */
  async transact(statements: readonly string[]): Promise<readonly Rows[]> {
    if (!this.sendsOneByOne) return this.run(statements);
    const answers: Rows[] = [];
    for (const statement of statements) answers.push(await this.rows(statement));
    return answers;
  }

  /**
   * The same for statements that tell nothing. Where the server takes blocks, a few short ones go as one compound
   * statement: it is answered once, while of a message each statement is answered by itself, and every answer wakes us.
   * An error ends a block as it ends a message, and leaves the transaction open.
   */
  async perform(message: Message): Promise<void> {
    const { text } = message;
    if (this.takesBlocks && text.length < BLOCK_CHARACTERS_MAX) await this.run([`BEGIN NOT ATOMIC ${text};END`]);
    else if (this.sendsOneByOne) await this.transact(statementsOf(message));
    else await this.run([text]);
  }

  /** The rows of one statement. */
  async rows(statement: string): Promise<Rows> {
    const [rows = []] = await this.run([statement]);
    return rows;
  }

  /** Ends a transaction that an error left open. Drops the connection, which ends it too, when that does not work. */
  async rollback(): Promise<void> {
    for (let attempt = 1; attempt <= ROLLBACKS_MAX; attempt += 1) {
      try {
        await this.run(['ROLLBACK']);
        return;
      } catch (error) {
        // Galera answers the first one with the news that another node's transaction has ended this one.
        if (!isConflict(error)) break;
      }
    }
    // The server rolls back what a lost connection had begun.
    this.drop();
  }

  /** Ends it at once. */
  drop(): void {
    this.#isUsable = false;
    this.#socket.destroy();
  }

  close(): Promise<void> {
    if (!this.#isUsable || this.#socket.destroyed) {
      this.drop();
      return Promise.resolve();
    }
    this.#isUsable = false;
    return new Promise((resolve) => {
      const timer = this.#clock.after(CLOSE_MS_MAX, () => this.#socket.destroy());
      this.#socket.once('close', () => {
        timer.cancel();
        resolve();
      });
      this.#driver.end(() => this.#socket.destroy());
    });
  }

  #fate(error: mysql.QueryError): Error {
    const { errno, sqlState, fatal, message } = error as mysql.QueryError & { errno?: unknown; sqlState?: unknown };
    if (typeof errno !== 'number' || typeof sqlState !== 'string' || fatal === true) {
      this.drop();
      return new ConnectionLost(message, { cause: error });
    }
    const refusal = new ServerError(errno, message, { cause: error });
    if (endsConnection(refusal)) this.#isUsable = false;
    return refusal;
  }
}

/** What a connection needs beside the options. */
export interface ConnectionWay {
  /** undefined: the Unix socket that the options name. */
  readonly host: Host | undefined;
  readonly clock: Clock;
  readonly silence: Silence;
  /** Whether its host is still the one to talk to. */
  readonly isWanted?: () => boolean;
  /** The server's machine has accepted it; nothing has been said yet. */
  readonly onAccepted?: () => void;
}

/** How long a server may take to say goodbye. */
const CLOSE_MS_MAX = 2_000;

/**
 * Connects and logs in; nothing is set yet. `database` undefined: none is chosen. Rejects with ServerError,
 * ConnectionLost, or a LogError `refused` when a file cannot be read.
 */
export async function connect(
  options: MysqlOptions,
  database: string | undefined,
  way: ConnectionWay,
): Promise<MysqlConnection> {
  const { host, onAccepted } = way;
  // Loaded when it is needed: most use another engine.
  const { default: driverModule } = await import('mysql2');
  const password = options.password ?? (await passwordFrom(options));
  const ssl = options.tls === 'off' ? undefined : await tlsFrom(options);
  const socket =
    host === undefined ? connectSocket(options.socketPath ?? '') : connectSocket({ host: host.host, port: host.port });
  if (onAccepted !== undefined) socket.once('connect', onAccepted);
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEPALIVE_DELAY_MS);
  const driver = driverModule.createConnection({
    stream: () => socket,
    ...(host === undefined ? {} : { host: host.host, port: host.port }),
    user: options.user,
    ...(password === undefined ? {} : { password }),
    ...(database === undefined ? {} : { database }),
    ...(ssl === undefined ? {} : { ssl }),
    connectTimeout: options.connectTimeoutMs,
    // The server takes and gives bytes as they are (literals.ts).
    charset: 'BINARY',
    multipleStatements: true,
    supportBigNumbers: true,
    rowsAsArray: true,
    // Nothing is to be put in; the driver would look through all of the text for a question mark.
    queryFormat: (sql) => sql,
    flags: ['-LOCAL_FILES'],
  });
  try {
    await new Promise<void>((resolve, reject) => {
      driver.once('connect', () => resolve());
      driver.once('error', reject);
      driver.once('end', () => reject(new Error('the server ended the connection')));
    });
  } catch (error) {
    driver.on('error', () => {});
    socket.destroy();
    throw loginError(error);
  }
  return new MysqlConnection(driver, socket, way, options.statementTimeoutMs);
}

function loginError(error: unknown): Error {
  const { errno, sqlState, message } = error as { errno?: unknown; sqlState?: unknown; message: string };
  // Before it greets a server tells no SQLSTATE; numbers of the system are below zero.
  if (typeof errno === 'number' && (errno > 0 || typeof sqlState === 'string'))
    return new ServerError(errno, message, { cause: error });
  const remedy = /does not support secure/.test(message) ? ': set TLS up on the server, or say tls=off' : '';
  return new ConnectionLost(message + remedy, { cause: error });
}

async function passwordFrom({ passwordFile, shown }: MysqlOptions): Promise<string | undefined> {
  if (passwordFile === undefined) return undefined;
  return (await read(passwordFile, 'password_file', shown)).toString('utf8').replace(/\r?\n$/, '');
}

async function tlsFrom(options: MysqlOptions): Promise<mysql.SslOptions> {
  const { tls, tlsCaFile, tlsCertFile, tlsKeyFile, shown } = options;
  const file = async (path: string | undefined, name: string) =>
    path === undefined ? undefined : await read(path, name, shown);
  const [ca, cert, key] = await Promise.all([
    file(tlsCaFile, 'tls_ca'),
    file(tlsCertFile, 'tls_cert'),
    file(tlsKeyFile, 'tls_key'),
  ]);
  return {
    rejectUnauthorized: tls !== 'required',
    verifyIdentity: tls === 'verify-identity',
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

async function read(path: string, parameter: string, shown: string): Promise<Buffer> {
  return readFile(path).catch((error: Error) => {
    throw new LogError('refused', `store ${shown}: ${parameter}: cannot read ${path} (${error.message})`);
  });
}

/** A column as a number: what the schema keeps below 2^53, or the driver gives as text because it is a DECIMAL. */
export function numberAt(row: Row | undefined, column: number): number {
  return Number(row?.[column]);
}

/** A column of a full 64-bit integer. */
export function bigintAt(row: Row | undefined, column: number): bigint {
  return BigInt(row?.[column] as string | number);
}

/** A column of bytes, as bytes of their own. */
export function bytesAt(row: Row | undefined, column: number): Uint8Array {
  return new Uint8Array(row?.[column] as Buffer);
}

/** A column of bytes as a Key: a character per byte. */
export function keyAt(row: Row | undefined, column: number): string {
  const value = row?.[column];
  return Buffer.isBuffer(value) ? value.toString('latin1') : String(value ?? '');
}

/** A column of text. What the connection's character set makes of it comes as bytes. */
export function textAt(row: Row | undefined, column: number): string {
  const value = row?.[column];
  return Buffer.isBuffer(value) ? value.toString('utf8') : String(value ?? '');
}
