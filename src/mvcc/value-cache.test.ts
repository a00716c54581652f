import { describe, expect, it } from 'vitest';
import { NOWHERE, ValueCache } from './value-cache.ts';

const bytes = (length: number, fill: number): Uint8Array => new Uint8Array(length).fill(fill);

describe('the value cache', () => {
  it('gives back what it holds, and never something else', () => {
    const cache = new ValueCache(400, 100);
    const kept: { address: number; length: number; fill: number }[] = [];
    for (let i = 0; i < 500; i += 1) {
      const length = (i * 37) % 101;
      const address = cache.append(bytes(length, i % 256));
      kept.push({ address, length, fill: i % 256 });
      let held = 0;
      for (const one of kept) {
        const view = cache.view(one.address, one.length);
        if (view === undefined) continue;
        expect(view).toEqual(bytes(one.length, one.fill));
        held += view.length;
      }
      expect(held).toBeLessThanOrEqual(cache.capacityBytes);
      expect(cache.view(address, length)).toBeDefined();
    }
    expect(cache.view(kept[0]?.address ?? 0, 1)).toBeUndefined();
    expect(cache.stats.bytes.value).toBe(cache.capacityBytes);
  });

  it('does not keep what is longer than a slab', () => {
    const cache = new ValueCache(400, 100);
    expect(cache.append(bytes(101, 1))).toBe(NOWHERE);
    expect(cache.view(NOWHERE, 101)).toBeUndefined();
    expect(cache.holds(NOWHERE)).toBe(false);
  });

  it('says which flag asks for more memory than there is', () => {
    expect(() => new ValueCache(2 ** 60)).toThrow(/--value-cache-bytes/);
  });

  it('knows what will be overwritten next', () => {
    const cache = new ValueCache(400, 100);
    const first = cache.append(bytes(50, 1));
    expect(cache.isOld(first)).toBe(false);
    for (let i = 0; i < 7; i += 1) cache.append(bytes(50, 2));
    expect(cache.holds(first)).toBe(true);
    expect(cache.isOld(first)).toBe(true);
    cache.append(bytes(1, 3));
    expect(cache.holds(first)).toBe(false);
  });
});
