import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeptRows } from './kept-rows.ts';
import type { RowHead } from './source.ts';

const put = (revision: number, key: string, sub = 0): RowHead => ({ revision, sub, kind: 'put', key });
const del = (revision: number, key: string, sub = 0): RowHead => ({ revision, sub, kind: 'delete', key });

function keep(rows: readonly RowHead[], horizon: number | 'head', head: number): KeptRows {
  const kept = new KeptRows(horizon);
  for (const row of rows) kept.note(row);
  kept.finish(head);
  return kept;
}

/** The places for which it holds. */
function places(rows: readonly RowHead[], holds: (place: number) => boolean): number[] {
  return rows.map((_, place) => place).filter(holds);
}

describe('which rows a store is made of', () => {
  const rows = [put(2, 'a'), put(3, 'b'), put(4, 'a'), del(5, 'b'), put(6, 'c'), del(7, 'a'), put(8, 'b')];

  it('without a horizon: all', () => {
    const kept = keep(rows, 0, 8);
    expect(places(rows, (place) => kept.isKept(place))).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(kept.liveKeys).toBe(2);
  });

  it('with one: what a read at it sees, a delete at it, and all beyond', () => {
    const kept = keep(rows, 5, 8);
    expect(places(rows, (place) => kept.isKept(place))).toEqual([2, 3, 4, 5, 6]);
    // etcd's HashKV counts up to the horizon what lives at the head, and no delete.
    expect(places(rows, (place) => kept.isHashed(place))).toEqual([4, 5, 6]);
    expect(kept.keptRows).toBe(5);
  });

  it('without history: the newest of each key', () => {
    const kept = keep(rows, 'head', 8);
    expect(places(rows, (place) => kept.isKept(place))).toEqual([4, 6]);
  });

  it('up to the horizon count all that live there when none lives at the head', () => {
    const gone = [put(2, 'a'), put(3, 'b'), del(4, 'a'), del(4, 'b', 1)];
    const kept = keep(gone, 3, 4);
    expect(places(gone, (place) => kept.isHashed(place))).toEqual([0, 1, 2, 3]);
  });

  it('as one would count them by hand, whatever is left of what compaction should have taken', () => {
    const row = fc.record({ key: fc.constantFrom('a', 'b', 'c'), isPut: fc.boolean(), step: fc.nat({ max: 2 }) });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 30 }), fc.nat({ max: 40 }), fc.boolean(), (drawn, at, history) => {
        let [revision, sub] = [2, -1];
        const all = drawn.map(({ key, isPut, step }): RowHead => {
          sub = step === 0 ? sub + 1 : 0;
          revision += step;
          return { key, kind: isPut ? 'put' : 'delete', revision, sub };
        });
        const head = Math.max(revision, at);
        const horizon = history ? at : head;
        const kept = keep(all, history ? at : 'head', head);
        const newestAt = (key: string, until: number): RowHead | undefined =>
          all.filter((one) => one.key === key && one.revision <= until).at(-1);
        const lives = all.filter((one) => one.kind === 'put' && newestAt(one.key, head) === one);
        const stays = (one: RowHead): boolean =>
          one.revision > horizon ||
          (newestAt(one.key, horizon) === one && (one.kind === 'put' || one.revision === horizon));
        const counts = (one: RowHead): boolean =>
          one.revision > horizon || (stays(one) && one.kind === 'put' && (lives.length === 0 || lives.includes(one)));
        expect(places(all, (place) => kept.isKept(place))).toEqual(places(all, (i) => stays(all[i] as RowHead)));
        expect(places(all, (place) => kept.isHashed(place))).toEqual(places(all, (i) => counts(all[i] as RowHead)));
        expect([kept.liveKeys, kept.keptRows]).toEqual([lives.length, all.filter(stays).length]);
      }),
      { numRuns: 500 },
    );
  });
});
