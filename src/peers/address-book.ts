import type { Clock } from '../base/clock.ts';
import { type Address, addressBytes, parseAddress } from './address.ts';
import { PEER_LIMITS } from './limits.ts';
import type { AddressSource, MemberId } from './types.ts';

/** An address that somebody named, and who. */
export interface Candidate {
  /** `ip:port`. */
  readonly name: string;
  readonly address: Address;
  readonly sources: readonly AddressSource[];
  /** The only member that may answer there, when DNS publishes one. */
  readonly expectedId: MemberId | undefined;
}

/**
 * All addresses that are worth dialling, merged from their sources and sorted. A source that answers replaces what it
 * said before; one that fails says nothing, and its last word stands. What a link or a file brought lasts for a while.
 */
export class AddressBook {
  readonly #clock: Clock;
  /** Source, as `dns kedge.example`, → what it lists. */
  readonly #lists = new Map<string, { readonly source: AddressSource; readonly addresses: ReadonlySet<string> }>();
  readonly #passing = new Map<string, { readonly source: AddressSource; readonly untilMs: number }>();
  readonly #keys = new Map<string, ReadonlyMap<string, MemberId>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Answers whether that changed anything. */
  setList(name: string, source: AddressSource, addresses: readonly string[]): boolean {
    const before = this.#lists.get(name)?.addresses;
    const after = new Set(addresses.slice(0, PEER_LIMITS.listedMax));
    this.#lists.set(name, { source, addresses: after });
    return before === undefined || before.size !== after.size || [...after].some((address) => !before.has(address));
  }

  /** Which key belongs to which address, as one source publishes it. */
  setKeys(name: string, keys: ReadonlyMap<string, MemberId>): void {
    this.#keys.set(name, keys);
  }

  /** Adds an address for a while; answers whether it is new. */
  addPassing(address: string, source: AddressSource, keptMs: number): boolean {
    const isNew = !this.#passing.has(address) && ![...this.#lists.values()].some((list) => list.addresses.has(address));
    if (this.#passing.size >= PEER_LIMITS.listedMax && !this.#passing.has(address)) return false;
    this.#passing.set(address, { source, untilMs: this.#clock.monotonicMs() + keptMs });
    return isNew;
  }

  /** Sorted by number: 16 bytes of address, then port. */
  candidates(): readonly Candidate[] {
    this.#prune();
    const sources = new Map<string, Set<AddressSource>>();
    const note = (name: string, source: AddressSource): void => {
      const known = sources.get(name);
      if (known !== undefined) known.add(source);
      else if (sources.size < PEER_LIMITS.listedMax) sources.set(name, new Set([source]));
    };
    for (const { source, addresses } of this.#lists.values()) for (const name of addresses) note(name, source);
    for (const [name, { source }] of this.#passing) note(name, source);
    const found: { readonly candidate: Candidate; readonly bytes: Buffer }[] = [];
    for (const [name, from] of sources) {
      const address = parseAddress(name);
      if (address === undefined) continue;
      const candidate = { name, address, sources: [...from], expectedId: this.expectedAt(name) };
      found.push({ candidate, bytes: addressBytes(address) });
    }
    return found.sort((a, b) => a.bytes.compare(b.bytes)).map(({ candidate }) => candidate);
  }

  /** Of sources that list (DNS, static, table): how many addresses. */
  get listed(): number {
    return new Set([...this.#lists.values()].flatMap(({ addresses }) => [...addresses])).size;
  }

  /** The only member that may be at an address, when DNS publishes one. */
  expectedAt(name: string): MemberId | undefined {
    for (const keys of this.#keys.values()) {
      const id = keys.get(name);
      if (id !== undefined) return id;
    }
    return undefined;
  }

  #prune(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [name, { untilMs }] of this.#passing) if (untilMs <= nowMs) this.#passing.delete(name);
  }
}
