import { describe, expect, it } from 'vitest';
import { keysOf } from './dns-lookup.ts';
import { pollDelayMs } from './dns-source.ts';

describe('when DNS is asked again', () => {
  const delay = (ttlSeconds: number, failures = 0, isLonely = false, chance = 0) =>
    pollDelayMs({ ttlSeconds, failures, isLonely, random: () => chance });

  it.each([
    [0, 1000],
    [5, 5000],
    [30, 30_000],
    [86_400, 30_000],
  ])('with %d s to live: after %d ms', (ttlSeconds, ms) => {
    expect(delay(ttlSeconds)).toBe(ms);
  });

  it('each second while alone, later and later while it fails', () => {
    expect(delay(30, 0, true)).toBe(1000);
    expect([1, 2, 3, 4, 5, 6, 50].map((failures) => delay(0, failures))).toEqual([
      1000, 2000, 4000, 8000, 16_000, 30_000, 30_000,
    ]);
    expect(delay(0, 50, true)).toBe(1000);
  });

  it('never in step with others, and never beyond half a minute', () => {
    expect(delay(5, 0, false, 0.5)).toBe(5500);
    expect(delay(30, 0, false, 0.5)).toBe(27_000);
  });
});

it('keys are read from TXT records of our form only', () => {
  const key = 'AB'.repeat(32);
  const records = [
    `v=1;a=10.0.0.1:2380;k=${key}`,
    `v=1; a=[::ffff:10.0.0.2]:2380; k=${key}; later=more`,
    `v=2;a=10.0.0.3:2380;k=${key}`,
    `v=1;a=name:2380;k=${key}`,
    'v=1;a=10.0.0.4:2380;k=short',
    'v=spf1 -all',
  ];
  expect([...keysOf({ kind: 'records', records, ttlSeconds: 1 })]).toEqual([
    ['10.0.0.1:2380', key.toLowerCase()],
    ['10.0.0.2:2380', key.toLowerCase()],
  ]);
});
