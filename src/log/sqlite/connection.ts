import Database from 'better-sqlite3';
import type { SqliteOptions } from './options.ts';

/** How long a commit or read waits for a lock that some other program (a shell, a backup tool) holds, in milliseconds. */
const BUSY_TIMEOUT_MS = 5000;

/** Past this the write-ahead log is cut when it is begun anew: a long read may have let it grow. */
const WAL_KEPT_FACTOR = 4;

/** Opens a connection with everything set that is not kept in the file. */
export function connect(options: SqliteOptions): Database.Database {
  const db = new Database(options.file, { timeout: BUSY_TIMEOUT_MS });
  try {
    db.pragma(`synchronous = ${options.synchronous}`);
    db.pragma(`cache_size = ${-Math.floor(options.cacheBytes / 1024)}`);
    db.pragma(`journal_size_limit = ${options.walBytes * WAL_KEPT_FACTOR}`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}
