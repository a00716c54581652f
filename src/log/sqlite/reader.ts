import { invariant } from '../../base/invariant.ts';
import { CHANGES_PER_TXN_MAX } from '../../mvcc/types.ts';
import { connect } from './connection.ts';
import { codeOf } from './errors.ts';
import { sizeOf } from './file-size.ts';
import type { SqliteOptions } from './options.ts';
import { packParts, Records, recordsBytes } from './packed-batch.ts';
import type { Handlers, ReaderCalls } from './protocol.ts';
import { allBytes, allNumbers, NO_BYTES, NumberReader, readNumbers, rowNumbers } from './row-numbers.ts';
import { HEAD_SQL, idOf } from './schema.ts';

/** Rows whose numbers `changes` looks at, at a time, to find where to stop. */
const CHANGES_CHUNK_ROWS = 512;

/** Never many more rows than this in one answer of `changes`, however small they are. */
const CHANGES_ROWS_MAX = 65_536;

/** Positions asked for in one statement. */
const ROWS_CHUNK = 1024;

/** Aggregates of no rows are null. */
type Bytes = Buffer | null;

/** The reader thread: answers from what is committed, each call from one moment. */
export function createReader(options: SqliteOptions): Handlers<ReaderCalls> {
  const db = connect(options);
  db.pragma(`mmap_size = ${options.mmapBytes}`);
  const begin = db.prepare('BEGIN');
  const end = db.prepare('COMMIT');
  const headOf = db.prepare<[], number>(HEAD_SQL).pluck();

  const numbersAfter = db
    .prepare<[number, number, number], [number, Bytes]>(
      `SELECT count(*), ${allNumbers(rowNumbers('l.value_bytes'))}
         FROM (SELECT id, key, create_revision, version, lease, deleted, length(value) AS value_bytes
                 FROM log WHERE id > (? << 22 | ?) ORDER BY id LIMIT ?) AS l`,
    )
    .raw();
  const bytesBetween = db
    .prepare<[number, number, number], [Bytes, Bytes]>(
      `SELECT ${allBytes('l.key')}, ${allBytes('l.value')}
         FROM (SELECT key, value FROM log WHERE id > (? << 22 | ?) ORDER BY id LIMIT ?) AS l`,
    )
    .raw();
  const rowsAt = db
    .prepare<[string], [Bytes, Bytes, Bytes]>(
      `SELECT ${allNumbers(`iif(l.id IS NULL, '-', ${rowNumbers()})`)}, ${allBytes('l.key')}, ${allBytes('l.value')}
         FROM json_each(?) AS p LEFT JOIN log AS l ON l.id = p.value`,
    )
    .raw();

  /** One moment for several statements. */
  function atOneMoment<T>(read: () => T): T {
    begin.run();
    try {
      return read();
    } finally {
      if (db.inTransaction) end.run();
    }
  }

  /** Reads positions[from..to) into records, and their bytes into keys and values. */
  function readRows(positions: Float64Array, from: number, to: number, out: RowsRead): void {
    let found: [Bytes, Bytes, Bytes] | undefined;
    try {
      found = rowsAt.get(idsOf(positions, from, to));
    } catch (error) {
      // More bytes than SQLite puts in one value: fewer rows, then.
      if (codeOf(error) !== 'SQLITE_TOOBIG' || to - from === 1) throw error;
      const middle = (from + to) >>> 1;
      readRows(positions, from, middle, out);
      readRows(positions, middle, to, out);
      return;
    }
    const numbers = new NumberReader(found?.[0] ?? NO_BYTES);
    for (let i = from; i < to; i++) {
      numbers.readRow(out.records, i);
      const asked =
        out.records.isAbsent(i) ||
        (out.records.revision(i) === positions[i * 2] && out.records.sub(i) === positions[i * 2 + 1]);
      invariant(asked, 'SQLite gave rows in another order than asked');
    }
    out.keys.push(found?.[1] ?? NO_BYTES);
    out.values.push(found?.[2] ?? NO_BYTES);
  }

  return {
    head: () => headOf.get() ?? 0,

    changes: ({ after, bytesMax }) =>
      atOneMoment(() => {
        const parts: ArrayBuffer[] = [];
        let rows = 0;
        let bytes = 0;
        let revision = after;
        let sub = CHANGES_PER_TXN_MAX - 1;
        for (let full = false; !full; ) {
          const [found, text] = numbersAfter.get(revision, sub, CHANGES_CHUNK_ROWS) ?? [0, null];
          const { records, buffer } = readNumbers(text, found);
          let taken = 0;
          for (; taken < found; taken++) {
            const enough = bytes >= bytesMax || rows >= CHANGES_ROWS_MAX;
            full = enough && rows > 0 && records.revision(taken) !== revision;
            if (full) break;
            revision = records.revision(taken);
            sub = records.sub(taken);
            bytes += records.keyBytes(taken) + records.valueBytes(taken);
            rows++;
          }
          parts.push(taken === found ? buffer : buffer.slice(0, recordsBytes(taken)));
          if (found < CHANGES_CHUNK_ROWS) full = true;
        }
        const [keys, values] = bytesBetween.get(after, CHANGES_PER_TXN_MAX - 1, rows) ?? [null, null];
        return { rows, buffer: packParts([...parts, keys ?? NO_BYTES, values ?? NO_BYTES]) };
      }),

    rows(positions) {
      const rows = positions.length / 2;
      const buffer = new ArrayBuffer(recordsBytes(rows));
      const out: RowsRead = { records: new Records(buffer, rows), keys: [], values: [] };
      atOneMoment(() => {
        for (let from = 0; from < rows; from += ROWS_CHUNK) {
          readRows(positions, from, Math.min(from + ROWS_CHUNK, rows), out);
        }
      });
      return { rows, buffer: packParts([buffer, ...out.keys, ...out.values]) };
    },

    size: () => sizeOf(db),

    close() {
      db.close();
      return undefined;
    },
  };
}

interface RowsRead {
  readonly records: Records;
  readonly keys: Buffer[];
  readonly values: Buffer[];
}

/** Ids as a JSON array. */
function idsOf(positions: Float64Array, from: number, to: number): string {
  const ids = new Array<number | bigint>(to - from);
  for (let i = from; i < to; i++) ids[i - from] = idOf(positions[i * 2] as number, positions[i * 2 + 1] as number);
  return `[${ids.join()}]`;
}
