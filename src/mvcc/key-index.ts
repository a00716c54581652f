import { EntryNumbers } from './entry-numbers.ts';
import { KeyEntry } from './key-entry.ts';
import type { KeyVersion } from './key-history.ts';
import { keyValueLength } from './key-value.ts';
import { emptyBlock, OrderedKeys } from './ordered-keys.ts';
import { SupersededQueue } from './superseded-queue.ts';
import { type ChangeHead, type Key, type LeaseId, ONE_KEY, type Position, type Revision } from './types.ts';
import { NOWHERE } from './value-cache.ts';

/** What can be asked about keys at a revision: the index can, and a Draft over it. */
export interface KeyView {
  /** The version that a read at `revision` sees. */
  versionAt(key: Key, revision: Revision): KeyVersion | undefined;
  /** The range's versions in key order, at most `limit` (0: all). */
  versionsIn(key: Key, end: Key, revision: Revision, limit: number): KeyVersion[];
  countIn(key: Key, end: Key, revision: Revision): number;
}

/**
 * The index: every key with its versions since the horizon, without values. Points go through a Map, ranges through
 * OrderedKeys; both lead to the same KeyEntry. Deleted keys stay until compaction takes their last trace.
 *
 * Changed by the Tail (`upsert` and the entry's fields) and by the Compactor (`takeSuperseded`) alone.
 */
export class KeyIndex implements KeyView {
  readonly #entries = new Map<Key, KeyEntry>();
  readonly #ordered = new OrderedKeys();
  readonly #numbers = new EntryNumbers();
  readonly #superseded = new SupersededQueue();
  readonly #tombstones = new SupersededQueue();
  #live = 0;

  /** Keys that are there now. */
  get liveKeys(): number {
    return this.#live;
  }

  /** Rows of the log that some later compaction will take. */
  get supersededRows(): number {
    return this.#superseded.size + this.#tombstones.size;
  }

  get(key: Key): KeyEntry | undefined {
    return this.#entries.get(key);
  }

  /** Whether an entry that was found is still in the index: compaction may have taken it out. */
  holds(entry: KeyEntry): boolean {
    return entry.block !== TAKEN_OUT;
  }

  versionAt(key: Key, revision: Revision): KeyVersion | undefined {
    return this.#entries.get(key)?.versionAt(revision);
  }

