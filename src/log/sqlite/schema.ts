import { randomBytes } from 'node:crypto';
import type Database from 'better-sqlite3';
import { LogError } from '../../mvcc/log.ts';
import { CHANGES_PER_TXN_MAX, FIRST_REVISION, type Revision } from '../../mvcc/types.ts';

/*
 * One row per change, in the log's order. The id is `revision << 22 | sub`: appending goes to the right edge of the
 * tree, and there is no other index to keep. `head` in meta is a lower bound: the head is the greater one of it and
 * the newest row's revision, so that an append writes nothing but rows and the newest row may still be swept.
 */

/** "kedg": PRAGMA application_id of every kedge store. */
export const APPLICATION_ID = 0x6b656467;

/** The schema that this program writes. Older ones are brought up to it, newer ones are refused. */
export const SCHEMA_VERSION = 2;

/** With 8 KiB a value of 4 KiB would have a page to itself, half of it empty: a third fewer such puts a second. */
export const PAGE_BYTES = 4096;

/** migrations[n] brings schema n to n + 1. Never edited once released. */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE log (
     id INTEGER PRIMARY KEY,           -- revision << 22 | sub
     key BLOB NOT NULL,
     create_revision INTEGER NOT NULL,
     version INTEGER NOT NULL,
     lease INTEGER NOT NULL,           -- 0: none
     deleted INTEGER NOT NULL,         -- 0: put, 1: delete
     value BLOB NOT NULL
   );
   CREATE TABLE lease (
     id INTEGER PRIMARY KEY,
     ttl INTEGER NOT NULL,             -- seconds, as granted
     remaining_ttl INTEGER NOT NULL    -- seconds, when last noted down
   );
   CREATE TABLE alarm (kind TEXT PRIMARY KEY) WITHOUT ROWID;
   CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;`,
  `CREATE TABLE record (name BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;`,
];

/** Revisions below this have ids that are exact as numbers. */
const EXACT_ID_REVISION_MAX = 2 ** 31;

/** A row's id, exact. */
export function idOf(revision: Revision, sub: number): number | bigint {
  if (revision < EXACT_ID_REVISION_MAX) return revision * CHANGES_PER_TXN_MAX + sub;
  return BigInt(revision) * BigInt(CHANGES_PER_TXN_MAX) + BigInt(sub);
}

/** The head, as everybody asks for it. */
export const HEAD_SQL = `SELECT max(
  (SELECT value FROM meta WHERE name = 'head'),
  ifnull((SELECT id >> 22 FROM log ORDER BY id DESC LIMIT 1), 0))`;

/** What a file's header says it is. */
type FileKind = 'empty' | 'ours' | 'older';

/**
 * Makes the tables of an empty file, or brings an older file up to date, each in one commit. Throws a LogError
 * `refused` for a file that is newer or not kedge's.
 */
export function prepareSchema(db: Database.Database, file: string): void {
  const kind = identify(db, file);
  if (kind === 'empty') {
    // Both only work before the first table is made, and outside of a transaction.
    db.pragma(`page_size = ${PAGE_BYTES}`);
    db.pragma('auto_vacuum = INCREMENTAL');
  }
  // A restored snapshot is not in this mode yet.
  const mode = db.pragma('journal_mode = WAL', { simple: true });
  if (mode !== 'wal') {
    throw new LogError('refused', `${file}: its file system cannot hold a write-ahead log: choose a local disk`);
  }
  if (kind === 'ours') return;
  const from = kind === 'empty' ? 0 : userVersion(db);
  db.transaction(() => {
    for (const migration of MIGRATIONS.slice(from)) db.exec(migration);
    if (kind === 'empty') {
      db.pragma(`application_id = ${APPLICATION_ID}`);
      const put = db.prepare('INSERT INTO meta (name, value) VALUES (?, ?)');
      put.run('head', FIRST_REVISION);
      put.run('horizon', 0);
      put.run('cluster_id', randomId());
      put.run('member_id', randomId());
    }
    db.pragma(`user_version = ${SCHEMA_VERSION}`);
  }).immediate();
}

/** Refuses a foreign or newer file; changes nothing. */
export function identify(db: Database.Database, file: string): FileKind {
  const applicationId = Number(db.pragma('application_id', { simple: true }));
  const version = userVersion(db);
  const tables = Number(db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get());
  if (applicationId === 0 && version === 0 && tables === 0) return 'empty';
  if (applicationId !== APPLICATION_ID) {
    throw new LogError('refused', `${file} is a database of another program: choose another file with --store`);
  }
  if (version > SCHEMA_VERSION) {
    throw new LogError(
      'refused',
      `${file} has schema version ${version}, this kedge knows up to ${SCHEMA_VERSION}: run the newer kedge that wrote it, or restore a snapshot taken before the upgrade into a new file`,
    );
  }
  return version === SCHEMA_VERSION ? 'ours' : 'older';
}

function userVersion(db: Database.Database): number {
  return Number(db.pragma('user_version', { simple: true }));
}

/** Any 64 bits but 0, as SQLite keeps them: signed. */
function randomId(): bigint {
  return randomBytes(8).readBigInt64LE() || 1n;
}
