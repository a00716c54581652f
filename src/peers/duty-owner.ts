import { rendezvousOwner } from './rendezvous.ts';
import type { Ability, LinkedMember, MemberId } from './types.ts';

/**
 * Who does what, computed by each member for itself from whom it sees: no vote, no leader. Members that see the same
 * agree; when they do not, two try and the fence of the store's database lets one through.
 */
export interface DutySelf {
  readonly id: MemberId;
  readonly ability: Ability;
}

/** Those that may have duties: able, of the same store, linked steadily; and oneself. Sorted. */
export function eligibleMembers(self: DutySelf, members: readonly LinkedMember[]): readonly MemberId[] {
  const ids = members
    .filter(({ ability, hasSameStore, sitsOut }) => ability.isAble && hasSameStore && !sitsOut)
    .map(({ id }) => id);
  if (self.ability.isAble) ids.push(self.id);
  return ids.sort();
}

/** Duty → its owner; empty when nobody may. */
export function dutyOwners(duties: readonly string[], eligible: readonly MemberId[]): ReadonlyMap<string, MemberId> {
  const owners = new Map<string, MemberId>();
  for (const duty of duties) {
    const owner = rendezvousOwner(duty, eligible);
    if (owner !== undefined) owners.set(duty, owner);
  }
  return owners;
}
