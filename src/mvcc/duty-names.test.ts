import { expect, it } from 'vitest';
import { EXPIRE_DUTIES, leasePartOf } from './duty-names.ts';

it('every lease belongs to one of sixteen parts', () => {
  expect(EXPIRE_DUTIES).toHaveLength(16);
  const dutyOf = (lease: bigint) => EXPIRE_DUTIES[leasePartOf(lease)];
  expect([0n, 1n, 15n, 16n, 0x7587_0000_0000_000an, -1n].map(dutyOf)).toEqual([
    'expire-00',
    'expire-01',
    'expire-15',
    'expire-00',
    'expire-10',
    'expire-15',
  ]);
});
