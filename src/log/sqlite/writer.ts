import { closeSync, openSync } from 'node:fs';
import type Database from 'better-sqlite3';
import { LogError, type LogState } from '../../mvcc/log.ts';
import { type AlarmKind, type Key, type LeaseRecord, NO_LEASE, type Note, type Revision } from '../../mvcc/types.ts';
import { connect, walBytesKept } from './connection.ts';
import { codeOf, translate } from './errors.ts';
import { sizeOf } from './file-size.ts';
import { gatheringVfs } from './gathering-vfs.ts';
import { readHeads } from './heads.ts';
import { checkIntegrity } from './integrity.ts';
import type { SqliteOptions } from './options.ts';
import { PackedBatch } from './packed-batch.ts';
import type { Handlers, PackedAppend, WriterCalls } from './protocol.ts';
import { HEAD_SQL, idOf, PAGE_BYTES, prepareSchema } from './schema.ts';
import { growWal } from './wal.ts';

const META = `SELECT value FROM meta WHERE name = ?`;

/**
 * The writer thread: the only one that changes the file. After an error in a commit it trusts nothing that it knew:
 * it opens the file anew and reads the head back before it says whether anything was written (a failed fsync leaves
 * pages in memory that look written and are not on the disk).
 */
export function createWriter(
  options: SqliteOptions,
): Omit<Handlers<WriterCalls>, 'append'> & { append(call: PackedAppend): 'moved' | undefined } {
  let session: Session | undefined;

  /** The connection, opened anew when an error took the last one away. */
  function current(): Session {
    session ??= openSession(options);
    return session;
  }

  function drop(): void {
    const dropped = session;
    session = undefined;
    dropped?.db.close();
  }

  /** Runs `change` as one commit. A LogError that it throws means that nothing was written, or `ambiguous`. */
  function commit<T>(change: (session: Session) => T, written: (session: Session) => boolean): T {
    const { begin, commit, rollback, db } = current();
    let result: T;
    try {
      begin.run();
      result = change(current());
    } catch (error) {
      // Nothing of it can have reached the disk as a whole: the commit was not asked for.
      if (isDiskError(error)) drop();
      else if (db.inTransaction) rollback.run();
      throw translate(error, options.file);
    }
    try {
      commit.run();
      return result;
    } catch (error) {
      if (settle(error, written)) return result;
      throw translate(error, options.file);
    }
  }

  /** The same for a single statement, which commits by itself: BEGIN and COMMIT are a fifth of its CPU. */
  function commitOne(change: (session: Session) => void, written: (session: Session) => boolean): void {
    try {
      change(current());
    } catch (error) {
      if (!settle(error, written)) throw translate(error, options.file);
    }
  }

  /**
   * After a failed COMMIT: was it written? Asks the file through a new connection. After a failed fsync the frames may
   * be in the log all the same, for the next start to find: one more commit goes over them, or makes them certain.
   */
  function settle(cause: unknown, written: (session: Session) => boolean): boolean {
    try {
      drop();
      const fresh = current();
      const isWritten = written(fresh);
      if (!isWritten && !codeOf(cause).endsWith('FSYNC')) return false;
      fresh.begin.run();
      fresh.raiseHead.run();
      fresh.commit.run();
      return isWritten;
    } catch (error) {
      drop();
      if (!codeOf(cause).endsWith('FSYNC')) return false;
      throw new LogError(
        'ambiguous',
        `${options.file}: a commit failed (${message(cause)}) and so did asking what became of it (${message(error)})`,
        { cause: error },
      );
    }
  }

  return {
    open() {
      try {
        checkIntegrity(options);
        makeStore(options);
        return stateOf(current().db);
      } catch (error) {
        throw translate(error, options.file);
      }
    },

    // What a start asks for: a reader's thread would cost it a fifth more of CPU.
    heads: (after) => readHeads(current().db, after),
    size: () => sizeOf(current().db),

    append(call) {
      const batch = new PackedBatch(call.buffer, call.rows);
      const newHead = call.rows === 0 ? call.expectedHead : batch.records.revision(call.rows - 1);
      // Nobody else writes: the head is asked of the file once, and again after an error.
      const s = current();
      s.lastHead ??= s.head.get() ?? 0;
      if (s.lastHead !== call.expectedHead) return 'moved';
      s.lastHead = undefined;
      const isOne = call.rows === 1 && call.notes === undefined;
      (isOne ? commitOne : commit)(
        (session) => append(session, call, batch),
        (session) => call.rows > 0 && session.head.get() === newHead,
      );
      current().lastHead = newHead;
      return undefined;
    },

    compact(horizon) {
      commit(
        (s) => {
          s.raiseHead.run();
          s.raiseHorizon.run(horizon, horizon);
        },
        (s) => (s.meta.get('horizon') ?? 0) >= horizon,
      );
      return undefined;
    },

    sweep(positions) {
      commit(
        (s) => {
          // The newest row may be among them, and the head must outlive it.
          s.raiseHead.run();
          for (let i = 0; i < positions.length; i += 2)
            s.remove.run(positions[i] as number, positions[i + 1] as number);
        },
        () => false,
      );
      return undefined;
    },

    vacuum(bytes) {
      const { db } = current();
      const page = Number(db.pragma('page_size', { simple: true }));
      const pages = Math.ceil(bytes / page);
      try {
        if (pages > 0) db.pragma(`incremental_vacuum(${pages})`);
        // The file is cut only when the write-ahead log is brought home.
        db.pragma('wal_checkpoint(PASSIVE)');
        return Number(db.pragma('freelist_count', { simple: true })) * page;
      } catch (error) {
        drop();
        throw translate(error, options.file);
      }
    },

    defragment() {
      const { db } = current();
      try {
        db.exec('VACUUM');
        db.pragma('wal_checkpoint(FULL)');
        return undefined;
      } catch (error) {
        drop();
        throw translate(error, options.file);
      }
    },

    alarm({ kind, raised }) {
      commit(
        (s) => (raised ? s.raiseAlarm : s.clearAlarm).run(kind),
        (s) => (s.hasAlarm.get(kind) === 1) === raised,
      );
      return undefined;
    },

    close() {
      drop();
      return undefined;
    },
  };
}

