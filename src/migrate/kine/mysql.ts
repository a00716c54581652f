import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { Failure } from '../../base/failure.ts';
import { shownStoreUrl } from '../../log/shared/store-url.ts';
import { type KineBounds, type KineDatabase, kineRow, type RawRow, whole } from './kine-database.ts';
import type { KineRow } from './kine-rows.ts';

const CONNECT_MS = 10_000;

/** kine's table in MySQL or MariaDB. It is only read, in one REPEATABLE READ transaction. */
export class KineMysql implements KineDatabase {
  readonly description: string;
  readonly foldsCase: boolean;
  readonly bounds: KineBounds;
  readonly #connection: Connection;
  readonly #name: string;

  private constructor(connection: Connection, name: string, facts: KineFacts) {
    this.#connection = connection;
    this.#name = name;
    this.bounds = facts.bounds;
    this.foldsCase = facts.foldsCase;
    this.description = `kine table in ${facts.version}`;
  }

  /** Rejects with a Failure. */
  static async open(url: string): Promise<KineMysql> {
    const name = shownStoreUrl(url);
    const connection = await connect(url, name);
    try {
      await connection.query('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ');
      await connection.query('START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY');
      return new KineMysql(connection, name, await factsOf(connection, name));
    } catch (error) {
      connection.destroy();
      throw failure(name, error);
    }
  }

  /** Whether kine's table is there. */
  static async isThere(url: string): Promise<boolean> {
    const name = shownStoreUrl(url);
    const connection = await connect(url, name);
    try {
      const [rows] = await connection.query<RowDataPacket[]>(
        `SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'kine'`,
      );
      return rows.length > 0;
    } catch (error) {
      throw failure(name, error);
    } finally {
      connection.destroy();
    }
  }

  async page(after: number, limit: number, withValues: boolean): Promise<readonly KineRow[]> {
    try {
      const [rows] = await this.#connection.query<RowDataPacket[]>(
        `SELECT id, CAST(name AS BINARY) AS name, created, deleted, create_revision, prev_revision, lease
           ${withValues ? ', value' : ''} FROM kine WHERE id > ? ORDER BY id LIMIT ?`,
        [after, limit],
      );
      return rows.map((row) => kineRow(row as unknown as RawRow, this.#name));
    } catch (error) {
      throw failure(this.#name, error);
    }
  }

  async close(): Promise<void> {
    await this.#connection.end();
  }
}

interface KineFacts {
  readonly version: string;
  readonly foldsCase: boolean;
  readonly bounds: KineBounds;
}

async function factsOf(connection: Connection, name: string): Promise<KineFacts> {
  const [rows] = await connection.query<RowDataPacket[]>(
    `SELECT version() AS version, (SELECT max(id) FROM kine) AS head, (SELECT count(*) FROM kine) AS count,
       (SELECT max(prev_revision) FROM kine WHERE name = 'compact_rev_key') AS compacted,
       (SELECT collation_name FROM information_schema.columns
          WHERE table_schema = DATABASE() AND table_name = 'kine' AND column_name = 'name') AS collation`,
  );
  const found: Readonly<Record<string, unknown>> = rows[0] ?? {};
  const version = String(found['version']);
  return {
    version: version.includes('MariaDB') ? `MariaDB ${version.split('-')[0]}` : `MySQL ${version}`,
    foldsCase: !/_(bin|cs)$|^binary$/.test(String(found['collation'])),
    bounds: {
      head: whole(found['head'], 'id', 0, name),
      rows: whole(found['count'], 'count', 0, name),
      compacted: whole(found['compacted'], 'prev_revision', 0, name),
    },
  };
}

async function connect(url: string, name: string): Promise<Connection> {
  try {
    return await createConnection({
      uri: url.replace(/^mariadb:/, 'mysql:'),
      connectTimeout: CONNECT_MS,
      supportBigNumbers: true,
      bigNumberStrings: true,
    });
  } catch (error) {
    throw failure(name, error);
  }
}

function failure(name: string, error: unknown): Failure {
  if (error instanceof Failure) return error;
  const why = (error as Error).message || String((error as { code?: unknown }).code);
  return new Failure(`${name}: ${why}`, { cause: error });
}
