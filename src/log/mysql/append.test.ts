import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AppendBatch } from '../../mvcc/log.ts';
import type { Change, Note } from '../../mvcc/types.ts';
import { appendText } from './append.ts';
import { statementsOf } from './message-writer.ts';
import { effectStatements, expireStatement, NOTE_COLUMNS, noteBytes, noteLiteral } from './notes.ts';

/** Quotes and backslashes more often than chance would have them. */
const byte = fc.oneof(fc.nat(255), fc.constantFrom(0, 0x27, 0x5c, 0x3b));
const bytes = (maxLength: number) => fc.array(byte, { maxLength, size: 'max' }).map((all) => Uint8Array.from(all));
const text = bytes(20).map((all) => Buffer.from(all).toString('latin1'));
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const number = fc.oneof(fc.nat(9), fc.nat(Number.MAX_SAFE_INTEGER));

const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom('put' as const, 'delete' as const),
  revision: number,
  sub: fc.nat(2 ** 22 - 1),
  key: text,
  createRevision: number,
  version: number,
  lease: fc.oneof(fc.constant(0n), int64),
  value: fc.oneof(bytes(40), bytes(1500)),
});

const lease = fc.oneof(fc.bigInt({ min: 1n, max: 3n }), int64);
const note: fc.Arbitrary<Note> = fc.record({
  after: number,
  change: fc.oneof(
    fc.record({ kind: fc.constant('grant' as const), id: lease, ttl: fc.nat() }),
    fc.record({ kind: fc.constantFrom('revoke' as const, 'expire' as const), id: lease }),
    fc.record({ kind: fc.constant('checkpoint' as const), id: lease, remainingTtl: fc.nat() }),
    fc.record({ kind: fc.constant('record' as const), name: text, value: fc.option(bytes(400), { nil: undefined }) }),
  ),
});

const batch: fc.Arbitrary<AppendBatch> = fc.record({
  expected: fc.record({ commit: number, revision: number, notes: number }),
  commit: number,
  changes: fc.array(change, { maxLength: 12 }),
  notes: fc.array(note, { maxLength: 6 }),
});

const PACKET_BYTES_MAX = 16 * 2 ** 20;
const RESERVE_BYTES = 1024;
const STATEMENT_BYTES_MAX = 2 * 2 ** 20;

describe('the text of an append', () => {
  it('is what templates make of it', () => {
    fc.assert(
      fc.property(batch, fc.integer({ min: RESERVE_BYTES, max: 8 * 1024 }), (some, packetBytesMax) => {
        expectAsTemplates(some, packetBytesMax);
        expectAsTemplates(some, PACKET_BYTES_MAX);
      }),
      { numRuns: 300 },
    );
  });

  it('is cut at the byte', () => {
    const [first, second] = [put(2, 600), put(3, 700)];
    const some = batchOf([first, second]);
    const { length } = insertOf([first, second]);
    for (const spare of [-2, -1, 0, 1, 2]) expectAsTemplates(some, RESERVE_BYTES + length + spare);
    const all = statements(some, PACKET_BYTES_MAX).join(';').length;
    for (const spare of [-2, -1, 0, 1, 2]) expectAsTemplates(some, RESERVE_BYTES + all + spare);
  });

  it('is cut where a statement gets too long, and keeps no more memory for it', () => {
    const row = insertOf([put(2, 0), put(2, 0)]).length - insertOf([put(2, 0)]).length;
    const start = insertOf([put(2, 0)]).length - row;
    // The value's length is of six or seven digits, where the empty one's is of one.
    const fitting = STATEMENT_BYTES_MAX - start - 2 * (row + 6);
    for (const spare of [-2, -1, 0, 1, 2]) {
      const halves = [Math.ceil(fitting / 2), Math.floor(fitting / 2) + spare];
      expectAsTemplates(batchOf([...halves, 7].map((length) => put(2, length))), PACKET_BYTES_MAX);
    }
    expectAsTemplates(batchOf([put(2, 3 * 2 ** 20), put(3, 5), put(4, 2 ** 20), put(5, 2 ** 20)]), PACKET_BYTES_MAX);
    expectAsTemplates(batchOf([put(2, 5)]), PACKET_BYTES_MAX);
  });

  it('has a message where the server sets no limit', () => {
    expect(appendText(batchOf([put(2, 5)]), Number.POSITIVE_INFINITY).messages).toHaveLength(1);
  });
});

