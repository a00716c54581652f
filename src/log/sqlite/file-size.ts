import type Database from 'better-sqlite3';
import type { LogSize } from '../../mvcc/log.ts';

/** How big the file is by its own count, the write-ahead log left out. */
export function sizeOf(db: Database.Database): LogSize {
  const page = Number(db.pragma('page_size', { simple: true }));
  const pages = Number(db.pragma('page_count', { simple: true }));
  const free = Number(db.pragma('freelist_count', { simple: true }));
  return { totalBytes: page * pages, inUseBytes: page * (pages - free) };
}
