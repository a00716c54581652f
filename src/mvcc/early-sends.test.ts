import { describe, expect, it } from 'vitest';
import { EarlySends } from './early-sends.ts';

describe('early sends', () => {
  it('wait for as many requests as last time', () => {
    const early = new EarlySends();
    expect(early.allow(1)).toBe(true);
    early.sent(100);
    expect(early.allow(99)).toBe(false);
    expect(early.allow(100)).toBe(true);
    // Fewer were there when the commit came.
    early.sent(10);
    expect(early.allow(10)).toBe(true);
  });

  it('pause after one in vain, and longer after each further one, until one hits', () => {
    const early = new EarlySends();
    const pauses = (): number => {
      early.missed();
      let batches = 0;
      for (; !early.allow(1); batches += 1) early.sent(1);
      return batches;
    };
    const first = pauses();
    expect(first).toBeGreaterThan(0);
    expect(pauses()).toBe(first * 2);
    for (let i = 0; i < 20; i += 1) pauses();
    expect(pauses()).toBe(256);
    early.hit();
    expect(pauses()).toBe(first);
  });
});
