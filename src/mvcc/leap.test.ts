import { expect, it } from 'vitest';
import { leapFrom } from './leap.ts';

it('leaps to a round place beyond all that was seen', () => {
  expect(leapFrom(1)).toBe(2_000_000);
  expect(leapFrom(999_999)).toBe(2_000_000);
  expect(leapFrom(1_000_000)).toBe(3_000_000);
  expect(leapFrom(2_000_017)).toBe(4_000_000);
});
