import { invariant } from '../base/invariant.ts';
import { DecidedChange } from './decided-change.ts';
import type { KeyVersion } from './key-history.ts';
import type { KeyIndex, KeyView } from './key-index.ts';
import type { LeaseView } from './lease-book.ts';
import { type AppendBatch, cursorAfter } from './log.ts';
import type { Records } from './records.ts';
import { StoreError } from './requests.ts';
import {
  CHANGES_PER_TXN_MAX,
  type Change,
  type CommitId,
  type Cursor,
  type Key,
  type LeaseId,
  NO_LEASE,
  type Note,
  ONE_KEY,
  type Revision,
  TO_THE_LAST_KEY,
} from './types.ts';

/**
 * The Draft: what a batch of requests is going to write, over the index as it is. Each request is decided against
 * index and draft together, so it sees what the requests before it in the batch do; nobody else sees anything.
 *
 *   draft of the next batch  ──above──▶  draft of the batch whose append is under way  ──▶  index and leases
 *
 * A draft may stand above another one, whose changes are on their way to the disk: ours, or another replica's (`of`). It
 * sees the index as it will be when they are applied, and is worth nothing when they are not committed. Once they are,
 * it stands on the index (`landed`).
 *
 * begin() opens the next revision for a request; the request's changes go in by put and delete; commit() keeps them,
 * rollback() takes them back. A request without changes uses no revision up.
 */
export class Draft implements KeyView {
  readonly changes: Change[] = [];
  readonly notes: Note[] = [];
  /** Where the log must stand when the draft is appended to it. */
  readonly expected: Cursor;
  /** The name of the commit that it will be. */
  readonly commitId: CommitId;
  readonly #applied: DraftGround;
  readonly #base: Revision;
  #below: Draft | undefined;
  readonly #newest = new Map<Key, Change>();
  /** #newest's keys in order, as far as a range has asked for them. */
  #sorted: Key[] = [];
  #unsorted: Key[] = [];
  /** For each change, what #newest had before. */
  readonly #replaced: (Change | undefined)[] = [];
  readonly #granted = new Map<LeaseId, boolean>();
  #revision: Revision;
  #begin = 0;

  /** Batches that other writers have decided, one upon the other, as one draft to stand on. At least one. */
  static of(ground: DraftGround, batches: readonly AppendBatch[]): Draft {
    const [first, last] = [batches[0], batches.at(-1)];
    invariant(first !== undefined && last !== undefined, 'a draft of no batch');
    const draft = new Draft(ground, first.expected, last.commit);
    for (const { changes, notes } of batches) {
      for (const change of changes) {
        draft.#newest.set(change.key, change);
        draft.changes.push(change);
      }
      for (const note of notes) draft.#addNote(note);
    }
    draft.#unsorted = [...draft.#newest.keys()];
    draft.#revision = cursorAfter(last).revision;
    draft.begin();
    return draft;
  }

  /** `expected`: where the index stands; where the draft below ends, if there is one. */
  constructor(ground: DraftGround, expected: Cursor, commitId: CommitId, below?: Draft) {
    this.expected = expected;
    this.commitId = commitId;
    this.#applied = ground;
    this.#base = expected.revision;
    this.#revision = expected.revision;
    this.#below = below;
  }

