import { describe, expect, it } from 'vitest';
import { formatDurationMs, parseDurationMs } from './duration.ts';

describe('durations', () => {
  it.each([
    ['0', 0],
    ['0s', 0],
    ['10m', 600_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1500],
    ['.5s', 500],
    ['500ms', 500],
    ['1500us', 1.5],
    ['72h3m0.5s', 259_380_500],
  ])('reads %s as %d ms, as Go does', (written, ms) => {
    expect(parseDurationMs(written)).toBeCloseTo(ms, 9);
  });

  it.each(['', '10', 'm', '1d', '5 m', '-5m', '5mm', '1h-30m', 'five'])('refuses "%s"', (written) => {
    expect(parseDurationMs(written)).toBeUndefined();
  });

  it.each([0, 1, 1.5, 999, 1000, 1500, 60_000, 3_600_000, 5_400_000, 86_400_000, 3_661_001])(
    'writes %d ms so that it reads back',
    (ms) => {
      expect(parseDurationMs(formatDurationMs(ms))).toBeCloseTo(ms, 6);
    },
  );

  it('writes the shortest form', () => {
    expect([0, 500, 5000, 600_000, 7_200_000, 5_400_000].map(formatDurationMs)).toEqual([
      '0s',
      '500ms',
      '5s',
      '10m',
      '2h',
      '1h30m',
    ]);
  });
});
