import Database from 'better-sqlite3';
import { Failure } from '../../base/failure.ts';
import { type KineBounds, type KineDatabase, kineRow, type RawRow, whole } from './kine-database.ts';
import type { KineRow } from './kine-rows.ts';

/** kine's table in an SQLite file, as k3s has it in server/db/state.db. It is only read. Throws a Failure. */
export class KineSqlite implements KineDatabase {
  readonly description: string;
  readonly foldsCase = false;
  readonly bounds: KineBounds;
  readonly #file: string;
  readonly #db: Database.Database;

  constructor(file: string) {
    this.#file = file;
    try {
      this.#db = new Database(file, { readonly: true, fileMustExist: true });
    } catch (error) {
      throw new Failure(`cannot read ${file}: ${(error as Error).message}`, { cause: error });
    }
    try {
      this.#db.defaultSafeIntegers(true);
      // One moment for everything that follows, while kine may go on writing.
      this.#db.exec('BEGIN');
      this.bounds = this.#readBounds();
      this.description = 'kine table in SQLite';
    } catch (error) {
      this.#db.close();
      throw this.#failure(error);
    }
  }

  async page(after: number, limit: number, withValues: boolean): Promise<readonly KineRow[]> {
    const sql = `SELECT id, CAST(name AS BLOB) AS name, created, deleted, create_revision, prev_revision, lease
      ${withValues ? ', CAST(value AS BLOB) AS value' : ''} FROM kine WHERE id > ? ORDER BY id LIMIT ?`;
    try {
      return (this.#db.prepare(sql).all(after, limit) as RawRow[]).map((row) => kineRow(row, this.#file));
    } catch (error) {
      throw this.#failure(error);
    }
  }

  async close(): Promise<void> {
    this.#db.close();
  }

  #readBounds(): KineBounds {
    const sql = `SELECT (SELECT max(id) FROM kine) AS head, (SELECT count(*) FROM kine) AS count,
      (SELECT max(prev_revision) FROM kine WHERE name = 'compact_rev_key') AS compacted`;
    const row = this.#db.prepare(sql).get() as { head: unknown; count: unknown; compacted: unknown };
    return {
      head: whole(row.head, 'id', 0, this.#file),
      rows: whole(row.count, 'count', 0, this.#file),
      compacted: whole(row.compacted, 'prev_revision', 0, this.#file),
    };
  }

  #failure(error: unknown): Failure {
    if (error instanceof Failure) return error;
    const why = (error as Error).message;
    const hint = /no such (table|column)/.test(why)
      ? 'there is no table of kine in it'
      : 'it cannot be read as a database';
    return new Failure(`${this.#file}: ${hint} (${why})`, { cause: error });
  }
}
