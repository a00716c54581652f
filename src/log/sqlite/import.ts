import { existsSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import type { ImportSink, ImportState } from '../../mvcc/import-sink.ts';
import { LogError } from '../../mvcc/log.ts';
import type { Change } from '../../mvcc/types.ts';
import { translate } from './errors.ts';
import { acquireLock, type Lock } from './lock.ts';
import type { SqliteOptions } from './options.ts';
import { idOf, prepareSchema } from './schema.ts';

/**
 * Makes a store file of rows from elsewhere. They go into a file beside the store's place, without a thought for power
 * cuts; once all are there it is synced and gets its name. Until then nothing is at the store's place.
 */
export class SqliteImport implements ImportSink {
  readonly #file: string;
  readonly #part: string;
  #lock: Lock | undefined;
  #db: Database.Database | undefined;
  #insert: Database.Statement | undefined;

  constructor(options: SqliteOptions) {
    this.#file = options.file;
    this.#part = `${options.file}.importing`;
  }

  async begin(): Promise<void> {
    this.#lock = acquireLock(this.#file);
    try {
      for (const file of [this.#file, `${this.#file}-wal`]) {
        if (existsSync(file)) {
          throw new LogError('refused', `${file} is already there: import into a new file, or move the old one away`);
        }
      }
      // What an import that was killed has left.
      await this.#removePart();
      await (await open(this.#part, 'wx', 0o600)).close();
      const db = new Database(this.#part);
      this.#db = db;
      prepareSchema(db, this.#part);
      db.pragma('journal_mode = DELETE');
      db.pragma('journal_mode = OFF');
      db.pragma('synchronous = OFF');
      db.pragma('locking_mode = EXCLUSIVE');
      this.#insert = db.prepare(
        'INSERT INTO log (id, key, create_revision, version, lease, deleted, value) VALUES (?, ?, ?, ?, ?, ?, ?)',
      );
    } catch (error) {
      await this.abort();
      throw translate(error, this.#file);
    }
  }

  async write(changes: readonly Change[]): Promise<void> {
    const { db, insert } = this.#begun();
    try {
      db.exec('BEGIN');
      for (const { revision, sub, key, createRevision, version, lease, kind, value } of changes) {
        const bytes = Buffer.from(key, 'latin1');
        const deleted = kind === 'delete' ? 1 : 0;
        insert.run(idOf(revision, sub), bytes, createRevision, version, lease, deleted, value);
      }
      db.exec('COMMIT');
    } catch (error) {
      throw translate(error, this.#file);
    }
  }

  async finish({ head, horizon, leases }: ImportState): Promise<void> {
    const { db } = this.#begun();
    try {
      db.exec('BEGIN');
      const set = db.prepare('UPDATE meta SET value = ? WHERE name = ?');
      set.run(head, 'head');
      set.run(horizon, 'horizon');
      const grant = db.prepare('INSERT INTO lease (id, ttl, remaining_ttl) VALUES (?, ?, ?)');
      for (const { id, ttl, remainingTtl } of leases) grant.run(id, ttl, remainingTtl);
      db.exec('COMMIT');
      db.close();
      this.#db = undefined;
      await syncPath(this.#part);
      // Nobody else can have made it: the lock is ours.
      await rename(this.#part, this.#file);
      await syncPath(dirname(this.#file));
      this.#lock?.release();
      this.#lock = undefined;
    } catch (error) {
      throw translate(error, this.#file);
    }
  }

  async abort(): Promise<void> {
    if (this.#lock === undefined) return;
    this.#db?.close();
    this.#db = undefined;
    await this.#removePart();
    this.#lock.release();
    this.#lock = undefined;
  }

  async #removePart(): Promise<void> {
    for (const suffix of ['', '-wal', '-shm', '-journal']) await rm(`${this.#part}${suffix}`, { force: true });
  }

  #begun(): { readonly db: Database.Database; readonly insert: Database.Statement } {
    if (this.#db === undefined || this.#insert === undefined) {
      throw new LogError('closed', `${this.#file}: no import is under way`);
    }
    return { db: this.#db, insert: this.#insert };
  }
}

/** Makes a file's contents, or a folder's names, durable. */
async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
