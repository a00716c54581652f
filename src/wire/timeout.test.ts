import { expect, it } from 'vitest';
import { parseTimeoutMs } from './timeout.ts';

it.each([
  ['1H', 3_600_000],
  ['2M', 120_000],
  ['3S', 3000],
  ['4m', 4],
  ['5u', 0.005],
  ['6n', 0.000006],
  ['99999999H', 359_999_996_400_000],
  ['0S', 0],
])('%s is %d ms', (text, ms) => {
  expect(parseTimeoutMs(text)).toBeCloseTo(ms, 9);
});

it.each(['', 'S', '1', '1s', '-1S', '123456789S', '1.5S', ' 1S', '1S '])('"%s" is malformed', (text) => {
  expect(parseTimeoutMs(text)).toBeUndefined();
});
