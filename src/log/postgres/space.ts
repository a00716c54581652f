import type { Clock } from '../../base/clock.ts';
import { LogError, type LogSize } from '../../mvcc/log.ts';
import type { PgConnection, Statement } from './connection.ts';
import type { Connections } from './connections.ts';
import { translate } from './errors.ts';
import type { PostgresOptions } from './options.ts';
import type { Statements } from './statements.ts';

/** VACUUM of a large table takes its time; it is slowed down on purpose. */
const VACUUM_TIMEOUT_MS = 3_600_000;

/** How long a size is good for. */
const SIZE_AGE_MS = 1_000;

/** As autovacuum: a pause after so much work, so that writes hardly feel it. */
const GENTLY = 'SET vacuum_cost_delay = 2';

/** A part of the store must have been swept before it is worth a VACUUM. */
const WORTH_A_VACUUM = 0.2;

/**
 * A table that the role may not vacuum, if there is any: the owner may, who has the owner's role, the database's owner,
 * and from PostgreSQL 17 on who has the right MAINTAIN.
 */
const MAY_MAINTAIN = (schema: string): Statement => ({
  name: 'may_maintain',
  text: `SELECT quote_ident(current_user), quote_ident(pg_get_userbyid(c.relowner))
           FROM pg_class c, pg_database d
          WHERE c.relnamespace = '${schema}'::regnamespace AND c.relkind = 'r' AND d.datname = current_database()
            AND NOT pg_has_role(c.relowner, 'USAGE') AND NOT pg_has_role(d.datdba, 'USAGE')
            AND NOT CASE WHEN current_setting('server_version_num')::int < 170000 THEN false
                         ELSE has_table_privilege(c.oid, 'MAINTAIN') END
          LIMIT 1`,
});

/**
 * What the store takes on the server's disk. Free space within its tables is used again by what comes next; VACUUM
 * makes it free and gives back what lies at a table's end, VACUUM FULL writes the tables anew.
 */
export class Space {
  readonly #connections: Connections;
  readonly #options: PostgresOptions;
  readonly #statements: Statements;
  readonly #clock: Clock;
  #known: { readonly size: LogSize; readonly atMs: number } | undefined;
  /** By us, since the last VACUUM. Whatever others sweep they see to. */
  #sweptBytes = 0;
  #working: Promise<unknown> = Promise.resolve();
  #maintaining: PgConnection | undefined;
  #isClosed = false;

  constructor(connections: Connections, options: PostgresOptions, statements: Statements, clock: Clock) {
    this.#connections = connections;
    this.#options = options;
    this.#statements = statements;
    this.#clock = clock;
  }

  /** So many bytes of rows were deleted. */
  swept(bytes: number): void {
    this.#sweptBytes += bytes;
    this.#known = undefined;
  }

  /** In use is what the rows hold, about; the server only knows its files. */
  async size(connection: PgConnection): Promise<LogSize> {
    const atMs = this.#clock.monotonicMs();
    if (this.#known !== undefined && atMs - this.#known.atMs < SIZE_AGE_MS) return this.#known.size;
    const [row] = await connection.query(this.#statements.size);
    const totalBytes = Number(row?.[0]);
    const size = { totalBytes, inUseBytes: Math.min(totalBytes, Number(row?.[1])) };
    this.#known = { size, atMs };
    return size;
  }

  /**
   * Only when much was swept, and by a role that may; autovacuum does the rest. Answers 0: there is nothing that could be
   * done bit by bit.
   */
  vacuum(): Promise<number> {
    return this.#one(async () => {
      if (this.#sweptBytes === 0) return 0;
      await this.#maintain(async (connection) => {
        const { inUseBytes } = await this.size(connection);
        if (this.#sweptBytes < inUseBytes * WORTH_A_VACUUM) return;
        this.#sweptBytes = 0;
        if ((await this.#whyNot(connection)) !== undefined) return;
        // Through a PgBouncer it would stay with a session of others.
        if (!this.#options.pgbouncer) await connection.run(GENTLY);
        // A table that autovacuum is at is left to it: waiting would make the server break that off.
        for (const table of ['log', 'commit', 'note'])
          await connection.run(`VACUUM (SKIP_LOCKED) ${this.#options.schema}.${table}`);
      });
      return 0;
    });
  }

  /** Nobody reads or writes the store for the while. Rejects with a LogError when the role may not. */
  defragment(): Promise<void> {
    return this.#one(() =>
      this.#maintain(async (connection) => {
        // The server would warn, do nothing, and say that all is well.
        const reason = await this.#whyNot(connection);
        if (reason !== undefined) throw new LogError('unavailable', `store ${this.#options.shown}: ${reason}`);
        this.#sweptBytes = 0;
        for (const table of ['log', 'commit', 'note', 'lease', 'record']) {
          await connection.run(`VACUUM (FULL, ANALYZE) ${this.#options.schema}.${table}`);
        }
      }),
    );
  }

  /** Breaks off what is under way: it does no harm. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#maintaining?.destroy('the log is closed');
    await this.#working;
  }

  /** Why VACUUM would pass the tables over; undefined when it would not. */
  async #whyNot(connection: PgConnection): Promise<string | undefined> {
    const [row] = await connection.query(MAY_MAINTAIN(this.#options.schema));
    if (row === undefined) return undefined;
    const [role, owner] = row;
    const { schema } = this.#options;
    return `the role ${role} may not vacuum or defragment tables of ${owner}: GRANT ${owner} TO ${role} (or, from PostgreSQL 17 on, GRANT MAINTAIN ON ALL TABLES IN SCHEMA ${schema} TO ${role})`;
  }

  /** One at a time. */
  #one<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#working.then(work);
    this.#working = result.catch(() => {});
    return result;
  }

  async #maintain(work: (connection: PgConnection) => Promise<void>): Promise<void> {
    const connection = await this.#connections.connectToSweep({ statementTimeoutMs: VACUUM_TIMEOUT_MS });
    this.#maintaining = connection;
    try {
      if (!this.#isClosed) await work(connection);
    } catch (error) {
      throw translate(error, this.#options.shown);
    } finally {
      this.#maintaining = undefined;
      this.#known = undefined;
      await connection.close();
    }
  }
}
