import Database from 'better-sqlite3';
import type { SqliteOptions } from './options.ts';

/** How long a commit or read waits for a lock that some other program (a shell, a backup tool) holds, in milliseconds. */
const BUSY_TIMEOUT_MS = 5000;

/** A batch may carry the write-ahead log past its mark. */
const WAL_RESERVE_BYTES = 2 ** 20;

/** How long the write-ahead log's file stays. A long read may let it grow further; it is cut back afterwards. */
export function walBytesKept(options: SqliteOptions): number {
  return options.walBytes + WAL_RESERVE_BYTES;
}

/** Opens a connection with everything set that is not kept in the file. */
export function connect(options: SqliteOptions): Database.Database {
  const db = new Database(options.file, { timeout: BUSY_TIMEOUT_MS });
  try {
    db.pragma(`synchronous = ${options.synchronous}`);
    db.pragma(`cache_size = ${-Math.floor(options.cacheBytes / 1024)}`);
    db.pragma(`journal_size_limit = ${walBytesKept(options)}`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}
