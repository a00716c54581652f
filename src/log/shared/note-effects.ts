import type { Key, LeaseId, Note } from '../../mvcc/types.ts';

/** What a batch's notes come to for one lease. `checkpoint` touches a lease only if it is there. */
export type LeaseEffect =
  | { readonly kind: 'set'; readonly ttl: number; readonly remainingTtl: number }
  | { readonly kind: 'remove' }
  | { readonly kind: 'checkpoint'; readonly remainingTtl: number };

/** What notes come to when applied in order: each row of a table is then written once, in any order. */
export interface NoteEffects {
  readonly leases: ReadonlyMap<LeaseId, LeaseEffect>;
  /** undefined: it goes away. */
  readonly records: ReadonlyMap<Key, Uint8Array | undefined>;
  /** Leases that must be over for the batch to hold. */
  readonly expired: readonly LeaseId[];
}

/** Pure. The order of ids is that of the notes. */
export function effectsOf(notes: readonly Note[]): NoteEffects {
  const leases = new Map<LeaseId, LeaseEffect>();
  const records = new Map<Key, Uint8Array | undefined>();
  const expired: LeaseId[] = [];
  for (const { change } of notes) {
    switch (change.kind) {
      case 'grant':
        leases.set(change.id, { kind: 'set', ttl: change.ttl, remainingTtl: change.ttl });
        break;
      case 'expire':
        expired.push(change.id);
        leases.set(change.id, { kind: 'remove' });
        break;
      case 'revoke':
        leases.set(change.id, { kind: 'remove' });
        break;
      case 'checkpoint': {
        const { remainingTtl } = change;
        const before = leases.get(change.id);
        if (before?.kind !== 'remove') leases.set(change.id, { ...(before ?? { kind: 'checkpoint' }), remainingTtl });
        break;
      }
      case 'record':
        records.set(change.name, change.value);
        break;
    }
  }
  return { leases, records, expired };
}
