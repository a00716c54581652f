import { LogError } from '../../mvcc/log.ts';
import { ConnectionPool } from '../shared/connection-pool.ts';
import { DatabaseAway } from '../shared/database-away.ts';
import type { DatabaseStats } from '../shared/database-stats.ts';
import type { EngineContext } from '../shared/engine-context.ts';
import { type Host, showHost } from '../shared/host-list.ts';
import { Silence } from '../shared/silence.ts';
import { PgConnection } from './connection.ts';
import { ALREADY_THERE, isServerError, NO_SUCH_DATABASE, READ_ONLY, translate } from './errors.ts';
import { look } from './look.ts';
import type { PostgresOptions } from './options.ts';
import { type FoundPrimary, newestPrimary } from './primary-search.ts';

/*
 * All connections of a store go to one server: the host that last turned out to be the primary. When another one takes
 * its place, connections to the old one are used no more. Of two that both say they are the primary, the one that was
 * promoted later is; one that was replaced is not gone back to.
 */

/** One for appends and one that listens; the others read. */
const OTHERS = 2;

const WAITERS_MAX = 4096;

/**
 * Who sweeps or vacuums hands many changed pages to the kernel. It is to write each bit soon: else it writes all of them
 * at once when they are 30 s old, and commits wait for that (seen: 190 ms).
 */
const WRITE_BIT_BY_BIT = `SET backend_flush_after = '256kB'`;

/** A new database is a copy of another, file by file. */
const CREATE_TIMEOUT_MS = 60_000;

const IS_STANDBY = {
  name: 'is_standby',
  text: `SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'`,
};

const TIMELINE = {
  name: 'timeline',
  text: `SELECT system_identifier, ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int
           FROM pg_control_system()`,
};

/** Makes connections to the primary among the hosts. */
export class Connections {
  readonly pool: ConnectionPool<PgConnection>;
  #current: Host | undefined;
  readonly #connections = new Set<PgConnection>();
  /** By system identifier, the newest that was ever seen. */
  readonly #timelines = new Map<string, number>();
  readonly #options: PostgresOptions;
  readonly #context: EngineContext;
  readonly #silence: Silence;
  #isOpened = false;
  /** Hears that the host that is talked to is gone without a word. */
  onGone: () => void = () => {};

  constructor(options: PostgresOptions, context: EngineContext, stats: DatabaseStats) {
    this.#options = options;
    this.#context = context;
    this.#silence = new Silence(context.clock, look);
    this.#silence.onGone = (host) => {
      if (host === this.#current) this.onGone();
    };
    const limits = {
      connectionsMax: options.poolMax - OTHERS,
      waitMs: options.poolWaitMs,
      waitersMax: WAITERS_MAX,
    };
    this.pool = new ConnectionPool(() => this.connectToSweep(), limits, context, stats);
  }

  /** From now on a refusal is taken for something that passes: the server was right once. */
  opened(): void {
    this.#isOpened = true;
  }

  /**
   * To the primary: the one that it was, or else the newest one among the hosts. Rejects with DatabaseAway when there
   * is none now, with a LogError `refused` when the servers say no for good. `overrides`: for other limits.
   */
  async connect(overrides: Partial<PostgresOptions> = {}): Promise<PgConnection> {
    const options = { ...this.#options, ...overrides };
    const current = this.#current;
    const problems: LogError[] = [];
    if (current !== undefined) {
      try {
        return (await this.#connectTo(current, options)).connection;
      } catch (error) {
        problems.push(this.#problem(error, current));
      }
    }
    const others = options.hosts.filter((host) => host !== current);
    const attempts = others.map((host) => this.#connectTo(host, options));
    const found = await newestPrimary(attempts, this.#context.clock, (error, at) => {
      const host = others[at];
      if (host !== undefined) problems.push(this.#problem(error, host));
    });
    if (found !== undefined) {
      this.#use(found);
      return found.connection;
    }
    const text = problems.map(({ message }) => message).join('; ');
    const isRefused = !this.#isOpened && problems.every(({ code }) => code === 'refused');
    throw isRefused ? new LogError('refused', text) : new DatabaseAway(text);
  }

  /** As `connect`, for all but appends and listening: sweeps run among the reads. */
  async connectToSweep(overrides: Partial<PostgresOptions> = {}): Promise<PgConnection> {
    const connection = await this.connect(overrides);
    // Through a PgBouncer it would stay with a session of others.
    if (this.#options.pgbouncer) return connection;
    await connection.run(WRITE_BIT_BY_BIT).catch((error: unknown) => {
      // Not every service that speaks PostgreSQL knows the setting.
      if (!isServerError(error)) throw error;
    });
    return connection;
  }

  /** Connections to any other host are used no more. */
  #use({ host, system, timeline }: FoundPrimary): void {
    if (this.#current !== undefined && this.#current !== host) {
      const from = showHost(this.#current);
      this.#context.logger.warn('another database server is the primary now', { from, to: showHost(host) });
    }
    this.#current = host;
    // Whoever still waits for the other one waits in vain, or is told what does not count any more.
    for (const connection of [...this.#connections]) {
      if (connection.host !== host) connection.destroy('another server is the primary now');
    }
    this.#timelines.set(system, Math.max(timeline, this.#timelines.get(system) ?? 0));
  }

  async #connectTo(host: Host, options: PostgresOptions): Promise<FoundPrimary> {
    const connection = await this.#connectOrCreate(host, options);
    try {
      const [row] = await connection.query(IS_STANDBY);
      if (row?.[0] === 't') throw new DatabaseAway(`PostgreSQL at ${showHost(host)} is a standby or read-only`);
      // Not every service that speaks PostgreSQL tells.
      const [told] = await connection.query(TIMELINE).catch(() => []);
      const [system = '', timeline] = told ?? [];
      this.#connections.add(connection);
      connection.onEnded = () => this.#connections.delete(connection);
      const found = { host, connection, system: system ?? '', timeline: Number(timeline ?? 0) };
      const newest = this.#timelines.get(found.system) ?? 0;
      if (found.timeline < newest) {
        throw new DatabaseAway(
          `PostgreSQL at ${showHost(host)} was replaced by a failover: its timeline is ${found.timeline}, ${newest} was seen`,
        );
      }
      return found;
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  async #connectOrCreate(host: Host, options: PostgresOptions): Promise<PgConnection> {
    const losses = this.#silence.losses(host);
    const isWanted = (each: Host) =>
      losses === this.#silence.losses(host) && (this.#current === undefined || each === this.#current);
    try {
      return await PgConnection.connect(options, host, this.#context, this.#silence, isWanted);
    } catch (error) {
      const isMissing = isServerError(error) && error.code === NO_SUCH_DATABASE;
      if (!isMissing || this.#isOpened || options.pgbouncer) throw error;
    }
    await this.#createDatabase(host, options);
    return PgConnection.connect(options, host, this.#context, this.#silence, isWanted);
  }

  async #createDatabase(host: Host, options: PostgresOptions): Promise<void> {
    const elsewhere = { ...options, database: 'postgres', statementTimeoutMs: CREATE_TIMEOUT_MS };
    const connection = await PgConnection.connect(elsewhere, host, this.#context, this.#silence);
    try {
      await connection.run(`CREATE DATABASE "${options.database.replaceAll('"', '""')}"`);
      this.#context.logger.info('made the database', { database: options.database });
    } catch (error) {
      if (!isServerError(error)) throw error;
      if (ALREADY_THERE.includes(error.code)) return;
      if (error.code === READ_ONLY) throw new DatabaseAway(`PostgreSQL at ${showHost(host)} is a standby or read-only`);
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
