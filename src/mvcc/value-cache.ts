import { Failure } from '../base/failure.ts';
import { invariant } from '../base/invariant.ts';
import { Counter, Gauge } from '../base/metrics.ts';
import type { PinnedValues } from './pinned-values.ts';

/**
 * The ValueCache: one ring of bytes that holds the KeyValue messages applied or read last.
 *
 *        overwritten        valid: the last `capacity` bytes                 not yet
 *   ·····················|▒▒▒▒▒▒▒▒ old ▒▒▒▒▒▒▒▒|████████████████████████|·············▶ addresses only grow
 *                        ▲ end - capacity                               ▲ end
 *
 * An address is a distance from the beginning of time, so a stale one is known by comparing it, and nobody has to be
 * told when something is overwritten: no object per value, no list of users, an exact bound of memory. What is still
 * read when it has become old gets a second chance: it is appended anew (see `isOld`).
 *
 * The ring is made of slabs. A message never lies across two of them. They are allocated at the start, all of them: the
 * system gives a page when it is first written to, and to the garbage collector memory that comes later is pressure.
 */
export class ValueCache {
  readonly stats: ValueCacheStats;
  /** What stays whatever comes, if anything does: to be asked when `view` has nothing. */
  readonly pinned: PinnedValues | undefined;
  readonly #slabs: readonly Uint8Array[];
  /** The slabs', side by side: to ask a slab for its own is a call into the engine, for each message that is read. */
  readonly #buffers: readonly ArrayBuffer[];
  readonly #slabBytes: number;
  readonly #capacity: number;
  #end = 0;

  /**
   * `capacityBytes` is rounded up to whole slabs, of which there are at least two. A message beyond a slab is never kept.
   * Throws Failure when the system does not give so much memory.
   */
  constructor(
    capacityBytes: number,
    slabBytes = Math.max(SLAB_BYTES_MIN, Math.ceil(capacityBytes / SLABS_USUAL)),
    stats = new ValueCacheStats(),
    pinned?: PinnedValues,
  ) {
    this.stats = stats;
    this.pinned = pinned;
    stats.bytes.value = 0;
    const slabs = Math.max(2, Math.ceil(capacityBytes / slabBytes));
    this.#buffers = allocate(slabs, slabBytes);
    this.#slabs = this.#buffers.map((buffer) => new Uint8Array(buffer));
    this.#slabBytes = slabBytes;
    this.#capacity = slabs * slabBytes;
  }

  get capacityBytes(): number {
    return this.#capacity;
  }

  /** Makes room for a message. Answers its address, or NOWHERE when it is too long to be kept. */
  reserve(length: number): number {
    const slabBytes = this.#slabBytes;
    if (length > slabBytes) return NOWHERE;
    let address = this.#end;
    const room = slabBytes - this.offsetAt(address);
    if (length > room) address += room;
    this.#end = address + length;
    this.stats.bytes.value = Math.min(this.#end, this.#capacity);
    return address;
  }

  /** Where to write a reserved message: the slab; and where in it. */
  slabAt(address: number): Uint8Array {
    const slab = this.#slabs[this.#ringed(this.#slabOf(address))];
    invariant(slab !== undefined, 'an address lies in a slab');
    return slab;
  }

  offsetAt(address: number): number {
    return address - this.#slabOf(address) * this.#slabBytes;
  }

  /** Keeps a copy of the message. Answers its address or NOWHERE. */
  append(message: Uint8Array): number {
    const address = this.reserve(message.length);
    if (address !== NOWHERE) this.slabAt(address).set(message, this.offsetAt(address));
    return address;
  }

  holds(address: number): boolean {
    return address >= 0 && address >= this.#end - this.#capacity;
  }

  /** True in the oldest quarter of the ring. */
  isOld(address: number): boolean {
    return address < this.#end - this.#capacity * 0.75;
  }

  /** The message: a view that is good until something is appended. undefined when it is no longer there. */
  view(address: number, length: number): Uint8Array | undefined {
    if (address < 0 || address < this.#end - this.#capacity) return undefined;
    const slab = this.#slabOf(address);
    const buffer = this.#buffers[this.#ringed(slab)];
    return buffer === undefined ? undefined : new Uint8Array(buffer, address - slab * this.#slabBytes, length);
  }

  /** Reads what lies there, or the beginning, if anything does (prefetch.ts). */
  prefetch(address: number, length: number): number {
    const slab = this.#slabOf(address);
    const bytes = this.#slabs[this.#ringed(slab)];
    if (bytes === undefined) return 0;
    const at = address - slab * this.#slabBytes;
    const end = at + Math.min(length, TOUCHED_BYTES_MAX);
    let sum = 0;
    for (let line = at; line < end; line += LINE_BYTES) sum ^= bytes[line] ?? 0;
    return sum;
  }

  /** Which one it is, counted from the beginning of time. */
  #slabOf(address: number): number {
    return Math.floor(address / this.#slabBytes);
  }

  /** Its place in the ring. As integers: the rest of a division of doubles is slow. Good for the first eight petabytes. */
  #ringed(slab: number): number {
    return (slab >>> 0) % this.#slabs.length;
  }
}

/** The address of what is not in the cache. */
export const NOWHERE = -1;

/** Above the default limit of a request, so that every usual value fits into a slab. */
const SLAB_BYTES_MIN = 2 * 1024 * 1024;
const SLABS_USUAL = 64;
/** What a processor fetches from memory at once. */
const LINE_BYTES = 64;
/** Of a longer message the processor guesses the rest by itself. */
const TOUCHED_BYTES_MAX = 512;

function allocate(slabs: number, slabBytes: number): ArrayBuffer[] {
  try {
    return Array.from({ length: slabs }, () => new ArrayBuffer(slabBytes));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const megabytes = Math.round((slabs * slabBytes) / 1024 ** 2);
    throw new Failure(
      `no memory for a cache of ${megabytes} MiB: give --value-cache-bytes a smaller one, or lift the limit on address space`,
      { cause: error },
    );
  }
}

export class ValueCacheStats {
  readonly hits = new Counter();
  readonly misses = new Counter();
  /** Of memory written to. */
  readonly bytes = new Gauge();
}
