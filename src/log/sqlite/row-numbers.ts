import { invariant } from '../../base/invariant.ts';
import { NO_LEASE } from '../../mvcc/types.ts';
import { Records, recordsBytes } from './packed-batch.ts';

/*
 * Each value that crosses from SQLite to JavaScript costs about half a microsecond, so a batch of rows crosses as
 * three: all numbers as one text, all keys as one blob, all values as one blob. group_concat keeps every byte of a
 * blob. Numbers, keys and values are gathered by the same pass over the rows, so they are in the same order whatever
 * that is; that it is the order asked for is checked by the reader of the numbers.
 */

/** SQL: the numbers of a row of `l`. `valueBytes` is the expression for the length of its value. */
export function rowNumbers(valueBytes = 'length(l.value)'): string {
  return `concat_ws(',', l.id >> 22, l.id & 4194303, l.deleted, l.create_revision, l.version, l.lease,
    length(l.key), ${valueBytes})`;
}

/** SQL: every byte of a column, of all rows of an aggregate. */
export function allBytes(column: string): string {
  return `CAST(group_concat(${column}, '') AS BLOB)`;
}

/** SQL: as NumberReader takes them. A position without a row is "-". */
export function allNumbers(numbers: string): string {
  return `CAST(group_concat(${numbers}) AS BLOB)`;
}

/** What an aggregate of no rows has for bytes. */
export const NO_BYTES = Buffer.alloc(0);

/** The numbers of rows in ascending order, as `allNumbers` gives them. */
export function readNumbers(text: Buffer | null, rows: number): { buffer: ArrayBuffer; records: Records } {
  const buffer = new ArrayBuffer(recordsBytes(rows));
  const records = new Records(buffer, rows);
  const reader = new NumberReader(text ?? NO_BYTES);
  let revision = 0;
  for (let i = 0; i < rows; i++) {
    reader.readRow(records, i);
    invariant(records.revision(i) >= revision, 'SQLite gave rows out of order');
    revision = records.revision(i);
  }
  return { buffer, records };
}

const COMMA = 44;
const MINUS = 45;
const ZERO = 48;

/** Numbers of more digits may not be exact as a double. */
const EXACT_DIGITS_MAX = 15;

/** Reads the numbers of rows. */
export class NumberReader {
  readonly #text: Buffer;
  #at = 0;

  constructor(text: Buffer) {
    this.#text = text;
  }

  /** Fills record `row`; goes on after it. */
  readRow(records: Records, row: number): void {
    const text = this.#text;
    if (text[this.#at] === MINUS) {
      this.#at += 2;
      records.setAbsent(row);
      return;
    }
    const revision = this.#natural();
    const sub = this.#natural();
    const deleted = this.#natural();
    const createRevision = this.#natural();
    const version = this.#natural();
    const lease = this.#int64();
    records.set(row, revision, sub, deleted !== 0, createRevision, version, lease, this.#natural(), this.#natural());
  }

  /** Exact up to 2^53. */
  #natural(): number {
    const text = this.#text;
    let at = this.#at;
    let number = 0;
    for (; at < text.length; at++) {
      const byte = text[at] as number;
      if (byte === COMMA) break;
      number = number * 10 + (byte - ZERO);
    }
    this.#at = at + 1;
    return number;
  }

  #int64(): bigint {
    const from = this.#at;
    const to = this.#text.indexOf(COMMA, from);
    invariant(to > from, 'a row is cut short');
    if (to - from === 1 && this.#text[from] === ZERO) {
      this.#at = to + 1;
      return NO_LEASE;
    }
    if (to - from <= EXACT_DIGITS_MAX && this.#text[from] !== MINUS) return BigInt(this.#natural());
    this.#at = to + 1;
    return BigInt(this.#text.toString('latin1', from, to));
  }
}
