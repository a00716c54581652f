import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RangePermissions } from './range-permissions.ts';

const READ = 0;
const WRITE = 1;

describe('RangePermissions', () => {
  it('a key, a range, a prefix, everything from a key on', () => {
    const allowed = new RangePermissions([
      { type: READ, key: 'k', end: '' },
      { type: READ, key: 'p/', end: 'p0' },
      { type: READ, key: 'x', end: '\0' },
    ]);
    expect(allowed.mayRead('k', '')).toBe(true);
    expect(allowed.mayRead('k', 'k\0')).toBe(true);
    expect(allowed.mayRead('k', 'l')).toBe(false);
    expect(allowed.mayRead('p/a', 'p/b')).toBe(true);
    expect(allowed.mayRead('p/', 'p0')).toBe(true);
    expect(allowed.mayRead('p', 'p0')).toBe(false);
    expect(allowed.mayRead('p/', '\0')).toBe(false);
    expect(allowed.mayRead('y', '\0')).toBe(true);
    expect(allowed.mayRead('w', '\0')).toBe(false);
    expect(allowed.mayWrite('k', '')).toBe(false);
  });

  it('reading and writing are apart', () => {
    const allowed = new RangePermissions([
      { type: WRITE, key: 'a', end: '' },
      { type: 2, key: 'b', end: '' },
    ]);
    expect([allowed.mayRead('a', ''), allowed.mayWrite('a', '')]).toEqual([false, true]);
    expect([allowed.mayRead('b', ''), allowed.mayWrite('b', '')]).toEqual([true, true]);
  });

  it('a range is allowed exactly when each of its keys is', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
    const permission = fc.record({
      type: fc.constantFrom(READ, WRITE),
      key,
      end: fc.oneof(key, fc.constantFrom('', '\0')),
    });
    fc.assert(
      fc.property(fc.array(permission, { maxLength: 6 }), key, key, (all, from, to) => {
        fc.pre(from < to);
        const valid = all.filter(({ key: begin, end }) => end === '' || end === '\0' || begin < end);
        const allowed = new RangePermissions(valid);
        // Between two letters there are keys which no permission for one key allows: `a` and the one right after it.
        const keys = [...'abcdef']
          .flatMap((letter) => [letter, `${letter}\0`])
          .filter((each) => each >= from && each < to);
        expect(allowed.mayRead(from, to)).toBe(keys.every((each) => allowed.mayRead(each, '')));
      }),
    );
  });
});
