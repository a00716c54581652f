import { hashOfKey } from './key-hash.ts';
import { KeyHistory, type KeyVersion } from './key-history.ts';
import type { Key, LeaseId, Revision } from './types.ts';
import { NO_LEASE } from './types.ts';
import { NOWHERE } from './value-cache.ts';

/** A block of OrderedKeys: some hundred neighbouring keys. */
export interface KeyBlock {
  /** In key order; never empty but in an empty index. */
  entries: KeyEntry[];
  /** Of these, how many are there at the newest revision. */
  live: number;
  /** No entry of the block changed after it. */
  newest: Revision;
}

/** What the index knows of a key: its newest version (fields), where that is cached, and its older ones (history). */
export class KeyEntry implements KeyVersion {
  readonly key: Key;
  /** Of the key: hashOfKey. */
  readonly hash: number;
  /** In its index: EntryNumbers. */
  number = 0;
  revision: Revision = 0;
  sub = 0;
  createRevision: Revision = 0;
  /** 0: the key is deleted. */
  version = 0;
  lease: LeaseId = NO_LEASE;
  /** Of the KeyValue message in the ValueCache; may be stale. */
  address = NOWHERE;
  /** Of the KeyValue message, in bytes. */
  length = 0;
  history: KeyHistory | undefined = undefined;
  block: KeyBlock;

  constructor(key: Key, block: KeyBlock) {
    this.key = key;
    this.hash = hashOfKey(key);
    this.block = block;
  }

  /** The version that a read at `revision` sees; undefined when the key was not there. */
  versionAt(revision: Revision): KeyVersion | undefined {
    if (this.revision <= revision) return this.version > 0 ? this : undefined;
    const place = this.history?.find(revision) ?? -1;
    if (place < 0 || this.history === undefined || this.history.versionAt(place) === 0) return undefined;
    return this.history.at(this.key, place);
  }

  isLiveAt(revision: Revision): boolean {
    if (this.revision <= revision) return this.version > 0;
    const place = this.history?.find(revision) ?? -1;
    return place >= 0 && (this.history?.versionAt(place) ?? 0) > 0;
  }

  /** The version that stood when the change at this position was made; undefined when the key was not there. */
  versionBefore(revision: Revision, sub: number): KeyVersion | undefined {
    if (this.revision < revision || (this.revision === revision && this.sub < sub)) {
      return this.version > 0 ? this : undefined;
    }
    const place = this.history?.findBefore(revision, sub) ?? -1;
    if (place < 0 || this.history === undefined || this.history.versionAt(place) === 0) return undefined;
    return this.history.at(this.key, place);
  }

  /** The version at exactly this position, a delete too. */
  exactly(revision: Revision, sub: number): KeyVersion | undefined {
    if (this.revision === revision && this.sub === sub) return this;
    const place = this.history?.findBefore(revision, sub + 1) ?? -1;
    if (place < 0 || this.history === undefined) return undefined;
    const found = this.history.at(this.key, place);
    return found.revision === revision && found.sub === sub ? found : undefined;
  }

  /** Puts the present version into the history, before the fields take the next one. */
  supersede(): void {
    if (this.history === undefined) this.history = new KeyHistory(this);
    else this.history.push(this);
  }
}
