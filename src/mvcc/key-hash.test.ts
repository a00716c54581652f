import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashOfBytes, hashOfKey } from './key-hash.ts';

test('is the same of a key and of its bytes, wherever they are', () => {
  const text = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
  fc.assert(
    fc.property(text, text, text, (before, key, after) => {
      const bytes = Buffer.from(before + key + after, 'latin1');
      expect(hashOfBytes(bytes, before.length, before.length + key.length)).toBe(hashOfKey(key));
    }),
  );
});

test('low bits tell keys apart that differ in their last digits', () => {
  const places = new Set(Array.from({ length: 4096 }, (_, i) => hashOfKey(`/registry/pods/default/${i}`) & 4095));
  // As many as of random numbers: 1 - 1/e of them.
  expect(places.size).toBeGreaterThan(4096 * 0.6);
});
