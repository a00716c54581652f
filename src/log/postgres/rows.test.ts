import { expect, it } from 'vitest';
import { headOf } from './rows.ts';

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
