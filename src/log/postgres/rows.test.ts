import { expect, it } from 'vitest';
import { changesOf, headOf } from './rows.ts';

/** As PostgreSQL's encode(…, 'escape') does it. */
function escaped(key: string): string {
  return key.replace(/[\\\0\x80-\xff]/g, (c) =>
    c === '\\' ? '\\\\' : `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`,
  );
}

it('reads heads: numbers, no value, and keys of all bytes', () => {
  const everyByte = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
  for (const key of ['', '/registry/pods/a', '\\', '\\101', 'a\\\\b', '\n\t"\'', everyByte, `${everyByte}0123`]) {
    expect(headOf(['7 1 5 3 -9223372036854775808 12', escaped(key)])).toEqual({
      ...{ kind: 'put', revision: 7, sub: 1, key, createRevision: 5, version: 3 },
      ...{ lease: -9223372036854775808n, valueBytes: 12 },
    });
  }
  expect(headOf(['8 0 0 0 0 -1', 'k'])).toMatchObject({ kind: 'delete', revision: 8, lease: 0n, valueBytes: 0 });
});

it('reads changes: keys and values of all bytes, an empty value, a delete', () => {
  const everyByte = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
  const hex = (value: string) => `\\x${Buffer.from(value, 'latin1').toString('hex')}`;
  const rows = [
    ['7 0 5 3 -9223372036854775808', escaped(everyByte), hex(everyByte)],
    ['7 1 7 1 0', 'b', '\\x'],
    ['8 0 0 0 0', 'b', null],
    ['9007199254740991 0 9007199254740990 2 9223372036854775807', 'c', hex('value')],
  ];
  const bytes = (value: string) => new Uint8Array(Buffer.from(value, 'latin1'));
  const expected = [
    {
      kind: 'put',
      revision: 7,
      sub: 0,
      key: everyByte,
      createRevision: 5,
      version: 3,
      lease: -9223372036854775808n,
      value: bytes(everyByte),
    },
    { kind: 'put', revision: 7, sub: 1, key: 'b', createRevision: 7, version: 1, lease: 0n, value: bytes('') },
    { kind: 'delete', revision: 8, sub: 0, key: 'b', createRevision: 0, version: 0, lease: 0n, value: bytes('') },
    {
      kind: 'put',
      revision: 9007199254740991,
      sub: 0,
      key: 'c',
      createRevision: 9007199254740990,
      version: 2,
      lease: 9223372036854775807n,
      value: bytes('value'),
    },
  ];
  expect(changesOf(rows)).toEqual(expected);
  expect(
    changesOf(
      rows.map((row) => ['2', ...row]),
      1,
    ),
  ).toEqual(expected);
  expect(changesOf([])).toEqual([]);
});
