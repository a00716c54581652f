import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashOfKey } from './key-hash.ts';
import { encodeKeyValue } from './key-value.ts';
import { MessageShortcut } from './message-shortcut.ts';
import { NOWHERE, ValueCache } from './value-cache.ts';

/** A cache of one slab's size twice over, so that old messages are overwritten soon. */
const SLAB_BYTES = 256;

const step = fc.record({
  kind: fc.constantFrom('put' as const, 'put' as const, 'get' as const, 'get' as const, 'delete' as const),
  key: fc.constantFrom('', 'a', 'b', 'ab', 'ba', 'a\0', '\xff', 'k'.repeat(130)),
  bytes: fc.nat(40),
  /** Gets are told to come next, whether they do or not. */
  announced: fc.array(fc.constantFrom('', 'a', 'b', 'ab', 'c'), { maxLength: 20 }),
});

describe('the shortcut to messages', () => {
  it('leads to the newest message of the key, or nowhere', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const cache = new ValueCache(1, SLAB_BYTES);
        const shortcut = new MessageShortcut(cache);
        const newest = new Map<string, { readonly address: number; readonly message: Uint8Array }>();
        for (const [i, { kind, key, bytes, announced }] of steps.entries()) {
          const before = newest.get(key);
          if (kind === 'put') {
            const message = encodeKeyValue(key, 1, i + 2, 1, new Uint8Array(bytes).fill(i), 0n);
            const address = cache.append(message);
            if (address !== NOWHERE)
              shortcut.moved(hashOfKey(key), before?.address ?? NOWHERE, address, message.length);
            else shortcut.forget(hashOfKey(key), before?.address ?? NOWHERE);
            newest.set(key, { address, message });
          } else if (kind === 'delete') {
            shortcut.forget(hashOfKey(key), before?.address ?? NOWHERE);
            newest.delete(key);
          }
          shortcut.expect(
            announced.map((key) => ({ key })),
            announced.length,
          );
          const found = shortcut.get(key);
          const expected = newest.get(key);
          const isThere = expected !== undefined && cache.holds(expected.address) && !cache.isOld(expected.address);
          // So few keys all have room.
          if (isThere) expect(found).toEqual(expected?.message);
          else expect(found).toBeUndefined();
        }
      }),
      { numRuns: 500 },
    );
  });

  it('grows with the keys, forgets few of them, and stays right', () => {
    const cache = new ValueCache(64 * 1024 ** 2, 1024 ** 2);
    const shortcut = new MessageShortcut(cache);
    const addresses: number[] = [];
    const put = (i: number, revision: number): void => {
      const message = encodeKeyValue(`key-${i}`, 1, revision, 1, new Uint8Array(8).fill(revision), 0n);
      const address = cache.append(message);
      shortcut.moved(hashOfKey(`key-${i}`), addresses[i] ?? NOWHERE, address, message.length);
      addresses[i] = address;
    };
    const found = (revision: number): number => {
      let count = 0;
      for (let i = 0; i < KEYS; i += 1) {
        const message = shortcut.get(`key-${i}`);
        if (message === undefined) {
          // As who finds it the long way does.
          const length = encodeKeyValue(`key-${i}`, 1, revision, 1, new Uint8Array(8), 0n).length;
          if ((addresses[i] ?? NOWHERE) !== NOWHERE)
            shortcut.found(hashOfKey(`key-${i}`), addresses[i] ?? NOWHERE, length);
          continue;
        }
        const expected = encodeKeyValue(`key-${i}`, 1, revision, 1, new Uint8Array(8).fill(revision), 0n);
        // Matchers take their time, and there are many keys.
        if (Buffer.compare(message, expected) !== 0) expect(message).toEqual(expected);
        count += 1;
      }
      return count;
    };
    const KEYS = 53_000;
    for (let i = 0; i < KEYS; i += 1) put(i, 2);
    // It has just grown: there are two tables. Gets move what puts have not.
    const bytes = shortcut.bytes;
    // Nothing was lost by growing, but for what had no room in its bucket.
    expect(found(2)).toBeGreaterThan(KEYS * 0.96);
    expect(shortcut.bytes).toBeLessThan(bytes * 0.7);
    expect(found(2)).toBeGreaterThan(KEYS * 0.96);
    for (let i = 0; i < KEYS; i += 1) put(i, 3);
    expect(found(3)).toBeGreaterThan(KEYS * 0.95);
    expect(shortcut.bytes).toBeLessThan(KEYS * 128);
    for (let i = 0; i < KEYS; i += 1) {
      shortcut.forget(hashOfKey(`key-${i}`), addresses[i] ?? NOWHERE);
      addresses[i] = NOWHERE;
    }
    expect(found(3)).toBe(0);
  });
});
