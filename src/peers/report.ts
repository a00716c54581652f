import type { DnsState } from './dns-source.ts';
import type { RefusalCode } from './refused.ts';
import type { Ability, AddressSource, MemberId } from './types.ts';

/** What `/peers` answers and `kedge peers` shows: everything this member knows of the others. */
export interface PeersReport {
  readonly self: {
    readonly id: MemberId;
    readonly name: string;
    readonly version: string;
    readonly cluster: string;
    readonly incarnation: string;
    readonly listening: string;
    readonly advertised: readonly string[];
    readonly trust: string;
    readonly ability: Ability;
    /** Those that it claimed last. */
    readonly duties: readonly string[];
  };
  /** Over the ids of the linked members and oneself: members that see the same show the same. */
  readonly viewHash: string;
  /** Addresses that DNS, the static list and the store's table name. */
  readonly listed: number;
  readonly linked: number;
  /** Links that are sought: as many as there are others, --peer-max at most. */
  readonly wanted: number;
  readonly members: readonly MemberReport[];
  /** What one does for all, as this member last heard. */
  readonly duties: readonly DutyReport[];
  /** Addresses without a linked member. */
  readonly addresses: readonly AddressReport[];
  readonly dns: readonly DnsState[];
  /** Who knocked in vain, the latest first. */
  readonly refusals: readonly RefusalReport[];
}

export interface MemberReport {
  readonly id: MemberId;
  readonly name: string;
  readonly version: string;
  readonly address: string;
  readonly sources: readonly AddressSource[];
  readonly dialledBy: 'us' | 'them';
  /** Unix time in ms. */
  readonly sinceMs: number;
  readonly roundTripMs: number | undefined;
  readonly ability: Ability;
  readonly sitsOut: boolean;
  readonly hasSameStore: boolean;
  readonly clientUrls: readonly string[];
  /** Those that it claimed last. */
  readonly duties: readonly string[];
}

/** A duty and who has it: what the fence in the store's database says, and whom the rule names. */
export interface DutyReport {
  readonly name: string;
  /** How often it was claimed; 0: never. */
  readonly epoch: number;
  /** Who claimed it last: a member's id, or the name of a process that runs without peers. */
  readonly holder: string | undefined;
  readonly isOurs: boolean;
  readonly owner: MemberId | undefined;
  /** Since the last claim. */
  readonly ageMs: number | undefined;
  /** How long it has been left undone beyond its interval, while there was something to do. */
  readonly lateMs: number;
}

export interface AddressReport {
  readonly address: string;
  readonly sources: readonly AddressSource[];
  readonly state: 'self' | 'dialling' | 'waiting' | 'refused' | 'unreachable';
  readonly code: RefusalCode | undefined;
  readonly reason: string;
  /** Unix time in ms of the last failure. */
  readonly atMs: number | undefined;
}

export interface RefusalReport {
  readonly remote: string;
  readonly code: RefusalCode;
  readonly reason: string;
  readonly by: 'us' | 'them';
  /** Unix time in ms. */
  readonly atMs: number;
  readonly count: number;
}
