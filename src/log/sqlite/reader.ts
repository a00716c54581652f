import type Database from 'better-sqlite3';
import type { LogSize } from '../../mvcc/log.ts';
import { connect } from './connection.ts';
import type { SqliteOptions } from './options.ts';
import { BatchPacker } from './packed-batch.ts';
import type { Handlers, PackedRows, ReaderCalls } from './protocol.ts';

/** Rows of one batch of heads. */
const HEADS_MAX = 8192;

/** Rows fetched from SQLite at a time. */
const CHUNK_ROWS = 256;

/** Never more rows than this in one answer, however small they are. */
const CHANGES_ROWS_MAX = 65_536;

/** The head, as everybody asks for it. */
export const HEAD_SQL = `SELECT max(
  (SELECT value FROM meta WHERE name = 'head'),
  ifnull((SELECT id >> 22 FROM log ORDER BY id DESC LIMIT 1), 0))`;

const NUMBERS = 'id >> 22, id & 4194303, deleted, create_revision, version, lease >> 32, lease & 4294967295';

type Row = [number, number, number, number, number, number, number, Buffer, Buffer];
type HeadRow = [number, number, number, number, number, number, number, Buffer, number];

/** The reader thread: answers from what is committed, each call from one moment. */
export function createReader(options: SqliteOptions): Handlers<ReaderCalls> {
  const db = connect(options);
  const headOf = db.prepare<[], number>(HEAD_SQL).pluck();
  const rowAt = db
    .prepare<[number, number], Row>(`SELECT ${NUMBERS}, key, value FROM log WHERE id = (? << 22 | ?)`)
    .raw();
  const rowsAfter = db
    .prepare<[number, number, number], Row>(
      `SELECT ${NUMBERS}, key, value FROM log WHERE id > (? << 22 | ?) ORDER BY id LIMIT ?`,
    )
    .raw();
  const headsAfter = db
    .prepare<[number, number, number], HeadRow>(
      `SELECT ${NUMBERS}, key, length(value) FROM log WHERE id > (? << 22 | ?) ORDER BY id LIMIT ?`,
    )
    .raw();
  const begin = db.prepare('BEGIN');
  const end = db.prepare('COMMIT');

  /** One moment for several statements. */
  function atOneMoment<T>(read: () => T): T {
    begin.run();
    try {
      return read();
    } finally {
      end.run();
    }
  }

  return {
    open: () => undefined,

    head: () => headOf.get() ?? 0,

    heads({ revision, sub }) {
      const rows = headsAfter.all(revision, sub, HEADS_MAX);
      const packer = new BatchPacker(rows.length, rows.length * 64);
      for (const row of rows) packer.add(row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8]);
      return packed(packer);
    },

    changes: ({ after, bytesMax }) =>
      atOneMoment(() => {
        const packer = new BatchPacker(CHUNK_ROWS, 65_536);
        let revision = after;
        let sub = 2 ** 22 - 1;
        for (;;) {
          const rows = rowsAfter.all(revision, sub, CHUNK_ROWS);
          for (const row of rows) {
            if (row[0] !== revision && packer.rows > 0) {
              if (packer.bytes >= bytesMax || packer.rows >= CHANGES_ROWS_MAX) return packed(packer);
            }
            revision = row[0];
            sub = row[1];
            packer.add(revision, sub, row[2], row[3], row[4], row[5], row[6], row[7], row[8]);
          }
          if (rows.length < CHUNK_ROWS) return packed(packer);
        }
      }),

    rows: (positions) =>
      atOneMoment(() => {
        const count = positions.length / 2;
        const packer = new BatchPacker(count, count * 600);
        for (let i = 0; i < positions.length; i += 2) {
          const row = rowAt.get(positions[i] as number, positions[i + 1] as number);
          if (row === undefined) packer.addAbsent();
          else packer.add(row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8]);
        }
        return packed(packer);
      }),

    size: () => sizeOf(db),

    close() {
      db.close();
      return undefined;
    },
  };
}

function packed(packer: BatchPacker): PackedRows {
  return { rows: packer.rows, buffer: packer.finish() };
}

function sizeOf(db: Database.Database): LogSize {
  const page = Number(db.pragma('page_size', { simple: true }));
  const pages = Number(db.pragma('page_count', { simple: true }));
  const free = Number(db.pragma('freelist_count', { simple: true }));
  return { totalBytes: page * pages, inUseBytes: page * (pages - free) };
}
