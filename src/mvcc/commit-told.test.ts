import { describe, expect, it } from 'vitest';
import { decodeTold, encodeTold } from './commit-told.ts';

describe('a commit that is told of', () => {
  it('is what it was', () => {
    const commit = { upon: 2 ** 53 - 1, cursor: { revision: 7, notes: 0, commit: 2 ** 52 + 1 } };
    expect(encodeTold(commit)).toBe('9007199254740991 4503599627370497 7 0');
    expect(decodeTold(encodeTold(commit))).toEqual(commit);
  });

  it.each([
    '',
    'commit',
    '1 2 3',
    '1 2 3 4 5',
    '1 2 3 -4',
    '1 2 3.5 4',
    '1 2 3 x',
    '1 2 3 9007199254740992',
    '1 2 3 Infinity',
  ])('is none: %j', (text) => {
    expect(decodeTold(text)).toBeUndefined();
  });
});