/** Makes or migrates the file, and the room for its write-ahead log, which must be made while nobody has it open. */
function makeStore(options: SqliteOptions): void {
  // Made here, for its owner's eyes only: it holds secrets. SQLite gives its other files the same rights.
  closeSync(openSync(options.file, 'a', 0o600));
  const db = connect(options);
  try {
    prepareSchema(db, options.file);
  } finally {
    db.close();
  }
  growWal(options.file, walBytesKept(options));
}

/** A connection and its statements. */
type Session = ReturnType<typeof openSession>;

function openSession(options: SqliteOptions) {
  const db = connect(options, options.synchronous === 'full' ? gatheringVfs() : undefined);
  try {
    db.pragma(`wal_autocheckpoint = ${Math.floor(options.walBytes / PAGE_BYTES)}`);
    return {
      db,
      /** The newest revision, once it is known. */
      lastHead: undefined as Revision | undefined,
      begin: db.prepare('BEGIN IMMEDIATE'),
      commit: db.prepare('COMMIT'),
      rollback: db.prepare('ROLLBACK'),
      head: db.prepare<[], number>(HEAD_SQL).pluck(),
      meta: db.prepare<[string], number>(META).pluck(),
      insertOne: db.prepare(insertSql(1)),
      insertMany: db.prepare(insertSql(ROWS_PER_INSERT)),
      remove: db.prepare('DELETE FROM log WHERE id = (? << 22 | ?)'),
      raiseHead: db.prepare(`UPDATE meta SET value = (${HEAD_SQL}) WHERE name = 'head'`),
      raiseHorizon: db.prepare(`UPDATE meta SET value = ? WHERE name = 'horizon' AND value < ?`),
      grant: db.prepare('INSERT OR REPLACE INTO lease (id, ttl, remaining_ttl) VALUES (?, ?, ?)'),
      revoke: db.prepare('DELETE FROM lease WHERE id = ?'),
      checkpoint: db.prepare('UPDATE lease SET remaining_ttl = ? WHERE id = ?'),
      record: db.prepare('INSERT OR REPLACE INTO record (name, value) VALUES (?, ?)'),
      forget: db.prepare('DELETE FROM record WHERE name = ?'),
      raiseAlarm: db.prepare('INSERT OR IGNORE INTO alarm (kind) VALUES (?)'),
      clearAlarm: db.prepare('DELETE FROM alarm WHERE kind = ?'),
      hasAlarm: db.prepare<[string], number>('SELECT 1 FROM alarm WHERE kind = ?').pluck(),
    };
  } catch (error) {
    db.close();
    throw error;
  }
}

