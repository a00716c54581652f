import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SegmentIndex } from './segment-index.ts';
import { TO_THE_LAST_KEY } from './types.ts';

const key = fc.string({ unit: fc.constantFrom('\0', 'a', 'b', '\xff'), maxLength: 3 });
const range = fc.record({
  key,
  end: fc.oneof({ weight: 4, arbitrary: key }, { weight: 1, arbitrary: fc.constant('\0') }),
});

function holds(range: { key: string; end: string }, key: string): boolean {
  return key >= range.key && (range.end === TO_THE_LAST_KEY || key < range.end);
}

test('finds what a walk over all ranges finds, while ranges come and go', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(range, fc.boolean(), key)), (steps) => {
      const index = new SegmentIndex<{ key: string; end: string }>();
      const present: { key: string; end: string }[] = [];
      for (const [range, remove, asked] of steps) {
        const victim = remove ? present.shift() : undefined;
        if (victim !== undefined) {
          index.remove(victim.key, victim.end, victim);
        } else {
          index.add(range.key, range.end, range);
          present.push(range);
        }
        const expected = present.filter((one) => holds(one, asked));
        expect(new Set(index.find(asked))).toEqual(new Set(expected));
        expect(index.find(asked)).toHaveLength(expected.length);
      }
      for (const one of present) index.remove(one.key, one.end, one);
      expect(index.segments).toBe(1);
    }),
    { numRuns: 1000 },
  );
});

test('what was found stays as it was while ranges come and go', () => {
  const index = new SegmentIndex<string>();
  index.add('a', 'c', 'one');
  const found = index.find('b');
  index.add('b', 'd', 'two');
  index.remove('a', 'c', 'one');
  expect(found).toEqual(['one']);
  expect(index.find('b')).toEqual(['two']);
});
