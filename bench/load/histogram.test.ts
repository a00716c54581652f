import { expect, it } from 'vitest';
import { Histogram } from './histogram.ts';

it('names percentiles within its steps', () => {
  const histogram = new Histogram();
  for (let microseconds = 1; microseconds <= 100_000; microseconds++) histogram.record(microseconds);
  for (const share of [0.01, 0.5, 0.99, 1]) {
    const exact = share * 100;
    expect(Math.abs(histogram.percentile(share) - exact) / exact).toBeLessThan(0.016);
  }
});

it('is exact below 64 µs, takes the extremes, and forgets when cleared', () => {
  const histogram = new Histogram();
  for (const microseconds of [-1, 0, 63, 63, 2 ** 31 - 1]) histogram.record(microseconds);
  expect(histogram.percentile(0.6)).toBe(0.063);
  expect(histogram.percentile(1)).toBeGreaterThan(2_100_000);
  histogram.clear();
  expect([histogram.count, histogram.percentile(0.99)]).toEqual([0, 0]);
});
