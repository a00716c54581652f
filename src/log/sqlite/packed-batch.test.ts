import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Change } from '../../mvcc/types.ts';
import { PackedBatch, packChanges, packedBytes } from './packed-batch.ts';

const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom('put' as const, 'delete' as const),
  revision: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  sub: fc.nat(2 ** 22 - 1),
  key: fc.uint8Array({ maxLength: 20 }).map((bytes) => String.fromCharCode(...bytes)),
  createRevision: fc.nat(Number.MAX_SAFE_INTEGER),
  version: fc.nat(Number.MAX_SAFE_INTEGER),
  lease: fc.oneof(
    fc.constantFrom(0n, 1n, -1n, 2n ** 31n, 2n ** 32n, -(2n ** 32n), 2n ** 63n - 1n, -(2n ** 63n)),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  ),
  value: fc.uint8Array({ maxLength: 30 }),
});

describe('a packed batch', () => {
  it('gives back every change', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
        expect(new PackedBatch(packed(changes), changes.length).changes()).toEqual(changes);
      }),
    );
  });

  it('copies values: the original may change afterwards', () => {
    const value = new Uint8Array([1, 2, 3]);
    const heads = packed([
      { kind: 'put', revision: 2, sub: 0, key: 'a', createRevision: 2, version: 1, lease: 0n, value },
    ]);
    value.fill(9);
    expect(new PackedBatch(heads, 1).changes()[0]?.value).toEqual(new Uint8Array([1, 2, 3]));
  });
});

function packed(changes: readonly Change[]): SharedArrayBuffer {
  // As the slot's: what an earlier batch left there must not show.
  const buffer = new SharedArrayBuffer(packedBytes(changes));
  new Uint8Array(buffer).fill(0xff);
  packChanges(changes, buffer);
  return buffer;
}
