import type { Clock } from '../base/clock.ts';
import { formatAddress } from './address.ts';
import { PEER_LIMITS } from './limits.ts';
import type { Link } from './link.ts';
import { Refused } from './refused.ts';
import type { Hello, LinkedMember, MemberId, Side } from './types.ts';

/**
 * Who is linked: one link per member. When two members dial each other at the same moment, the link that the smaller id
 * dialled stays, on both ends alike. A link to a process that is gone, or that has not been heard of for a while, gives
 * way to a new one.
 */
export class Roster {
  readonly #clock: Clock;
  readonly #selfId: MemberId;
  readonly #store: string;
  readonly #heartbeatMs: number;
  readonly #links = new Map<MemberId, Link>();
  /** Members whose link broke, and when; the oldest are forgotten. */
  readonly #broke = new Map<MemberId, { readonly atMs: number; readonly hello: Hello }>();
  /** Members that came back after that, and until when they get no duties. */
  readonly #sitsOutUntilMs = new Map<MemberId, number>();

  constructor(options: {
    readonly clock: Clock;
    readonly selfId: MemberId;
    readonly store: string;
    readonly heartbeatMs: number;
  }) {
    this.#clock = options.clock;
    this.#selfId = options.selfId;
    this.#store = options.store;
    this.#heartbeatMs = options.heartbeatMs;
  }

  get size(): number {
    return this.#links.size;
  }

  get links(): readonly Link[] {
    return [...this.#links.values()];
  }

  linkTo(id: MemberId): Link | undefined {
    return this.#links.get(id);
  }

  has(link: Link): boolean {
    return this.#links.get(link.hello.id) === link;
  }

  /** Throws Refused('duplicate') when a new link, dialled from this side, may not take the place of the present one. */
  admit(hello: Hello, side: Side): void {
    const present = this.#links.get(hello.id);
    if (present !== undefined && !this.#givesWay(present, hello, side)) {
      throw new Refused('duplicate', 'there is a link already');
    }
  }

  /** Takes a link in; answers the one whose place it took. */
  add(link: Link): Link | undefined {
    const { id } = link.hello;
    const replaced = this.#links.get(id);
    this.#links.set(id, link);
    const broke = this.#broke.get(id);
    const nowMs = this.#clock.monotonicMs();
    if (broke !== undefined && nowMs - broke.atMs < PEER_LIMITS.flapMs) {
      remember(this.#sitsOutUntilMs, id, nowMs + PEER_LIMITS.flapMs);
    }
    return replaced;
  }

  /** Whether it was the member's link. `said`: it took its leave. */
  remove(link: Link, said: boolean): boolean {
    const { id } = link.hello;
    if (this.#links.get(id) !== link) return false;
    this.#links.delete(id);
    if (said) this.#broke.delete(id);
    else remember(this.#broke, id, { atMs: this.#clock.monotonicMs(), hello: link.hello });
    return true;
  }

  /** Those whose link broke, without a leave, and who are not back. */
  lost(): readonly Hello[] {
    return [...this.#broke].filter(([id]) => !this.#links.has(id)).map(([, { hello }]) => hello);
  }

  /** When the next member that sits out may take part again; undefined: none does. */
  nextReturnMs(): number | undefined {
    const nowMs = this.#clock.monotonicMs();
    const due = [...this.#sitsOutUntilMs].filter(([id, untilMs]) => untilMs > nowMs && this.#links.has(id));
    return due.length === 0 ? undefined : Math.min(...due.map(([, untilMs]) => untilMs)) - nowMs;
  }

  members(): readonly LinkedMember[] {
    const nowMs = this.#clock.monotonicMs();
    return this.links
      .map((link) => ({
        id: link.hello.id,
        hello: link.hello,
        ability: link.ability,
        address: dialAddressesOf(link)[0] ?? link.remoteIp,
        side: link.side,
        sinceMs: link.sinceWallMs,
        roundTripMs: link.roundTripMs,
        hasSameStore: link.hello.store === this.#store,
        sitsOut: (this.#sitsOutUntilMs.get(link.hello.id) ?? 0) > nowMs,
      }))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  #givesWay(present: Link, hello: Hello, side: Side): boolean {
    if (present.hello.incarnation !== hello.incarnation) return true;
    // They would not dial if they still had the present one; unless both were dialled at once.
    if (this.#clock.monotonicMs() - present.heardAtMs > 1.5 * this.#heartbeatMs) return true;
    if (present.side === side) return false;
    const winner: Side = this.#selfId < hello.id ? 'dialler' : 'acceptor';
    return side === winner;
  }
}

/** Where the member at the other end can be dialled: as it says, or where it dialled from. */
export function dialAddressesOf(link: { readonly hello: Hello; readonly remoteIp: string }): readonly string[] {
  const { addresses, port } = link.hello;
  if (addresses.length > 0) return addresses;
  return port === 0 ? [] : [formatAddress({ ip: link.remoteIp, port })];
}

function remember<T>(map: Map<MemberId, T>, id: MemberId, value: T): void {
  map.delete(id);
  map.set(id, value);
  const [oldest] = map.keys();
  if (map.size > PEER_LIMITS.departedMax && oldest !== undefined) map.delete(oldest);
}
