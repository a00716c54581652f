import type { Random } from '../base/chance.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Address, HostPort } from './address.ts';
import type { Identity } from './identity.ts';
import type { KnownMembers } from './member-table.ts';
import type { Trust } from './trust.ts';

/** Everything that a member's Peers are made of. */
export interface PeersOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly identity: Identity;
  readonly trust: Trust;
  readonly listen: Address;
  /** `ip:port` each; empty: where it listens, or, for a wildcard, where it dials from. */
  readonly advertise: readonly string[];
  readonly cluster: string;
  readonly store: string;
  readonly name: string;
  readonly version: string;
  readonly clientUrls: readonly string[];
  /** In hex. */
  readonly etcdMemberId: string;
  /** See Hello. */
  readonly bootId?: string | undefined;
  /** Names to look up; those of the static list too. */
  readonly dns: readonly { readonly host: HostPort; readonly source: 'dns' | 'static' }[];
  readonly dnsServer: Address | undefined;
  /** `ip:port` each. */
  readonly addresses: readonly string[];
  readonly lastKnownFile: string | undefined;
  readonly table: KnownMembers | undefined;
  readonly linksMax: number;
  readonly heartbeatMs: number;
  readonly deadAfterMs: number;
}