function put(revision: number, valueBytes: number): Change {
  const value = new Uint8Array(valueBytes).fill(0x78);
  return { kind: 'put', revision, sub: 0, key: 'k', createRevision: 2, version: 1, lease: 0n, value };
}

function batchOf(changes: readonly Change[]): AppendBatch {
  return { expected: { commit: 7, revision: 1, notes: 0 }, commit: 8, changes, notes: [] };
}

function expectAsTemplates(some: AppendBatch, packetBytesMax: number): void {
  const { messages } = appendText(some, packetBytesMax);
  const expected = cut(statements(some, packetBytesMax), packetBytesMax - RESERVE_BYTES);
  // Compared by themselves: a difference of megabytes takes long to show.
  expect(messages.map(({ ends }) => ends.length)).toEqual(expected.map(({ length }) => length));
  expect(messages.every(({ text }, i) => text === expected[i]?.join(';'))).toBe(true);
  expect(messages.every((message, i) => statementsOf(message).every((one, j) => one === expected[i]?.[j]))).toBe(true);
}

function statements({ expected, commit, changes, notes }: AppendBatch, packetBytesMax: number): string[] {
  const revision = changes.at(-1)?.revision ?? expected.revision;
  const notesAfter = expected.notes + notes.length;
  const logBytes = changes.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
  const bytes = notes.reduce((sum, one) => sum + noteBytes(one), logBytes);
  const expired = expireStatement(notes);
  const guard = (rows: number) => `(CAST(ROW_COUNT() = ${rows} AS UNSIGNED) - CAST(1 AS UNSIGNED))`;
  const most = Math.min(STATEMENT_BYTES_MAX, packetBytesMax - RESERVE_BYTES);
  const noteRows = notes.map((one, i) => noteLiteral(one, expected.notes + 1 + i));
  return [
    'START TRANSACTION',
    ...(expired === undefined ? [] : [expired.sql, `SET @kedge_guard = ${guard(expired.leases.length)}`]),
    `UPDATE head SET commit_id = ${commit}, revision = ${revision}, notes = ${notesAfter}, commits = LAST_INSERT_ID(commits + 1), log_rows = log_rows + ${changes.length}, log_bytes = log_bytes + ${logBytes} WHERE id = 1 AND commit_id = ${expected.commit} AND revision = ${expected.revision} AND notes = ${expected.notes}`,
    `INSERT INTO \`commit\` (revision, notes, number, id, bytes, at_us) VALUES (${revision},${notesAfter},LAST_INSERT_ID(),${commit},${bytes} + ${guard(1)},TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', UTC_TIMESTAMP(6)))`,
    ...inserts(`INSERT INTO note (${NOTE_COLUMNS}) VALUES `, noteRows, most),
    ...effectStatements(notes),
    ...inserts(LOG_START, changes.map(logRow), most),
    'COMMIT',
  ];
}

const LOG_START =
  'INSERT INTO log (revision, sub, kind, create_revision, version, lease, value_bytes, `key`, `value`) VALUES ';

function insertOf(changes: readonly Change[]): string {
  return LOG_START + changes.map(logRow).join();
}

function logRow({ revision, sub, kind, createRevision, version, lease, key, value }: Change): string {
  return `(${revision},${sub},${kind === 'put' ? 0 : 1},${createRevision},${version},${lease},${value.length},${quoted(key)},${quoted(Buffer.from(value).toString('latin1'))})`;
}

function quoted(all: string): string {
  return `_binary'${all.replace(/['\\]/g, (one) => one + one)}'`;
}

/** A statement of several rows is shorter than `most`. */
function inserts(start: string, rows: readonly string[], most: number): string[] {
  return group(rows, (some) => start.length + some.join().length < most).map((some) => start + some.join());
}

/** So is a message of several statements, the last one's semicolon included. */
function cut(all: readonly string[], most: number): string[][] {
  return group(all, (some) => some.join(';').length < most);
}

function group(all: readonly string[], fits: (some: readonly string[]) => boolean): string[][] {
  const groups: string[][] = [];
  for (const one of all) {
    const last = groups.at(-1);
    if (last !== undefined && fits([...last, one])) last.push(one);
    else groups.push([one]);
  }
  return groups;
}