  /** A draft that goes on where this one ends. */
  above(commitId: CommitId): Draft {
    return new Draft(this.#applied, this.cursor, commitId, this);
  }

  /** The draft below has been applied to index and leases. */
  landed(): void {
    this.#below = undefined;
  }

  /** Where the log stands when the draft is committed. */
  get cursor(): Cursor {
    const { notes } = this.expected;
    return { revision: this.#revision, notes: notes + this.notes.length, commit: this.commitId };
  }

  /** Nothing is to be written. */
  get isEmpty(): boolean {
    return this.changes.length === 0 && this.notes.length === 0;
  }

  /** The revision that a request sees before it writes. */
  get revision(): Revision {
    return this.#revision;
  }

  /** As the log takes it. */
  toAppend(): AppendBatch {
    return { expected: this.expected, commit: this.commitId, changes: this.changes, notes: this.notes };
  }

  /** Changes of the request being decided. */
  get pending(): number {
    return this.changes.length - this.#begin;
  }

  begin(): void {
    this.#begin = this.changes.length;
  }

  /** Keeps what was written since begin. Answers the revision that stands now. */
  commit(): Revision {
    if (this.changes.length > this.#begin) this.#revision += 1;
    this.#begin = this.changes.length;
    return this.#revision;
  }

  rollback(): void {
    while (this.changes.length > this.#begin) {
      const change = this.changes.pop();
      const replaced = this.#replaced.pop();
      if (change === undefined) return;
      if (replaced !== undefined) this.#newest.set(change.key, replaced);
      else {
        this.#newest.delete(change.key);
        this.#unsorted = this.#unsorted.filter((key) => key !== change.key);
        this.#sorted = this.#sorted.filter((key) => key !== change.key);
      }
    }
  }

  /** The newest version of a key, the draft's included; a deleted one too. */
  newest(key: Key): KeyVersion | undefined {
    const own = this.#newest.get(key);
    if (own !== undefined) return own;
    return this.#below === undefined ? this.#applied.index.get(key) : this.#below.newest(key);
  }

  /** `before`: the version that stands now, as it was found. */
  put(key: Key, value: Uint8Array, lease: LeaseId, before: KeyVersion | undefined): void {
    const revision = this.#revision + 1;
    const lives = before !== undefined && before.version > 0;
    const createRevision = lives ? before.createRevision : revision;
    const version = lives ? before.version + 1 : 1;
    this.#add(new DecidedChange(key, revision, this.#nextSub(), createRevision, version, lease, value, before), before);
  }

  delete(key: Key, before: KeyVersion | undefined): void {
    this.#add(new DecidedChange(key, this.#revision + 1, this.#nextSub(), 0, 0, NO_LEASE, NO_VALUE, before), before);
  }

  /** Goes behind what the request has changed so far. */
  note(change: Note['change']): void {
    this.#addNote({ after: this.pending > 0 ? this.#revision + 1 : this.#revision, change });
  }

  /** A record as it stands, the draft's included. */
  record(name: Key): Uint8Array | undefined {
    for (let i = this.notes.length - 1; i >= 0; i -= 1) {
      const change = this.notes[i]?.change;
      if (change?.kind === 'record' && change.name === name) return change.value;
    }
    return this.#below === undefined ? this.#applied.records.get(name) : this.#below.record(name);
  }

  hasLease(id: LeaseId): boolean {
    const own = this.#granted.get(id);
    if (own !== undefined) return own;
    return this.#below === undefined ? this.#applied.leases.has(id) : this.#below.hasLease(id);
  }

  /** The lease's keys in order, the draft's included. */
  leaseKeys(id: LeaseId): Key[] {
    const keys = new Set(this.#below === undefined ? this.#applied.leases.keys(id) : this.#below.leaseKeys(id));
    for (const change of this.changes) if (change.lease === id) keys.add(change.key);
    return [...keys].filter((key) => this.newest(key)?.lease === id).sort();
  }

  versionAt(key: Key, revision: Revision): KeyVersion | undefined {
    if (revision <= this.#base) return this.#ground.versionAt(key, revision);
    const version = this.newest(key);
    if (version === undefined || version.revision <= revision) return liveOnly(version);
    // Written by this batch after the revision that is asked for.
    for (let i = this.changes.length - 1; i >= 0; i -= 1) {
      const change = this.changes[i];
      if (change !== undefined && change.key === key && change.revision <= revision) return liveOnly(change);
    }
    return this.#ground.versionAt(key, this.#base);
  }

  versionsIn(key: Key, end: Key, revision: Revision, limit: number): KeyVersion[] {
    const own = revision > this.#base ? this.#keysIn(key, end) : [];
    if (own.length === 0) return this.#ground.versionsIn(key, end, Math.min(revision, this.#base), limit);
    const versions: KeyVersion[] = [];
    let i = 0;
    const takeOwn = (before: Key | undefined): void => {
      for (; i < own.length; i += 1) {
        const ownKey = own[i];
        if (ownKey === undefined || (before !== undefined && ownKey >= before)) return;
        const version = this.versionAt(ownKey, revision);
        if (version !== undefined) versions.push(version);
      }
    };
    // The draft can take out or stand in for no more of what is below than it has keys itself.
    const groundLimit = limit === 0 ? 0 : limit + own.length;
    for (const version of this.#ground.versionsIn(key, end, this.#base, groundLimit)) {
      takeOwn(version.key);
      if (own[i] !== version.key) versions.push(version);
    }
    takeOwn(undefined);
    if (limit > 0 && versions.length > limit) versions.length = limit;
    return versions;
  }

  countIn(key: Key, end: Key, revision: Revision): number {
    const base = Math.min(revision, this.#base);
    let count = this.#ground.countIn(key, end, base);
    if (revision <= this.#base) return count;
    for (const own of this.#keysIn(key, end)) {
      const was = this.#ground.versionAt(own, base) !== undefined;
      const is = this.versionAt(own, revision) !== undefined;
      if (was !== is) count += is ? 1 : -1;
    }
    return count;
  }

  /** What the draft stands on. */
  get #ground(): KeyView {
    return this.#below ?? this.#applied.index;
  }

  #nextSub(): number {
    const sub = this.changes.length - this.#begin;
    if (sub >= CHANGES_PER_TXN_MAX) throw new StoreError('txn-too-large', `more than ${CHANGES_PER_TXN_MAX} changes`);
    return sub;
  }

  #addNote(note: Note): void {
    const { change } = note;
    this.notes.push(note);
    if (change.kind === 'record' || change.kind === 'checkpoint') return;
    this.#granted.set(change.id, change.kind === 'grant');
  }

  #add(change: Change, before: KeyVersion | undefined): void {
    const isOwn = before !== undefined && before.revision > this.#base;
    const replaced = isOwn ? this.#newest.get(change.key) : undefined;
    if (replaced === undefined) this.#unsorted.push(change.key);
    this.#newest.set(change.key, change);
    this.changes.push(change);
    this.#replaced.push(replaced);
  }

  /** The draft's keys in a range, in order. */
  #keysIn(key: Key, end: Key): Key[] {
    if (end === ONE_KEY) return this.#newest.has(key) ? [key] : [];
    if (this.#unsorted.length > 0) {
      // Sorting what is sorted but for a few at its end is linear.
      this.#sorted = this.#sorted.concat(this.#unsorted).sort();
      this.#unsorted = [];
    }
    const sorted = this.#sorted;
    const from = lowerBound(sorted, key);
    const to = end === TO_THE_LAST_KEY ? sorted.length : lowerBound(sorted, end);
    return from < to ? sorted.slice(from, to) : [];
  }
}

/** What is applied: what a draft stands on in the end. */
export interface DraftGround {
  readonly index: KeyIndex;
  readonly leases: LeaseView;
  readonly records: Pick<Records, 'get'>;
}

const NO_VALUE = new Uint8Array(0);

function liveOnly(version: KeyVersion | undefined): KeyVersion | undefined {
  return version !== undefined && version.version > 0 ? version : undefined;
}

function lowerBound(keys: readonly Key[], key: Key): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] ?? '') < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
