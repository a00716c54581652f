import Database from 'better-sqlite3';
import type { LogState } from '../../mvcc/log.ts';
import type { Change } from '../../mvcc/types.ts';
import { idOf, prepareSchema } from './schema.ts';

/**
 * Makes a store's file out of another engine's rows: what a snapshot of a shared store is. Nobody else may have the
 * file. It is not durable while it is being made; whoever wants it to be syncs it at the end. A call blocks for as long
 * as its rows take: give it a thousand or so at a time.
 */
export class StoreFile {
  readonly #db: Database.Database;
  readonly #insert: Database.Statement;

  constructor(file: string) {
    this.#db = new Database(file);
    this.#db.pragma('synchronous = OFF');
    prepareSchema(this.#db, file);
    this.#insert = this.#db.prepare(
      'INSERT INTO log (id, key, create_revision, version, lease, deleted, value) VALUES (?, ?, ?, ?, ?, ?, ?)',
    );
  }

  /** In one transaction. */
  addRows(changes: readonly Change[]): void {
    this.#db.transaction(() => {
      for (const { revision, sub, key, createRevision, version, lease, kind, value } of changes) {
        const isDelete = kind === 'delete' ? 1 : 0;
        const keyBytes = Buffer.from(key, 'latin1');
        this.#insert.run(idOf(revision, sub), keyBytes, createRevision, version, lease, isDelete, value);
      }
    })();
  }

  /** All but the rows; then the file is complete and closed. */
  finish({ cursor, horizon, clusterId, memberId, leases, records, alarms }: Omit<LogState, 'rows'>): void {
    const put = this.#db.prepare('INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)');
    const lease = this.#db.prepare('INSERT INTO lease (id, ttl, remaining_ttl) VALUES (?, ?, ?)');
    const record = this.#db.prepare('INSERT INTO record (name, value) VALUES (?, ?)');
    const alarm = this.#db.prepare('INSERT INTO alarm (kind) VALUES (?)');
    this.#db.transaction(() => {
      put.run('head', cursor.revision);
      put.run('horizon', horizon);
      put.run('cluster_id', BigInt.asIntN(64, clusterId));
      put.run('member_id', BigInt.asIntN(64, memberId));
      for (const { id, ttl, remainingTtl } of leases) lease.run(id, ttl, remainingTtl);
      for (const { name, value } of records) record.run(Buffer.from(name, 'latin1'), value);
      for (const kind of alarms) alarm.run(kind);
    })();
    // One file, nothing beside it.
    this.#db.pragma('journal_mode = DELETE');
    this.close();
  }

  /** Idempotent. */
  close(): void {
    this.#db.close();
  }
}
