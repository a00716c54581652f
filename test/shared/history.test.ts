import { describe, expect, it } from 'vitest';
import type { Event, KeyValue } from '../support/messages.ts';
import { type Call, checkHistory, type Found } from './history.ts';

/** The checker must find what is wrong: histories that no order explains, one of each kind. */
function kv(revision: number, key: string, value = '', createRevision = revision, version = 1): KeyValue {
  return {
    key: Buffer.from(key),
    value: Buffer.from(value),
    create_revision: String(createRevision),
    mod_revision: String(revision),
    version: String(version),
    lease: '0',
  };
}

const put = (revision: number, key: string, value: string, createRevision = revision, version = 1): Event => ({
  type: 'PUT',
  kv: kv(revision, key, value, createRevision, version),
  prev_kv: null,
});
const gone = (revision: number, key: string): Event => ({ type: 'DELETE', kv: kv(revision, key), prev_kv: null });

function call(beganMs: number, endedMs: number, what: Call['what'], answer: Call['answer']): Call {
  return { beganMs, endedMs, what, answer };
}

const found = (key: string, value: string, revision: number): ReadonlyMap<string, Found> =>
  new Map([[key, { value, revision }]]);
const write = (began: number, ended: number, key: string, value: string, revision: number): Call =>
  call(began, ended, { kind: 'put', keys: [key], value }, { revision });
const read = (began: number, ended: number, revision: number, there: ReadonlyMap<string, Found>): Call =>
  call(began, ended, { kind: 'read', prefix: '' }, { revision, found: there });

describe('a history', () => {
  it('that one order explains is well', () => {
    const calls = [
      write(0, 5, 'a', '1', 2),
      read(1, 4, 1, new Map()),
      read(6, 7, 2, found('a', '1', 2)),
      call(8, 9, { kind: 'cas', key: 'a', expectedRevision: 2, value: '2' }, { revision: 3, done: true }),
      call(
        8,
        10,
        { kind: 'cas', key: 'a', expectedRevision: 2, value: '3' },
        { revision: 3, done: false, found: found('a', '2', 3) },
      ),
      call(11, 12, { kind: 'delete', key: 'a' }, { revision: 4, done: true }),
      call(13, 99, { kind: 'put', keys: ['b'], value: 'lost' }, undefined),
    ];
    const lostDelete = call(14, 20, { kind: 'delete', key: 'c' }, undefined);
    const log = [
      put(2, 'a', '1'),
      put(3, 'a', '2', 2, 2),
      gone(4, 'a'),
      put(5, 'b', 'lost'),
      put(6, 'c', 'c'),
      gone(7, 'c'),
    ];
    expect(() => checkHistory([...calls, write(14, 15, 'c', 'c', 6), lostDelete], log)).not.toThrow();
  });

  const wrong: readonly (readonly [string, readonly Call[], readonly Event[], RegExp])[] = [
    ['a write that is lost', [write(0, 1, 'a', '1', 2)], [], /log has/],
    ['a read of the past', [write(0, 1, 'a', '1', 2), read(2, 3, 1, new Map())], [put(2, 'a', '1')], /was told before/],
    [
      'a header ahead of its content',
      [write(0, 1, 'a', '1', 2), read(0, 3, 2, new Map())],
      [put(2, 'a', '1')],
      /told as undefined/,
    ],
    ['a gap', [write(0, 1, 'a', '1', 3)], [put(3, 'a', '1')], /follows 1/],
    [
      'a write done twice',
      [call(0, 1, { kind: 'put', keys: ['a'], value: '1' }, undefined)],
      [put(2, 'a', '1'), put(3, 'a', '1', 2, 2)],
      /written at 2 and 3/,
    ],
    [
      'half a transaction',
      [call(0, 1, { kind: 'put', keys: ['a', 'b'], value: '1' }, { revision: 2 })],
      [put(2, 'a', '1')],
      /log has a/,
    ],
    [
      'a compare that lies',
      [
        write(0, 1, 'a', '1', 2),
        call(2, 3, { kind: 'cas', key: 'a', expectedRevision: 0, value: '2' }, { revision: 3, done: true }),
      ],
      [put(2, 'a', '1'), put(3, 'a', '2', 2, 2)],
      /was done/,
    ],
    [
      'a delete of nothing',
      [call(0, 1, { kind: 'delete', key: 'a' }, { revision: 2, done: true })],
      [put(2, 'b', '1')],
      /the log had undefined/,
    ],
    ['a value of nobody', [], [put(2, 'a', '1')], /nobody asked for/],
    [
      'a delete of nobody',
      [write(0, 1, 'a', '1', 2), write(2, 3, 'b', '2', 4)],
      [put(2, 'a', '1'), gone(3, 'a'), put(4, 'b', '2')],
      /deletes a at revision 3, and nobody/,
    ],
    [
      'one delete told to two',
      [
        write(0, 1, 'a', '1', 2),
        call(2, 5, { kind: 'delete', key: 'a' }, { revision: 3, done: true }),
        call(2, 5, { kind: 'delete', key: 'a' }, { revision: 3, done: true }),
      ],
      [put(2, 'a', '1'), gone(3, 'a')],
      /revision 3 was told to/,
    ],
    [
      'a refused compare that was written',
      [
        write(0, 1, 'a', '1', 2),
        call(
          2,
          3,
          { kind: 'cas', key: 'a', expectedRevision: 1, value: '2' },
          { revision: 2, done: false, found: found('a', '1', 2) },
        ),
      ],
      [put(2, 'a', '1'), put(3, 'a', '2', 2, 2)],
      /refused, and written at 3/,
    ],
    [
      'a lost write that came before it was asked for',
      [write(0, 1, 'b', '2', 3), call(2, 9, { kind: 'put', keys: ['a'], value: '1' }, undefined)],
      [put(2, 'a', '1'), put(3, 'b', '2')],
      /done at revision 2, but 3 was told before/,
    ],
    [
      'two deletes where one was asked for',
      [write(0, 1, 'a', '1', 2), call(2, 9, { kind: 'delete', key: 'a' }, undefined), write(3, 4, 'a', '2', 4)],
      [put(2, 'a', '1'), gone(3, 'a'), put(4, 'a', '2'), gone(5, 'a')],
      /deletes a at revision 5, and nobody/,
    ],
    ['a version that is skipped', [write(0, 1, 'a', '1', 2)], [put(2, 'a', '1', 2, 2)], /version 2, not 2 and 1/],
  ];
  for (const [name, calls, events, message] of wrong) {
    it(`with ${name} is found out`, () => {
      expect(() => checkHistory(calls, events)).toThrow(message);
    });
  }
});
