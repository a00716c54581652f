import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyIndex } from './key-index.ts';
import type { Position } from './types.ts';

function write(index: KeyIndex, key: string, revision: number, version: number, sub = 0): void {
  index.change(index.upsert(key), revision, sub, version === 0 ? 0 : revision, version, 0n);
}

describe('the index', () => {
  it('counts and lists as a sorted array does, through splits, deletes and compactions', () => {
    const key = fc.integer({ min: 0, max: 3000 }).map((n) => `key/${n.toString(36)}`);
    const step = fc.record({ key, put: fc.integer({ min: 0, max: 3 }).map((n) => n > 0) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 3000, maxLength: 4000 }), key, key, (steps, from, to) => {
        const index = new KeyIndex();
        const then = new Set<string>();
        const now = new Set<string>();
        const half = steps.length >>> 1;
        steps.forEach((one, i) => {
          if (!one.put && !now.has(one.key)) return;
          write(index, one.key, i + 2, one.put ? 1 : 0);
          if (one.put) now.add(one.key);
          else now.delete(one.key);
          if (i <= half) {
            if (one.put) then.add(one.key);
            else then.delete(one.key);
          }
        });
        const check = (keys: Set<string>, revision: number): void => {
          const sorted = [...keys].sort();
          for (const end of [to, '\0']) {
            const inRange = sorted.filter((one) => one >= from && (end === '\0' || one < end));
            expect(index.countIn(from, end, revision)).toBe(inRange.length);
            expect(index.versionsIn(from, end, revision, 0).map((version) => version.key)).toEqual(inRange);
            expect(index.versionsIn(from, end, revision, 5).map((version) => version.key)).toEqual(inRange.slice(0, 5));
          }
        };
        check(now, steps.length + 2);
        check(then, half + 2);
        expect(index.liveKeys).toBe(now.size);
        const rows: Position[] = [];
        while (index.hasSuperseded(half + 2)) index.takeSuperseded(half + 2, rows.length + 100, rows);
        check(now, steps.length + 2);
        check(then, half + 2);
        while (index.hasSuperseded(steps.length + 10)) index.takeSuperseded(steps.length + 10, rows.length + 100, rows);
        check(now, steps.length + 2);
        expect(index.supersededRows).toBe(0);
        expect(new Set(rows.map((row) => row.revision)).size).toBe(rows.length);
      }),
      { seed: 1, numRuns: 10 },
    );
  });

  it('takes an entry for known as long as it is in the index', () => {
    const index = new KeyIndex();
    write(index, 'k', 2, 1);
    const known = index.get('k');
    expect(index.upsert('k', known)).toBe(known);
    write(index, 'k', 3, 0);
    index.takeSuperseded(5, 10, []);
    const born = index.upsert('k', known);
    expect(born).not.toBe(known);
    expect(index.get('k')).toBe(born);
  });

  it('keeps a delete at the horizon and takes one before it', () => {
    const index = new KeyIndex();
    write(index, 'k', 2, 1);
    write(index, 'k', 3, 0);
    const rows: Position[] = [];
    index.takeSuperseded(3, 10, rows);
    expect(rows).toEqual([{ revision: 2, sub: 0 }]);
    expect(index.get('k')).toBeDefined();
    index.takeSuperseded(4, 10, rows);
    expect(rows).toEqual([
      { revision: 2, sub: 0 },
      { revision: 3, sub: 0 },
    ]);
    expect(index.get('k')).toBeUndefined();
  });

  it('built at once answers like one built change by change', () => {
    const one = new KeyIndex();
    const other = new KeyIndex();
    const rows = Array.from({ length: 2000 }, (_, i) => ({
      kind: i % 7 === 0 ? ('delete' as const) : ('put' as const),
      key: `k${(i * 7919) % 1300}`,
      revision: i + 2,
      sub: 0,
      createRevision: i % 7 === 0 ? 0 : i + 2,
      version: i % 7 === 0 ? 0 : 1,
      lease: 0n,
      valueBytes: 3,
    }));
    for (const row of rows) write(one, row.key, row.revision, row.version);
    other.load(rows);
    other.sortLoaded(() => undefined);
    for (const revision of [500, 1000, 2001]) {
      expect(other.countIn('k1', 'k5', revision)).toBe(one.countIn('k1', 'k5', revision));
      expect(other.versionsIn('', '\0', revision, 0).map(({ key, revision: mod }) => `${key} ${mod}`)).toEqual(
        one.versionsIn('', '\0', revision, 0).map(({ key, revision: mod }) => `${key} ${mod}`),
      );
    }
    expect(other.liveKeys).toBe(one.liveKeys);
  });
});
