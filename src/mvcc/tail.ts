import { unreachable } from '../base/invariant.ts';
import { type AppliedBatch, type AppliedListener, replaces } from './applied.ts';
import { entryOf } from './decided-change.ts';
import type { KeyEntry } from './key-entry.ts';
import type { KeyIndex } from './key-index.ts';
import { encodeChange, keyValueLength, writeKeyValue } from './key-value.ts';
import type { LeaseBook } from './lease-book.ts';
import type { ChangeMessages } from './log.ts';
import type { MessageShortcut } from './message-shortcut.ts';
import { keepRead, PREFETCHED } from './prefetch.ts';
import type { Records } from './records.ts';
import type { KeyValueBytes } from './requests.ts';
import type { StoreStats } from './store-stats.ts';
import type { Change, Cursor, Note, Revision } from './types.ts';
import { NOWHERE, type ValueCache } from './value-cache.ts';

/**
 * The Tail: the only one who applies. It takes committed changes in the order of the log, our own included, and brings
 * cache, index and leases up to them, then tells the listener (the WatchHub). Only after that are writers answered, so
 * whoever has an answer can read what it says.
 *
 *   Writer, committed ──▶ apply ──▶ ValueCache ─▶ KeyIndex ─▶ leases ─▶ head ─▶ listener
 *   Follower, news ───────▲
 *
 * apply is one step without waiting: readers see all of a batch or nothing.
 */
export class Tail {
  readonly #index: KeyIndex;
  readonly #cache: ValueCache;
  readonly #shortcut: MessageShortcut;
  readonly #leases: LeaseBook;
  readonly #records: Records;
  readonly #stats: StoreStats;
  readonly #batch: Batch;
  readonly #oldHits: KeyEntry[] = [];
  /** For the length of #prefetch. */
  readonly #prefetched: KeyEntry[] = [];
  /** Who hears of what is applied. */
  listener: AppliedListener | undefined;
  /** Who hears of each new head only. */
  onHead: ((head: Revision) => void) | undefined;
  /** Who hears where it goes, before it does. Must not apply anything itself. */
  onCommitted: ((cursor: Cursor) => void) | undefined;
  #head: Revision = 0;
  #cursor: Cursor = { revision: 0, notes: 0, commit: 0 };

  constructor(
    index: KeyIndex,
    cache: ValueCache,
    shortcut: MessageShortcut,
    leases: LeaseBook,
    records: Records,
    stats: StoreStats,
  ) {
    this.#index = index;
    this.#cache = cache;
    this.#shortcut = shortcut;
    this.#leases = leases;
    this.#records = records;
    this.#stats = stats;
    this.#batch = new Batch(cache);
  }

  /** The applied head: the newest revision that readers may see. */
  get head(): Revision {
    return this.#head;
  }

  /** The place in the log that is applied: what the next append is decided on. */
  get cursor(): Cursor {
    return this.#cursor;
  }

  start(cursor: Cursor): void {
    this.#cursor = cursor;
    this.#head = cursor.revision;
    this.#stats.head.value = cursor.revision;
  }

  /** An entry in the oldest part of the cache was read: it is kept for another round, when next something is appended. */
  noteOldHit(entry: KeyEntry): void {
    if (this.#oldHits.length < OLD_HITS_MAX) this.#oldHits.push(entry);
  }

  /**
   * Applies committed changes and notes, each in the order of the log; `cursor` is where one is with them. `messages`:
   * of the changes, if they are at hand.
   */
  apply(changes: readonly Change[], notes: readonly Note[], cursor: Cursor, messages?: ChangeMessages): void {
    this.onCommitted?.(cursor);
    const { listener } = this;
    const head = cursor.revision;
    this.#giveSecondChances();
    const wantsPrevious = listener?.wantsPrevious === true;
    const batch = this.#batch;
    batch.begin(changes, head, wantsPrevious);
    let note = 0;
    // All at once, if they fit.
    let cachedAt = messages === undefined ? NOWHERE : this.#cache.append(messages.bytes);
    for (let i = 0; i < changes.length; i += 1) {
      if (i % PREFETCHED === 0) this.#prefetch(changes, i);
      const change = changes[i];
      if (change === undefined) continue;
      for (let next = notes[note]; next !== undefined && next.after < change.revision; next = notes[note]) {
        this.#applyNote(next);
        note += 1;
      }
      if (messages === undefined || cachedAt === NOWHERE) this.#applyChange(change, i, wantsPrevious);
      else {
        const length = messages.lengths[i] ?? 0;
        this.#applyChange(change, i, wantsPrevious, cachedAt, length);
        cachedAt += length;
      }
    }
    for (let next = notes[note]; next !== undefined; next = notes[note]) {
      this.#applyNote(next);
      note += 1;
    }
    this.#cursor = cursor;
    this.#head = head;
    this.#stats.head.value = head;
    this.#stats.keys.value = this.#index.liveKeys;
    if (changes.length > 0) listener?.onApplied(batch);
    batch.end();
    this.onHead?.(head);
  }

  /** Reads what the next changes will read and write, of those whose keys are known to be there. */
  #prefetch(changes: readonly Change[], from: number): void {
    const entries = this.#prefetched;
    const to = Math.min(changes.length, from + PREFETCHED);
    let known = 0;
    let sum = 0;
    for (let i = from; i < to; i += 1) {
      const change = changes[i];
      const entry = change === undefined ? undefined : entryOf(change);
      if (entry === undefined) continue;
      sum ^= entry.version;
      entries[known] = entry;
      known += 1;
    }
    for (let i = 0; i < known; i += 1) {
      const entry = entries[i];
      if (entry !== undefined) sum ^= this.#shortcut.prefetch(entry.hash) ^ (entry.history?.prefetch() ?? 0);
    }
    keepRead(sum);
  }