function append(session: Session, call: PackedAppend, batch: PackedBatch): void {
  insertRows(session, batch);
  if (call.notes !== undefined) for (const note of call.notes) applyNote(session, note);
}

/** Many rows in one statement cost a fifth less than as many statements. */
const ROWS_PER_INSERT = 32;
const COLUMNS = 7;

function insertRows({ insertOne, insertMany }: Session, batch: PackedBatch): void {
  const { records } = batch;
  const cursor = batch.cursor();
  const many = records.length - (records.length % ROWS_PER_INSERT);
  const values = new Array<unknown>(many === 0 ? COLUMNS : ROWS_PER_INSERT * COLUMNS);
  for (let i = 0, at = 0; i < records.length; i++) {
    const { keyAt, valueAt } = cursor;
    cursor.pass(i);
    const lease = records.lease(i);
    values[at] = idOf(records.revision(i), records.sub(i));
    values[at + 1] = batch.bytes(keyAt, cursor.keyAt);
    values[at + 2] = records.createRevision(i);
    values[at + 3] = records.version(i);
    values[at + 4] = lease === NO_LEASE ? 0 : lease;
    values[at + 5] = records.isDelete(i) ? 1 : 0;
    values[at + 6] = batch.bytes(valueAt, cursor.valueAt);
    at += COLUMNS;
    if (i >= many) {
      values.length = COLUMNS;
      insertOne.run(values);
      at = 0;
    } else if (at === ROWS_PER_INSERT * COLUMNS) {
      insertMany.run(values);
      at = 0;
    }
  }
}

function applyNote(session: Session, { change }: Note): void {
  switch (change.kind) {
    case 'grant':
      session.grant.run(change.id, change.ttl, change.ttl);
      break;
    // Nobody but this process renews leases: what it says is over is over.
    case 'revoke':
    case 'expire':
      session.revoke.run(change.id);
      break;
    case 'checkpoint':
      session.checkpoint.run(change.remainingTtl, change.id);
      break;
    case 'record':
      if (change.value === undefined) session.forget.run(blobOf(change.name));
      else session.record.run(blobOf(change.name), change.value);
      break;
  }
}

function insertSql(rows: number): string {
  const row = `(${Array(COLUMNS).fill('?').join(', ')})`;
  return `INSERT INTO log (id, key, create_revision, version, lease, deleted, value) VALUES ${Array(rows).fill(row).join(', ')}`;
}

function stateOf(db: Database.Database): LogState {
  const meta = db.prepare<[string], bigint>(META).pluck().safeIntegers();
  const leases = db
    .prepare<[], [bigint, bigint, bigint]>('SELECT id, ttl, remaining_ttl FROM lease ORDER BY id')
    .raw()
    .safeIntegers()
    .all()
    .map(([id, ttl, remainingTtl]): LeaseRecord => ({ id, ttl: Number(ttl), remainingTtl: Number(remainingTtl) }));
  return {
    cursor: { revision: Number(db.prepare(HEAD_SQL).pluck().get()), notes: 0, commit: 0 },
    horizon: Number(meta.get('horizon')),
    leases,
    records: db
      .prepare<[], { readonly name: Buffer; readonly value: Buffer }>('SELECT name, value FROM record ORDER BY name')
      .all()
      .map(({ name, value }) => ({ name: name.toString('latin1'), value: new Uint8Array(value) })),
    alarms: db.prepare<[], AlarmKind>('SELECT kind FROM alarm ORDER BY kind').pluck().all(),
    clusterId: BigInt.asUintN(64, meta.get('cluster_id') ?? 0n),
    memberId: BigInt.asUintN(64, meta.get('member_id') ?? 0n),
    rows: Number(db.prepare('SELECT count(*) FROM log').pluck().get()),
  };
}

function blobOf(name: Key): Buffer {
  return Buffer.from(name, 'latin1');
}

function isDiskError(error: unknown): boolean {
  const code = codeOf(error);
  return code.startsWith('SQLITE_IOERR') || code.startsWith('SQLITE_FULL') || code.startsWith('SQLITE_CORRUPT');
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
