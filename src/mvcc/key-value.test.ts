import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Reader } from '../base/protobuf.ts';
import { encodeKeyValue, encodeTombstone, isOfKey, keyValueLength, valueIn } from './key-value.ts';

const revision = fc.oneof(
  fc.integer({ min: 0, max: 1000 }),
  fc.integer({ min: 2 ** 28, max: Number.MAX_SAFE_INTEGER }),
);
const lease = fc.oneof(fc.constant(0n), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
const key = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('latin1'));

describe('a KeyValue message', () => {
  it('is what a general protobuf reader understands, and as long as foretold', () => {
    fc.assert(
      fc.property(key, revision, revision, revision, fc.uint8Array({ maxLength: 300 }), lease, (...fields) => {
        const [itsKey, create, mod, version, value, itsLease] = fields;
        const bytes = encodeKeyValue(itsKey, create, mod, version, value, itsLease);
        expect(bytes).toHaveLength(keyValueLength(itsKey.length, create, mod, version, value.length, itsLease));
        const reader = new Reader(bytes);
        const found: Record<number, unknown> = {};
        let last = 0;
        for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
          expect(tag).toBeGreaterThan(last);
          last = tag;
          if (tag === 10 || tag === 42) found[tag] = Buffer.from(reader.view()).toString('latin1');
          else found[tag] = reader.int64Big();
        }
        const present = {
          ...(itsKey === '' ? {} : { 10: itsKey }),
          ...(create === 0 ? {} : { 16: BigInt(create) }),
          ...(mod === 0 ? {} : { 24: BigInt(mod) }),
          ...(version === 0 ? {} : { 32: BigInt(version) }),
          ...(value.length === 0 ? {} : { 42: Buffer.from(value).toString('latin1') }),
          ...(itsLease === 0n ? {} : { 48: itsLease }),
        };
        expect(found).toEqual(present);
        expect(Buffer.from(valueIn(bytes))).toEqual(Buffer.from(value));
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it('writes a negative lease in ten bytes', () => {
    const bytes = encodeKeyValue('k', 0, 0, 0, new Uint8Array(0), -1n);
    expect(Buffer.from(bytes).toString('hex')).toBe(`0a016b30${'ff'.repeat(9)}01`);
  });

  it('of a tombstone has the key alone', () => {
    expect(Buffer.from(encodeTombstone('k')).toString('hex')).toBe('0a016b');
  });
});

it('tells whose message it is', () => {
  const key = fc.oneof(
    fc.constantFrom('', 'a', 'ab', '\n', '\x10', 'x'.repeat(127), 'x'.repeat(128), 'x'.repeat(20_000)),
    fc.uint8Array({ maxLength: 3 }).map((bytes) => String.fromCharCode(...bytes)),
  );
  fc.assert(
    fc.property(key, key, fc.nat(300), (one, other, revision) => {
      const message = encodeKeyValue(one, revision, revision, 1, Buffer.from(other, 'latin1'), 0n);
      expect(isOfKey(message, one)).toBe(true);
      expect(isOfKey(message, other)).toBe(one === other);
    }),
  );
});
