import { type DutySelf, eligibleMembers } from './duty-owner.ts';
import { rendezvousOwner } from './rendezvous.ts';
import type { LinkedMember, MemberId } from './types.ts';

/** Who owns which duty, for a store that runs duties: what `duty-owner` computes, from the members of this moment. */
export class PeerDutyRule {
  readonly #peers: RuledPeers;
  /** By the members that they were computed for. */
  #owners: { readonly eligible: string; readonly byDuty: Map<string, MemberId | undefined> } | undefined;

  constructor(peers: RuledPeers) {
    this.#peers = peers;
  }

  get self(): MemberId {
    return this.#peers.id;
  }

  get isAble(): boolean {
    return this.#peers.ability.isAble;
  }

  ownerOf(duty: string): MemberId | undefined {
    const ids = eligibleMembers(this.#peers, this.#peers.members());
    const eligible = ids.join();
    if (this.#owners?.eligible !== eligible) this.#owners = { eligible, byDuty: new Map() };
    const { byDuty } = this.#owners;
    if (!byDuty.has(duty)) byDuty.set(duty, rendezvousOwner(duty, ids));
    return byDuty.get(duty);
  }
}

/** What of Peers is needed. */
export interface RuledPeers extends DutySelf {
  members(): readonly LinkedMember[];
}
