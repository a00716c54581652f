import { describe, expect, it } from 'vitest';
import type { Position } from '../../mvcc/types.ts';
import { isAt } from './positions.ts';

describe('the condition of standing at positions', () => {
  const at = (sub: number, ...revisions: readonly number[]): Position[] =>
    revisions.map((revision) => ({ revision, sub }));

  it('lists revisions that stand alone, by sub', () => {
    expect(isAt(at(0, 7))).toBe('(revision IN (7) AND sub = 0)');
    expect(isAt([...at(0, 9, 3), ...at(1, 9), ...at(0, 5)])).toBe(
      '(revision IN (3,5,9) AND sub = 0) OR (revision IN (9) AND sub = 1)',
    );
  });

  it('takes a run as a range, and nothing beside it', () => {
    expect(isAt(at(0, 12, 10, 11, 13, 17, 16, 14, 15))).toBe('(revision BETWEEN 10 AND 17 AND sub = 0)');
    expect(isAt(at(0, 10, 11, 12, 13, 14, 15, 16))).toBe('(revision IN (10,11,12,13,14,15,16) AND sub = 0)');
    const long = Array.from({ length: 100 }, (_, i) => 200 + i);
    expect(isAt(at(2, 1, 20, 21, 22, 23, 24, 25, 26, 27, 30, ...long))).toBe(
      '(revision BETWEEN 20 AND 27 AND sub = 2) OR (revision BETWEEN 200 AND 299 AND sub = 2) OR (revision IN (1,30) AND sub = 2)',
    );
  });

  it('takes one that is named twice once', () => {
    expect(isAt(at(0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 8))).toBe('(revision BETWEEN 1 AND 8 AND sub = 0)');
  });
});
