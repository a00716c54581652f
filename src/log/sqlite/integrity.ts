import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import type Database from 'better-sqlite3';
import { openAlone } from './connection.ts';
import { corrupt, translate } from './errors.ts';
import type { SqliteOptions } from './options.ts';
import { identify } from './schema.ts';

/*
 * What is looked at before a store is trusted. Always, in microseconds: the header, whose database it is, and that
 * the file is as long as its header says. After an unclean stop (a write-ahead log was left behind) of a file of
 * moderate size also the whole tree, by PRAGMA quick_check: it reads every page, about a gigabyte in a few seconds.
 * The write-ahead log checks itself by checksums, and the load that follows reads every leaf page in any case.
 */

/** Files up to this are checked as a whole after an unclean stop with check=auto. */
const AUTO_CHECK_BYTES_MAX = 64 * 2 ** 20;

const MAGIC = 'SQLite format 3\0';

/** Throws a LogError `corrupt` or `refused`; passes over a file that is not there. */
export function checkIntegrity(options: SqliteOptions): void {
  const { file } = options;
  if (!existsSync(file)) return;
  const unclean = existsSync(`${file}-wal`) && statSync(`${file}-wal`).size > 0;
  const bytes = statSync(file).size;
  checkHeader(file, bytes, unclean);
  const whole =
    options.check === 'full' ||
    options.check === 'quick' ||
    (options.check === 'auto' && unclean && bytes <= AUTO_CHECK_BYTES_MAX);
  let db: Database.Database | undefined;
  try {
    db = openAlone(file);
    identify(db, file);
    if (whole) {
      const found = db.pragma(options.check === 'full' ? 'integrity_check(1)' : 'quick_check(1)', { simple: true });
      if (found !== 'ok') throw corrupt(file, String(found));
    }
  } catch (error) {
    throw translate(error, file);
  } finally {
    db?.close();
  }
}

/** The header's magic and page count. With a write-ahead log the newest page count may still be there. */
function checkHeader(file: string, bytes: number, unclean: boolean): void {
  if (bytes === 0) return;
  const header = Buffer.alloc(100);
  let got = 0;
  try {
    const fd = openSync(file, 'r');
    try {
      got = readSync(fd, header, 0, header.length, 0);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw translate(error, file);
  }
  if (got < header.length || header.toString('latin1', 0, MAGIC.length) !== MAGIC) throw notSqlite(file);
  const pageField = header.readUInt16BE(16);
  const page = pageField === 1 ? 65_536 : pageField;
  const pages = header.readUInt32BE(28);
  if (!unclean && pages * page > bytes) {
    throw corrupt(file, `it is ${bytes} bytes long where its header says ${pages * page}`);
  }
}

function notSqlite(file: string) {
  return corrupt(
    file,
    'it does not begin as an SQLite database does; if it is another file, choose a different --store',
  );
}
