import { describe, expect, it } from 'vitest';
import { SweepPace } from './sweep-pace.ts';

const LIMITS = {
  ...{ sliceRowsMin: 64, sliceRowsMax: 1000, sliceMs: 1, pausePerSlice: 2 },
  ...{ sharedSliceRowsMin: 250, sharedSliceMs: 5, sharedPausePerSlice: 4 },
};

describe('the pace of a sweep', () => {
  it('fits slices to the time that they take, within their limits', () => {
    for (const [isShared, mostMs, sizes] of [
      [false, 1, [64, 128, 256, 512, 1000, 1000]],
      [true, 5, [250, 500, 1000, 1000]],
    ] as const) {
      const pace = new SweepPace(LIMITS, isShared);
      const grown = sizes.map(() => {
        const { sliceRows } = pace;
        pace.took(mostMs / 2 - 0.1);
        return sliceRows;
      });
      expect(grown).toEqual(sizes);
      pace.took(mostMs - 0.1);
      expect(pace.sliceRows).toBe(1000);
      pace.took(mostMs + 0.1);
      expect(pace.sliceRows).toBe(500);
      for (let i = 0; i < 10; i += 1) pace.took(1000);
      expect(pace.sliceRows).toBe(sizes[0]);
    }
  });

  it('keeps to a largest slice that is smaller than the smallest', () => {
    const pace = new SweepPace({ ...LIMITS, sliceRowsMax: 10 }, true);
    pace.took(0);
    expect(pace.sliceRows).toBe(10);
    pace.took(100);
    expect(pace.sliceRows).toBe(10);
  });

  it('pauses longer with a shared log, unless it is behind', () => {
    expect(new SweepPace(LIMITS, false).pauseMs(3)).toBe(6);
    const pace = new SweepPace(LIMITS, true);
    expect(pace.pauseMs(3)).toBe(12);
    expect(pace.pauseMs(0)).toBe(1);
    pace.isBehind = true;
    expect(pace.pauseMs(3)).toBe(6);
  });

  it('takes longer slices of a log of its own when it is behind', () => {
    const pace = new SweepPace(LIMITS, false);
    pace.took(0);
    pace.isBehind = true;
    pace.took(1.9);
    expect(pace.sliceRows).toBe(128);
    pace.isBehind = false;
    pace.took(1.9);
    expect(pace.sliceRows).toBe(64);
  });
});