  /** `cachedAt`, `cachedBytes`: its message, if that is cached already. */
  #applyChange(change: Change, i: number, wantsPrevious: boolean, cachedAt = NOWHERE, cachedBytes = 0): void {
    const { key, createRevision, revision, version, lease } = change;
    const entry = this.#index.upsert(key, entryOf(change));
    const batch = this.#batch;
    if (wantsPrevious) {
      if (entry.revision === revision) batch.notePreviousOfAll(i);
      else batch.notePrevious(i, entry.version > 0, entry.address, entry.length);
    }
    const oldLease = entry.lease;
    this.#index.change(entry, revision, change.sub, createRevision, version, lease);
    const cache = this.#cache;
    let address = cachedAt;
    let length = cachedBytes;
    if (address === NOWHERE) {
      const { value } = change;
      length = keyValueLength(key.length, createRevision, revision, version, value.length, lease);
      address = cache.reserve(length);
      if (address !== NOWHERE) {
        const [slab, at] = [cache.slabAt(address), cache.offsetAt(address)];
        writeKeyValue(slab, at, key, createRevision, revision, version, value, lease);
      }
    }
    if (version > 0 && address !== NOWHERE) this.#shortcut.moved(entry.hash, entry.address, address, length);
    else this.#shortcut.forget(entry.hash, entry.address);
    entry.address = address;
    entry.length = length;
    cache.pinned?.note(change);
    batch.note(i, address, length);
    if (version > 0) {
      this.#stats.puts.value += 1;
      this.#stats.putBytes.value += length;
    } else this.#stats.deletes.value += 1;
    // A key that stays with its lease is the usual case.
    if (oldLease !== lease) this.#leases.move(key, oldLease, lease);
  }

  #applyNote({ change }: Note): void {
    switch (change.kind) {
      case 'grant':
        this.#leases.granted(change.id, change.ttl);
        break;
      case 'revoke':
      case 'expire':
        this.#leases.revoked(change.id);
        break;
      case 'checkpoint':
        this.#leases.checkpointed(change.id, change.remainingTtl);
        break;
      case 'record':
        this.#records.apply(change);
        break;
      default:
        unreachable(change);
    }
  }

  #giveSecondChances(): void {
    const cache = this.#cache;
    for (const entry of this.#oldHits) {
      const { address, length } = entry;
      if (!cache.holds(address) || !cache.isOld(address)) continue;
      const from = cache.slabAt(address);
      const at = cache.offsetAt(address);
      const to = cache.reserve(length);
      // Making room may have overwritten the very message.
      if (to === NOWHERE || !cache.holds(address)) continue;
      cache.slabAt(to).set(from.subarray(at, at + length), cache.offsetAt(to));
      this.#shortcut.moved(entry.hash, address, to, length);
      entry.address = to;
    }
    this.#oldHits.length = 0;
  }
}

const OLD_HITS_MAX = 1024;

/** The batch that listeners are shown. One object for all batches. */
class Batch implements AppliedBatch {
  changes: readonly Change[] = [];
  head: Revision = 0;
  readonly #cache: ValueCache;
  #addresses: number[] = [];
  #lengths: number[] = [];
  #previousAddresses: number[] = [];
  #previousLengths: number[] = [];
  #knowsPrevious = false;

  constructor(cache: ValueCache) {
    this.#cache = cache;
  }

  begin(changes: readonly Change[], head: Revision, knowsPrevious: boolean): void {
    this.changes = changes;
    this.head = head;
    this.#knowsPrevious = knowsPrevious;
  }

  /** Lets go of the changes; gives memory back after a batch out of the ordinary. */
  end(): void {
    this.changes = [];
    if (this.#addresses.length < USUAL_CHANGES_MAX) return;
    this.#addresses = [];
    this.#lengths = [];
    this.#previousAddresses = [];
    this.#previousLengths = [];
  }

  note(i: number, address: number, length: number): void {
    this.#addresses[i] = address;
    this.#lengths[i] = length;
  }

  notePrevious(i: number, lives: boolean, address: number, length: number): void {
    this.#previousAddresses[i] = address;
    this.#previousLengths[i] = lives ? length : 0;
  }

  /**
   * Its transaction has changed the key before: what was there before the transaction is what all of these changes have
   * replaced, but for one that says itself to have made the key.
   */
  notePreviousOfAll(i: number): void {
    const { changes } = this;
    const change = changes[i];
    let first = i;
    for (let j = i - 1; j >= 0 && changes[j]?.revision === change?.revision; j -= 1) {
      if (changes[j]?.key === change?.key) first = j;
    }
    const lives = change !== undefined && replaces(change);
    this.#previousAddresses[i] = this.#previousAddresses[first] ?? NOWHERE;
    this.#previousLengths[i] = lives ? (this.#previousLengths[first] ?? 0) : 0;
  }

  kv(i: number): KeyValueBytes {
    const view = this.#cache.view(this.#addresses[i] ?? NOWHERE, this.#lengths[i] ?? 0);
    if (view !== undefined) return view;
    const change = this.changes[i];
    if (change === undefined) throw new RangeError(`no change ${i} in the batch`);
    return encodeChange(change);
  }

  previous(i: number): KeyValueBytes | undefined | 'elsewhere' {
    if (!this.#knowsPrevious) return 'elsewhere';
    const length = this.#previousLengths[i] ?? 0;
    if (length === 0) return undefined;
    return this.#cache.view(this.#previousAddresses[i] ?? NOWHERE, length) ?? 'elsewhere';
  }
}

const USUAL_CHANGES_MAX = 100_000;
