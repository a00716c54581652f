import Database from 'better-sqlite3';
import type { SqliteOptions } from './options.ts';

/** How long a commit or read waits for a lock that some other program (a shell, a backup tool) holds, in milliseconds. */
const BUSY_TIMEOUT_MS = 5000;

/** A batch may carry the write-ahead log past its mark: the Writer's largest, and a MiB of pages around it. */
const WAL_RESERVE_BYTES = 9 * 2 ** 20;

/** How long the write-ahead log's file stays. A long read may let it grow further; it is cut back afterwards. */
export function walBytesKept(options: SqliteOptions): number {
  return options.walBytes + WAL_RESERVE_BYTES;
}

/**
 * Opens a file that is there, for this process alone: SQLite's VFS `unix-excl` takes the file's lock once and keeps it,
 * and the index of the write-ahead log in memory of its own, where the usual one asks the system for locks eight times
 * a commit. A commit by itself costs half the CPU then. All connections are of this process, whatever their thread; a
 * shell or a backup tool on the file has to wait until kedge stops, and can do no harm before.
 */
export function openAlone(file: string, vfs = 'unix-excl'): Database.Database {
  const uri = `file:${file.split('/').map(encodeURIComponent).join('/')}?vfs=${vfs}`;
  try {
    return new Database(uri, { timeout: BUSY_TIMEOUT_MS, fileMustExist: true });
  } catch {
    // A ready-made SQLite takes no URIs (bin/prepare compiles one that does), and Windows has no such VFS. What is wrong
    // with the file itself is told here, in the usual words.
    return new Database(file, { timeout: BUSY_TIMEOUT_MS, fileMustExist: true });
  }
}

/** Opens a connection with everything set that is not kept in the file. `vfs`: one above `unix-excl`. */
export function connect(options: SqliteOptions, vfs?: string): Database.Database {
  const db = openAlone(options.file, vfs);
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
