import { hashOfKey } from './key-hash.ts';
import { isOfKey } from './key-value.ts';
import { keepRead } from './prefetch.ts';
import type { Key } from './types.ts';
import type { ValueCache } from './value-cache.ts';

/**
 * A shortcut from keys that are read by themselves to their newest messages in the ValueCache. The long way (Map, key,
 * entry, message) reads some ten places of memory, which in a store of a million keys no processor's cache holds; this
 * one reads two: a bucket, and the message, which begins with its key and so proves itself.
 *
 *   hash of the key ─▶ bucket of 64 bytes: 4 × (hash, length, address) ─▶ message
 *
 * It forgets: what has no room in its bucket pushes another one out. What is not here is found the long way, and added.
 * What is here is always the newest, and here once: the Tail tells of every message that is replaced or moved.
 *
 * A table that is full is followed by one of twice its size, up to a part of the cache's, and moved there some buckets
 * with each message that is added or looked for: all at once it would stop the world. It is empty, and gone, before the
 * next one is full.
 */
export class MessageShortcut {
  readonly #cache: ValueCache;
  readonly #bucketsMax: number;
  #table = new Table(BUCKETS_MIN);
  /** What there was before the table grew, and how many of its buckets have been moved. */
  #before = NO_TABLE;
  #movedBuckets = 0;
  /** What is looked for next, and from where on. */
  readonly #expectedKeys: Key[] = [];
  readonly #expectedHashes = new Int32Array(EXPECTED_MAX);
  #expectedAt = 0;

