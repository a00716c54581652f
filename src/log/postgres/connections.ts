import { LogError } from '../../mvcc/log.ts';
import { ConnectionPool } from '../shared/connection-pool.ts';
import { DatabaseAway } from '../shared/database-away.ts';
import type { DatabaseStats } from '../shared/database-stats.ts';
import type { EngineContext } from '../shared/engine-context.ts';
import { type Host, HostList, showHost } from '../shared/host-list.ts';
import { PgConnection } from './connection.ts';
import { ALREADY_THERE, isServerError, NO_SUCH_DATABASE, translate } from './errors.ts';
import type { PostgresOptions } from './options.ts';

/*
 * All connections of a store go to one server: the host that last turned out to be a primary. When another one takes
 * its place, connections to the old one are used no more.
 */

/** One for appends and one that listens; the others read. */
const OTHERS = 2;

const WAITERS_MAX = 4096;

/** A new database is a copy of another, file by file. */
const CREATE_TIMEOUT_MS = 60_000;

/** Makes connections to the primary among the hosts. */
export class Connections {
  readonly pool: ConnectionPool<PgConnection>;
  readonly #hosts: HostList;
  readonly #options: PostgresOptions;
  readonly #context: EngineContext;
  #isOpened = false;

  constructor(options: PostgresOptions, context: EngineContext, stats: DatabaseStats) {
    this.#options = options;
    this.#context = context;
    this.#hosts = new HostList(options.hosts);
    const limits = {
      connectionsMax: options.poolMax - OTHERS,
      waitMs: options.poolWaitMs,
      waitersMax: WAITERS_MAX,
    };
    this.pool = new ConnectionPool(() => this.connect(), limits, context, stats);
  }

  /** From now on a refusal is taken for something that passes: the server was right once. */
  opened(): void {
    this.#isOpened = true;
  }

  /**
   * To the first host that is a primary. Rejects with DatabaseAway when there is none now, with a LogError `refused`
   * when the servers say no for good. `overrides`: for a connection with other limits.
   */
  async connect(overrides: Partial<PostgresOptions> = {}): Promise<PgConnection> {
    const problems: LogError[] = [];
    for (const host of this.#hosts.inOrder()) {
      try {
        const connection = await this.#connectTo(host, { ...this.#options, ...overrides });
        this.#hosts.worked(host);
        return connection;
      } catch (error) {
        problems.push(this.#problem(error, host));
      }
    }
    const text = problems.map(({ message }) => message).join('; ');
    const isRefused = !this.#isOpened && problems.every(({ code }) => code === 'refused');
    throw isRefused ? new LogError('refused', text) : new DatabaseAway(text);
  }

  async #connectTo(host: Host, options: PostgresOptions): Promise<PgConnection> {
    const connection = await this.#connectOrCreate(host, options);
    try {
      const [row] = await connection.query({
        name: 'session',
        text: `SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'`,
      });
      if (row?.[0] === 't') throw new DatabaseAway(`PostgreSQL at ${showHost(host)} is a standby or read-only`);
      return connection;
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  async #connectOrCreate(host: Host, options: PostgresOptions): Promise<PgConnection> {
    const isWanted = (each: Host) => each === this.#hosts.preferred;
    try {
      return await PgConnection.connect(options, host, this.#context, isWanted);
    } catch (error) {
      const isMissing = isServerError(error) && error.code === NO_SUCH_DATABASE;
      if (!isMissing || this.#isOpened || options.pgbouncer) throw error;
    }
    await this.#createDatabase(host, options);
    return PgConnection.connect(options, host, this.#context, isWanted);
  }

  async #createDatabase(host: Host, options: PostgresOptions): Promise<void> {
    const elsewhere = { ...options, database: 'postgres', statementTimeoutMs: CREATE_TIMEOUT_MS };
    const connection = await PgConnection.connect(elsewhere, host, this.#context);
    try {
      await connection.run(`CREATE DATABASE "${options.database.replaceAll('"', '""')}"`);
      this.#context.logger.info('made the database', { database: options.database });
    } catch (error) {
      if (!isServerError(error)) throw error;
      if (ALREADY_THERE.includes(error.code)) return;
      throw new LogError(
        'refused',
        `store ${options.shown}: there is no database ${options.database}, and it cannot be made (${error.message}): CREATE DATABASE ${options.database} OWNER …, or let the role make it (ALTER ROLE … CREATEDB)`,
        { cause: error },
      );
    } finally {
      await connection.close();
    }
  }

  #problem(error: unknown, host: Host): LogError {
    if (isServerError(error) && isPassing(error.code)) {
      return new DatabaseAway(`PostgreSQL at ${showHost(host)}: ${error.message}`, 'unavailable', { cause: error });
    }
    return translate(error, `PostgreSQL at ${showHost(host)}`);
  }
}

/** Starting, stopping, full: it may be different in a moment. */
export function isPassing(sqlState: string): boolean {
  return /^(57P|08|53)/.test(sqlState);
}