  versionsIn(key: Key, end: Key, revision: Revision, limit: number): KeyVersion[] {
    const versions: KeyVersion[] = [];
    if (end === ONE_KEY) {
      const version = this.versionAt(key, revision);
      if (version !== undefined) versions.push(version);
      return versions;
    }
    this.#ordered.visit(key, end, (entry) => {
      const version = entry.versionAt(revision);
      if (version !== undefined) versions.push(version);
      return limit === 0 || versions.length < limit;
    });
    return versions;
  }

  countIn(key: Key, end: Key, revision: Revision): number {
    if (end === ONE_KEY) return this.#entries.get(key)?.isLiveAt(revision) === true ? 1 : 0;
    return this.#ordered.count(key, end, revision);
  }

  /**
   * The entry of a key, made if need be. What it says of the key is then for the caller to `change`. `known`: what it
   * was when somebody looked; compaction may have taken it out since.
   */
  upsert(key: Key, known?: KeyEntry): KeyEntry {
    if (known !== undefined && this.holds(known)) return known;
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = new KeyEntry(key, this.#ordered.blockFor(key));
      this.#numbers.assign(entry);
      this.#entries.set(key, entry);
      this.#ordered.insert(entry);
    }
    return entry;
  }

  /** Gives an entry its next version. Where its bytes are is for the caller to note down in the entry. */
  change(
    entry: KeyEntry,
    revision: Revision,
    sub: number,
    createRevision: Revision,
    version: number,
    lease: LeaseId,
  ): void {
    const wasLive = entry.version > 0;
    if (entry.revision > 0) {
      entry.supersede();
      this.#superseded.push(revision, entry.number);
    }
    entry.revision = revision;
    entry.sub = sub;
    entry.createRevision = createRevision;
    entry.version = version;
    entry.lease = lease;
    const { block } = entry;
    block.newest = revision;
    if (version === 0) this.#tombstones.push(revision, entry.number);
    if (version > 0 !== wasLive) {
      const step = wasLive ? -1 : 1;
      block.live += step;
      this.#live += step;
    }
  }

  /**
   * Takes up to `limit` versions out of the index that no reader at or after the horizon can see, and adds their
   * positions to `into`. What is left is told by `hasSuperseded`.
   *
   * A version goes when its successor is not beyond the horizon; a delete without a successor goes when it is before
   * the horizon. One at the horizon stays, as in etcd, because a watch may start there.
   */
  takeSuperseded(horizon: Revision, limit: number, into: Position[]): void {
    while (into.length < limit && this.#superseded.firstRevision <= horizon) {
      const entry = this.#numbers.entryOf(this.#superseded.shift());
      const { history } = entry;
      if (history === undefined) continue;
      into.push({ revision: history.revisionAt(0), sub: history.subAt(0) });
      dropOldest(entry);
    }
    if (this.#superseded.firstRevision <= horizon) return;
    while (into.length < limit && this.#tombstones.firstRevision < horizon) {
      const revision = this.#tombstones.firstRevision;
      const entry = this.#numbers.entryOf(this.#tombstones.shift());
      // When the key was born again, the delete has a successor, and went or goes by the other queue.
      if (entry.history !== undefined || entry.revision !== revision || entry.version > 0) continue;
      into.push({ revision, sub: entry.sub });
      this.#ordered.remove(entry);
      this.#entries.delete(entry.key);
      this.#numbers.giveBack(entry);
      entry.block = TAKEN_OUT;
    }
  }

  /** How many revisions the oldest of what takeSuperseded would find lies before the horizon. */
  revisionsBehind(horizon: Revision): number {
    return Math.max(0, horizon - Math.min(this.#superseded.firstRevision, this.#tombstones.firstRevision));
  }

  /** Whether takeSuperseded would find anything. */
  hasSuperseded(horizon: Revision): boolean {
    return this.#superseded.firstRevision <= horizon || this.#tombstones.firstRevision < horizon;
  }

  /** Takes in rows of the log at start, in log order. `sortLoaded` must follow before anything is asked. */
  load(rows: readonly ChangeHead[]): void {
    for (const row of rows) {
      let entry = this.#entries.get(row.key);
      if (entry === undefined) {
        entry = new KeyEntry(row.key, LOADING_BLOCK);
        this.#numbers.assign(entry);
        this.#entries.set(row.key, entry);
      }
      this.change(entry, row.revision, row.sub, row.createRevision, row.version, row.lease);
      const { length } = row.key;
      entry.length = keyValueLength(length, row.createRevision, row.revision, row.version, row.valueBytes, row.lease);
      entry.address = NOWHERE;
    }
  }

  /** Puts what was loaded in order, all at once, and tells `leased` of the keys that have a lease. */
  sortLoaded(leased: (key: Key, lease: LeaseId) => void): void {
    // Sorting bare strings and looking the entries up is faster than sorting entries by a comparator.
    const keys = [...this.#entries.keys()].sort();
    const entries: KeyEntry[] = [];
    for (const key of keys) {
      const entry = this.#entries.get(key);
      if (entry !== undefined) entries.push(entry);
    }
    this.#ordered.build(entries);
    for (const entry of entries) if (entry.version > 0 && entry.lease !== 0n) leased(entry.key, entry.lease);
  }
}

/** Where entries stand while loading. */
const LOADING_BLOCK = emptyBlock();
/** Where entries stand that are no longer in the index. */
const TAKEN_OUT = emptyBlock();

function dropOldest(entry: KeyEntry): void {
  entry.history?.shift();
  if (entry.history?.size === 0) entry.history = undefined;
}