  constructor(cache: ValueCache) {
    this.#cache = cache;
    this.#bucketsMax = Math.max(
      BUCKETS_MIN,
      2 ** Math.floor(Math.log2(cache.capacityBytes / CACHE_PART / BUCKET_BYTES)),
    );
  }

  /** For tests and measurements. */
  get bytes(): number {
    return this.#table.bytes + this.#before.bytes;
  }

  /** As ValueCache.view. Nothing when the message is about to be overwritten: the long way knows what to do. */
  get(key: Key): Uint8Array | undefined {
    const hash = this.#hashOf(key);
    if (this.#before !== NO_TABLE) return this.#getFromBoth(hash, key);
    return this.#look(this.#table, hash, key);
  }

  #getFromBoth(hash: number, key: Key): Uint8Array | undefined {
    const message = this.#look(this.#table, hash, key) ?? this.#look(this.#before, hash, key);
    this.#moveBuckets();
    return message;
  }

  /**
   * So many gets come next, in this order. All their buckets are read, then all their messages: a processor goes
   * on while it waits for memory, but not so far as from one get to the next.
   */
  expect(gets: readonly { readonly key: Key }[], expected: number): void {
    const { words, doubles, mask } = this.#table;
    const hashes = this.#expectedHashes;
    const count = Math.min(expected, hashes.length);
    for (let i = 0; i < count; i += 1) {
      const key = gets[i]?.key ?? '';
      this.#expectedKeys[i] = key;
      hashes[i] = hashOfKey(key);
    }
    this.#expectedAt = 0;
    let sum = 0;
    for (let i = 0; i < count; i += 1) sum ^= words[((hashes[i] ?? 0) & mask) * BUCKET_SLOTS * SLOT_WORDS] ?? 0;
    for (let i = 0; i < count; i += 1) {
      const hash = hashes[i] ?? 0;
      const first = (hash & mask) * BUCKET_SLOTS;
      let slot = first;
      while (slot < first + BUCKET_SLOTS - 1 && words[slot * SLOT_WORDS] !== hash) slot += 1;
      sum ^= this.#cache.prefetch(doubles[slot * SLOT_DOUBLES + 1] ?? 0, words[slot * SLOT_WORDS + 1] ?? 0);
    }
    keepRead(sum);
  }

  /** Reads where a key's message is noted (prefetch.ts). */
  prefetch(hash: number): number {
    const { words, mask } = this.#table;
    return words[(hash & mask) * BUCKET_SLOTS * SLOT_WORDS] ?? 0;
  }

  /** As hashOfKey; the gets that were expected have it already. */
  #hashOf(key: Key): number {
    const at = this.#expectedAt;
    if (this.#expectedKeys[at] !== key) return hashOfKey(key);
    this.#expectedAt = at + 1;
    return this.#expectedHashes[at] ?? 0;
  }

  /** The key's newest message was at `from`, if anywhere, and is at `to` now. */
  moved(hash: number, from: number, to: number, length: number): void {
    if (this.#table.move(hash, from, to, length)) return;
    this.#before.free(hash, from);
    if (this.#table.isFull && this.#table.buckets < this.#bucketsMax) {
      this.#before = this.#table;
      this.#table = new Table(this.#before.buckets * GROWTH);
      this.#movedBuckets = 0;
    }
    if (this.#before !== NO_TABLE) this.#moveBuckets();
    this.#table.add(hash, to, length);
  }

  /** What lies in the cache no more is left behind. */
  #moveBuckets(): void {
    const before = this.#before;
    const first = this.#movedBuckets * BUCKET_SLOTS;
    this.#movedBuckets += BUCKETS_MOVED;
    for (let slot = first; slot < first + BUCKETS_MOVED * BUCKET_SLOTS; slot += 1) {
      const length = before.words[slot * SLOT_WORDS + 1] ?? 0;
      const address = before.doubles[slot * SLOT_DOUBLES + 1] ?? 0;
      if (length > 0 && this.#cache.holds(address))
        this.#table.add(before.words[slot * SLOT_WORDS] ?? 0, address, length);
      before.empty(slot);
    }
    if (this.#movedBuckets === before.buckets) this.#before = NO_TABLE;
  }

  /** The key's newest message was found the long way. */
  found(hash: number, address: number, length: number): void {
    if (this.#cache.holds(address) && !this.#cache.isOld(address)) this.moved(hash, address, address, length);
  }

  /** The key's newest message was at `from`, if anywhere, and now there is none. */
  forget(hash: number, from: number): void {
    this.#table.free(hash, from);
    this.#before.free(hash, from);
  }

  #look({ words, doubles, mask }: Table, hash: number, key: Key): Uint8Array | undefined {
    const cache = this.#cache;
    const first = (hash & mask) * BUCKET_SLOTS;
    for (let slot = first; slot < first + BUCKET_SLOTS; slot += 1) {
      if (words[slot * SLOT_WORDS] !== hash) continue;
      const length = words[slot * SLOT_WORDS + 1] ?? 0;
      const address = doubles[slot * SLOT_DOUBLES + 1] ?? 0;
      if (length === 0 || cache.isOld(address)) continue;
      const message = cache.view(address, length);
      if (message !== undefined && isOfKey(message, key)) return message;
    }
    return undefined;
  }
}

/** Buckets of slots; a slot with length 0 is free. */
class Table {
  readonly words: Int32Array;
  readonly doubles: Float64Array;
  readonly mask: number;
  #used = 0;

  constructor(buckets: number) {
    const buffer = new ArrayBuffer(buckets * BUCKET_BYTES);
    this.words = new Int32Array(buffer);
    this.doubles = new Float64Array(buffer);
    this.mask = buckets - 1;
  }

  get bytes(): number {
    return this.words.byteLength;
  }

  get buckets(): number {
    return this.mask + 1;
  }

  /** So much that buckets overflow. */
  get isFull(): boolean {
    return this.#used * 8 > this.buckets * BUCKET_SLOTS * 3;
  }

  add(hash: number, address: number, length: number): void {
    const first = (hash & this.mask) * BUCKET_SLOTS;
    // A free one, or else the one that will be overwritten first.
    let chosen = first;
    for (let slot = first; slot < first + BUCKET_SLOTS; slot += 1) {
      if (this.words[slot * SLOT_WORDS + 1] === 0) {
        chosen = slot;
        this.#used += 1;
        break;
      }
      if (this.#addressAt(slot) < this.#addressAt(chosen)) chosen = slot;
    }
    this.#set(chosen, hash, address, length);
  }

  /** False when there is nothing from there. */
  move(hash: number, from: number, to: number, length: number): boolean {
    const slot = this.#slotOf(hash, from);
    if (slot >= 0) this.#set(slot, hash, to, length);
    return slot >= 0;
  }

  free(hash: number, address: number): void {
    const slot = this.#slotOf(hash, address);
    if (slot >= 0) this.empty(slot);
  }

  empty(slot: number): void {
    if (this.words[slot * SLOT_WORDS + 1] !== 0) this.#used -= 1;
    this.#set(slot, 0, 0, 0);
  }

  #slotOf(hash: number, address: number): number {
    if (address < 0) return -1;
    const first = (hash & this.mask) * BUCKET_SLOTS;
    for (let slot = first; slot < first + BUCKET_SLOTS; slot += 1) {
      if (this.words[slot * SLOT_WORDS] !== hash || this.words[slot * SLOT_WORDS + 1] === 0) continue;
      if (this.#addressAt(slot) === address) return slot;
    }
    return -1;
  }

  #addressAt(slot: number): number {
    return this.doubles[slot * SLOT_DOUBLES + 1] ?? 0;
  }

  #set(slot: number, hash: number, address: number, length: number): void {
    this.words[slot * SLOT_WORDS] = hash;
    this.words[slot * SLOT_WORDS + 1] = length;
    this.doubles[slot * SLOT_DOUBLES + 1] = address;
  }
}

/** What a processor's cache holds in one line. */
const BUCKET_BYTES = 64;
const BUCKET_SLOTS = 4;
const SLOT_WORDS = 4;
const SLOT_DOUBLES = 2;
const BUCKETS_MIN = 1024;
const GROWTH = 2;
/** At a time. Tables have a power of two of buckets, so it goes up exactly. */
const BUCKETS_MOVED = 4;
/** Gets beyond this are not expected. More than a processor fetches from memory side by side. */
const EXPECTED_MAX = 16;
/** A table's memory is at most this part of the cache's. */
const CACHE_PART = 8;

/** Instead of the one before, when that has been moved. Nothing is ever added to it. */
const NO_TABLE = new Table(1);
