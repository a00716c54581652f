import { expect, it } from 'vitest';
import type { Note } from '../../mvcc/types.ts';
import { effectsOf } from './note-effects.ts';

function notes(...changes: readonly Note['change'][]): Note[] {
  return changes.map((change) => ({ after: 1, change }));
}

it('notes come to one effect a lease, the last one after those before it', () => {
  const { leases, records, expired } = effectsOf(
    notes(
      { kind: 'grant', id: 1n, ttl: 60 },
      { kind: 'checkpoint', id: 1n, remainingTtl: 6 },
      { kind: 'grant', id: 2n, ttl: 60 },
      { kind: 'revoke', id: 2n },
      { kind: 'checkpoint', id: 2n, remainingTtl: 6 },
      { kind: 'checkpoint', id: 3n, remainingTtl: 7 },
      { kind: 'expire', id: 4n },
      { kind: 'grant', id: 4n, ttl: 5 },
      { kind: 'record', name: 'a', value: new Uint8Array([1]) },
      { kind: 'record', name: 'a', value: undefined },
    ),
  );
  expect([...leases]).toEqual([
    [1n, { kind: 'set', ttl: 60, remainingTtl: 6 }],
    [2n, { kind: 'remove' }],
    [3n, { kind: 'checkpoint', remainingTtl: 7 }],
    [4n, { kind: 'set', ttl: 5, remainingTtl: 5 }],
  ]);
  expect([...records]).toEqual([['a', undefined]]);
  expect(expired).toEqual([4n]);
});
