import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Change } from '../../mvcc/types.ts';
import { bigintArray, byteaArray, int4Array, int8Array } from './array-format.ts';
import { changeColumns } from './change-columns.ts';

const number = fc.oneof(fc.nat(1000), fc.maxSafeNat());
const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom('put', 'delete'),
  key: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  revision: number,
  sub: fc.nat(1000),
  createRevision: number,
  version: number,
  lease: fc.oneof(fc.constant(0n), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)),
  value: fc.uint8Array({ maxLength: 200 }),
});

test('each column is the array of what is in it, wherever the memory is', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 50 }), fc.nat(9), (changes, before) => {
      const { columns, memory } = changeColumns(changes, (bytes) =>
        Buffer.alloc(before + bytes, 0xff).subarray(before),
      );
      expect(columns).toEqual([
        int8Array(changes.map(({ revision }) => revision)),
        int4Array(changes.map(({ sub }) => sub)),
        byteaArray(changes.map(({ key }) => key)),
        int8Array(changes.map(({ createRevision }) => createRevision)),
        int8Array(changes.map(({ version }) => version)),
        bigintArray(changes.map(({ lease }) => lease)),
        byteaArray(changes.map(({ kind, value }) => (kind === 'delete' ? undefined : value))),
      ]);
      expect(memory).toEqual(Buffer.concat(columns));
    }),
  );
});
