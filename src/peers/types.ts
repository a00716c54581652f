/**
 * The words of this room.
 *
 * A *member* is a running kedge with an identity: a key pair whose public half, hashed, is its id. Members of one
 * *cluster* keep one *link* per pair. An *address* is where a member can be dialled; it says nothing of who answers.
 */

/** SHA-256 of the member's public key (SPKI, DER): 64 hexadecimal digits. */
export type MemberId = string;

/** What members speak; another number is refused. */
export const PROTOCOL_VERSION = 1;

/** Whether a member may be given duties: its database answers and it is not about to leave. */
export interface Ability {
  readonly isAble: boolean;
  /** Why not, for people; empty when able. */
  readonly reason: string;
}

/** What a member says of itself once both sides have proven who they are. */
export interface Hello {
  readonly protocol: number;
  /** Who belongs together: the store's cluster id in hex, or what --peer-cluster names. */
  readonly cluster: string;
  /** The cluster id of its store in hex: only members of one store exchange hints, duties and client URLs. */
  readonly store: string;
  readonly id: MemberId;
  /** Random at each start: tells a restarted member, and a copied key, from the member that was linked. */
  readonly incarnation: string;
  /** kedge's version. */
  readonly version: string;
  /** As etcd's --name. */
  readonly name: string;
  /** Where it can be dialled, `ip:port`. Empty: at the address it dials from, on `port`. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** As etcd's --advertise-client-urls. */
  readonly clientUrls: readonly string[];
  /** Its id in the etcd API, in hex. */
  readonly etcdMemberId: string;
  readonly ability: Ability;
  /** Of its machine's present start: what is kept of a machine that has started anew is old. */
  readonly bootId?: string | undefined;
}

/** Which end of a link one is: who dialled proves itself first. */
export type Side = 'dialler' | 'acceptor';

/** From where an address is known. */
export type AddressSource = 'dns' | 'static' | 'table' | 'last-known' | 'inbound' | 'introduced';

/** A linked member as others of the program see it. */
export interface LinkedMember {
  readonly id: MemberId;
  readonly hello: Hello;
  readonly ability: Ability;
  /** Where the link goes, `ip:port`. */
  readonly address: string;
  readonly side: Side;
  /** Unix time in ms. */
  readonly sinceMs: number;
  /** Undefined until the first heartbeat came back. */
  readonly roundTripMs: number | undefined;
  /** Whether it serves the same store. */
  readonly hasSameStore: boolean;
  /** It came back after its link broke, and gets no duties yet. */
  readonly sitsOut: boolean;
}
