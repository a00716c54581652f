import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OpenStreams } from './open-streams.ts';

/** Each step opens some streams, a few ids further on, and closes some of those that are open: the oldest, the newest, any. */
const step = fc.record({
  opened: fc.nat(40),
  gap: fc.constantFrom(2, 2, 2, 4, 128, 256),
  closed: fc.nat(40),
  which: fc.constantFrom('oldest', 'newest', 'any'),
});

describe('open streams', () => {
  it('are found by their ids as in a Map', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom(1, 2), (steps, first) => {
        const streams = new OpenStreams<{ readonly id: number }>();
        const expected = new Map<number, { readonly id: number }>();
        let id = first;
        for (const { opened, gap, closed, which } of steps) {
          for (let i = 0; i < opened; i += 1) {
            const stream = { id };
            streams.add(stream);
            expected.set(id, stream);
            id += gap;
          }
          for (let i = 0; i < closed && expected.size > 0; i += 1) {
            const ids = [...expected.keys()];
            const at = which === 'oldest' ? 0 : which === 'newest' ? ids.length - 1 : (i * 7919) % ids.length;
            streams.delete(ids[at] ?? 0);
            expected.delete(ids[at] ?? 0);
          }
          expect(streams.size).toBe(expected.size);
          for (const [one, stream] of expected) expect(streams.get(one)).toBe(stream);
          for (const gone of [0, id, id - gap, 1, 2, 3]) expect(streams.get(gone)).toBe(expected.get(gone));
          expect(new Set(streams.all())).toEqual(new Set(expected.values()));
          expect(streams.all()).toHaveLength(expected.size);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('closing one that is not open changes nothing', () => {
    const streams = new OpenStreams<{ readonly id: number }>();
    streams.add({ id: 1 });
    streams.delete(129);
    streams.delete(3);
    expect(streams.size).toBe(1);
    streams.delete(1);
    streams.delete(1);
    expect(streams.size).toBe(0);
  });

  it('many that stay open: as many as a connection may have', () => {
    const streams = new OpenStreams<{ readonly id: number }>();
    for (let i = 0; i < 100_000; i += 1) streams.add({ id: 2 * i + 1 });
    expect(streams.size).toBe(100_000);
    for (let i = 0; i < 100_000; i += 1) expect(streams.get(2 * i + 1)?.id).toBe(2 * i + 1);
    for (let i = 0; i < 100_000; i += 2) streams.delete(2 * i + 1);
    expect(streams.all().map(({ id }) => id % 4)).toEqual(new Array(50_000).fill(3));
  });
});
