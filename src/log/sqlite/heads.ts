import type Database from 'better-sqlite3';
import type { Position } from '../../mvcc/types.ts';
import { codeOf } from './errors.ts';
import { packParts } from './packed-batch.ts';
import type { PackedRows } from './protocol.ts';
import { allBytes, allNumbers, NO_BYTES, readNumbers, rowNumbers } from './row-numbers.ts';

/** Rows of one batch. */
const HEADS_MAX = 8192;

const HEADS_SQL = `SELECT count(*), ${allNumbers(rowNumbers('l.value_bytes'))}, ${allBytes('l.key')}
   FROM (SELECT id, key, create_revision, version, lease, deleted, length(value) AS value_bytes
           FROM log WHERE id > (? << 22 | ?) ORDER BY id LIMIT ?) AS l`;

/** The next rows after a position, without values: what a store is loaded from. None: that was all. */
export function readHeads(db: Database.Database, { revision, sub }: Position): PackedRows {
  const headsAfter = db.prepare<[number, number, number], [number, Buffer | null, Buffer | null]>(HEADS_SQL).raw();
  for (let rowsMax = HEADS_MAX; ; rowsMax >>>= 1) {
    try {
      const [rows, text, keys] = headsAfter.get(revision, sub, rowsMax) ?? [0, null, null];
      return { rows, buffer: packParts([readNumbers(text, rows).buffer, keys ?? NO_BYTES]) };
    } catch (error) {
      // More bytes than SQLite puts in one value: fewer rows, then.
      if (codeOf(error) !== 'SQLITE_TOOBIG' || rowsMax === 1) throw error;
    }
  }
}
