import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { LogError } from '../../mvcc/log.ts';
import { codeOf, translate } from './errors.ts';

/*
 * One process per store. The lock is an operating system's lock (SQLite's own, on an empty database `<file>.lock`
 * held in an exclusive transaction), so it ends with the process that holds it however that ends, and neither a stale
 * file nor a reused pid can keep anybody out. `<file>.owner` beside it is only there so that the refusal can name
 * whom to stop; nothing is decided by it.
 */

/** Holds the store until released. */
export interface Lock {
  /** Idempotent. */
  release(): void;
}

/** Who holds the store. */
interface Owner {
  readonly pid: number;
  readonly host: string;
}

/** Takes the store's lock at once, or throws a LogError `refused` that names its owner. Makes the folder when missing. */
export function acquireLock(file: string): Lock {
  const lockFile = `${file}.lock`;
  const ownerFile = `${file}.owner`;
  let db: Database.Database | undefined;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    db = new Database(lockFile, { timeout: 0 });
    db.exec('BEGIN EXCLUSIVE');
    writeFileSync(ownerFile, JSON.stringify({ pid: process.pid, host: hostname() } satisfies Owner));
  } catch (error) {
    db?.close();
    if (codeOf(error).startsWith('SQLITE_BUSY')) throw inUse(file, ownerFile);
    throw translate(error, file);
  }
  const held = db;
  return {
    release() {
      if (!held.open) return;
      rmSync(ownerFile, { force: true });
      held.close();
    },
  };
}

function inUse(file: string, ownerFile: string): LogError {
  let by = 'another process';
  try {
    const owner = JSON.parse(readFileSync(ownerFile, 'utf8')) as Owner;
    by = `process ${owner.pid} on ${owner.host}`;
  } catch (error) {
    // It is being written or was taken away by hand: the lock counts, not the name.
    by = `another process (its name is not known: ${codeOf(error) || 'unreadable'})`;
  }
  return new LogError('refused', `${file} is in use by ${by}: stop it, or choose another file with --store`);
}
