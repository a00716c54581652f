import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fromKeyRange, oneKey, prefixEnd, prefixRange } from './key-range.ts';

it('a prefix ends behind everything that begins with it', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 4 }), fc.uint8Array({ maxLength: 4 }), (prefix, rest) => {
      const end = Buffer.from(prefixEnd(prefix));
      if (prefix.every((byte) => byte === 0xff)) {
        expect(end).toEqual(Buffer.from([0]));
        return;
      }
      expect(Buffer.compare(Buffer.concat([prefix, rest]), end)).toBe(-1);
      expect(Buffer.compare(Buffer.from(prefix), end)).toBe(-1);
      // Nothing shorter than the prefix's neighbour is left out: the end itself does not begin with the prefix.
      expect(end.subarray(0, prefix.length).equals(Buffer.from(prefix))).toBe(false);
    }),
  );
});

it('leaves the prefix as it is', () => {
  expect(prefixRange('a/').key).toEqual(Buffer.from('a/'));
});

it('empty ones are everything, or nothing', () => {
  const zero = new Uint8Array([0]);
  expect(prefixRange('')).toEqual({ key: zero, range_end: zero });
  expect(fromKeyRange('')).toEqual({ key: zero, range_end: zero });
  expect(oneKey('').key.length).toBe(0);
});
