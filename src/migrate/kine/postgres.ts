import { Client } from 'pg';
import { Failure } from '../../base/failure.ts';
import { shownStoreUrl } from '../../log/shared/store-url.ts';
import { type KineBounds, type KineDatabase, kineRow, type RawRow, whole } from './kine-database.ts';
import type { KineRow } from './kine-rows.ts';

const CONNECT_MS = 10_000;

/** kine's table in PostgreSQL. It is only read, in one REPEATABLE READ transaction. */
export class KinePostgres implements KineDatabase {
  readonly description: string;
  readonly foldsCase = false;
  readonly bounds: KineBounds;
  readonly #client: Client;
  readonly #name: string;

  private constructor(client: Client, name: string, version: string, bounds: KineBounds) {
    this.#client = client;
    this.#name = name;
    this.bounds = bounds;
    this.description = `kine table in PostgreSQL ${version}`;
  }

  /** Rejects with a Failure. */
  static async open(url: string): Promise<KinePostgres> {
    const name = shownStoreUrl(url);
    const client = new Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MS });
    // What breaks between two queries is told by the next one.
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
      const { rows } = await client.query<Record<string, unknown>>(
        `SELECT current_setting('server_version') AS version, (SELECT max(id) FROM kine) AS head,
           (SELECT count(*) FROM kine) AS count,
           (SELECT max(prev_revision) FROM kine WHERE name = 'compact_rev_key') AS compacted`,
      );
      const found = rows[0] ?? {};
      return new KinePostgres(client, name, String(found['version']).split(' ')[0] ?? '', {
        head: whole(found['head'], 'id', 0, name),
        rows: whole(found['count'], 'count', 0, name),
        compacted: whole(found['compacted'], 'prev_revision', 0, name),
      });
    } catch (error) {
      await client.end().catch(() => undefined);
      throw failure(name, error);
    }
  }

  /** Whether kine's table is there. */
  static async isThere(url: string): Promise<boolean> {
    const client = new Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MS });
    client.on('error', () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<{ found: boolean }>(`SELECT to_regclass('kine') IS NOT NULL AS found`);
      return rows[0]?.found === true;
    } catch (error) {
      throw failure(shownStoreUrl(url), error);
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  async page(after: number, limit: number, withValues: boolean): Promise<readonly KineRow[]> {
    try {
      const { rows } = await this.#client.query<RawRow & Record<string, unknown>>(
        `SELECT id, convert_to(name, 'UTF8') AS name, created, deleted, create_revision, prev_revision, lease
           ${withValues ? ', value' : ''} FROM kine WHERE id > $1 ORDER BY id LIMIT $2`,
        [after, limit],
      );
      return rows.map((row) => kineRow(row, this.#name));
    } catch (error) {
      throw failure(this.#name, error);
    }
  }

  async close(): Promise<void> {
    await this.#client.end();
  }
}

function failure(name: string, error: unknown): Failure {
  if (error instanceof Failure) return error;
  const why = (error as Error).message || String((error as { code?: unknown }).code);
  return new Failure(`${name}: ${why}`, { cause: error });
}
