import type { Key, LeaseId, Position, Revision } from './types.ts';
import { NO_LEASE } from './types.ts';

/** One version of a key without its value. `version` 0: a delete. */
export interface KeyVersion extends Position {
  readonly key: Key;
  readonly createRevision: Revision;
  readonly version: number;
  readonly lease: LeaseId;
}

/**
 * The superseded versions of one key that compaction has not taken yet, oldest first, as flat numbers: no object each.
 * Reads search from the end, compaction takes from the front.
 *
 * As in etcd, a key has lives: from its first put to its delete, versions count up by one. So of most versions only the
 * revision is kept, which is eight bytes for what may be the largest part of a busy store's memory; where a life begins
 * is noted once, and subs and leases only of keys that have any.
 */
export class KeyHistory {
  /** Of each version. What follows goes by places in here. */
  #revisions: Revision[];
  /** Of the first place. */
  #createRevision: Revision;
  #version: number;
  /** Of lives that begin after the first place: where, createRevision and version there. A delete is a life of its own. */
  #lives: number[] | undefined = undefined;
  /** One for each version from the first on, once a version's was not 0. */
  #subs: number[] | undefined = undefined;
  /** One for each version from the first on, once a version had a lease. */
  #leases: LeaseId[] | undefined = undefined;
  /** Versions already taken from the front. */
  #taken = 0;

  /** Most keys are superseded once between two compactions: an array of just that version to begin with. */
  constructor(first: KeyVersion) {
    this.#revisions = [first.revision];
    this.#createRevision = first.createRevision;
    this.#version = first.version;
    if (first.sub !== 0) this.#subs = [first.sub];
    if (first.lease !== NO_LEASE) this.#leases = [first.lease];
  }

  get size(): number {
    return this.#revisions.length - this.#taken;
  }

  push(next: KeyVersion): void {
    const place = this.#revisions.length;
    if (next.sub !== 0 || this.#subs !== undefined) {
      this.#subs ??= new Array<number>(place).fill(0);
      this.#subs.push(next.sub);
    }
    if (next.lease !== NO_LEASE || this.#leases !== undefined) {
      this.#leases ??= new Array<LeaseId>(place).fill(NO_LEASE);
      this.#leases.push(next.lease);
    }
    if (next.createRevision !== this.#createRevisionOf(place - 1) || next.version !== this.#versionOf(place - 1) + 1) {
      this.#lives ??= [];
      this.#lives.push(place, next.createRevision, next.version);
    }
    this.#revisions.push(next.revision);
  }

  /** Reads where the next version goes (prefetch.ts). */
  prefetch(): number {
    return this.#revisions[this.#revisions.length - 1] ?? 0;
  }

  /** The place of the newest version with a revision of at most `revision`; -1 when there is none. */
  find(revision: Revision): number {
    const revisions = this.#revisions;
    let low = this.#taken;
    let high = revisions.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((revisions[middle] ?? 0) <= revision) low = middle + 1;
      else high = middle;
    }
    return low > this.#taken ? low - 1 - this.#taken : -1;
  }

  /** The place of the newest version before a position; -1 when there is none. */
  findBefore(revision: Revision, sub: number): number {
    let at = this.find(revision);
    while (at >= 0 && this.revisionAt(at) === revision && this.subAt(at) >= sub) at -= 1;
    return at;
  }

  revisionAt(place: number): Revision {
    return this.#revisions[this.#taken + place] ?? 0;
  }

  subAt(place: number): number {
    return this.#subs?.[this.#taken + place] ?? 0;
  }

  /** 0: a delete. */
  versionAt(place: number): number {
    return this.#versionOf(this.#taken + place);
  }

  at(key: Key, place: number): KeyVersion {
    const at = this.#taken + place;
    return {
      key,
      revision: this.revisionAt(place),
      sub: this.subAt(place),
      createRevision: this.#createRevisionOf(at),
      version: this.#versionOf(at),
      lease: this.#leases?.[at] ?? NO_LEASE,
    };
  }

  /** Takes the oldest version away. The arrays are cut when half of them is dead, so that taking all is linear. */
  shift(): void {
    this.#taken += 1;
    if (this.#taken < CUT_MIN || this.#taken * 2 < this.#revisions.length) return;
    this.#cut();
  }

  #cut(): void {
    const taken = this.#taken;
    const [createRevision, version] = [this.#createRevisionOf(taken), this.#versionOf(taken)];
    const later = this.#lives?.slice(this.#lifeOf(taken) + LIFE_WIDTH) ?? [];
    for (let life = 0; life < later.length; life += LIFE_WIDTH) later[life] = (later[life] ?? 0) - taken;
    this.#createRevision = createRevision;
    this.#version = version;
    this.#lives = later.length > 0 ? later : undefined;
    this.#revisions = this.#revisions.slice(taken);
    this.#subs = this.#subs?.slice(taken);
    this.#leases = this.#leases?.slice(taken);
    this.#taken = 0;
  }

  #createRevisionOf(at: number): Revision {
    const life = this.#lifeOf(at);
    return life < 0 ? this.#createRevision : (this.#lives?.[life + 1] ?? 0);
  }

  #versionOf(at: number): number {
    const life = this.#lifeOf(at);
    if (life < 0) return this.#version + at;
    return (this.#lives?.[life + 2] ?? 0) + at - (this.#lives?.[life] ?? 0);
  }

  /** Where in #lives the life is that the place belongs to; below 0: the one of the first place. */
  #lifeOf(at: number): number {
    const lives = this.#lives;
    if (lives === undefined) return -LIFE_WIDTH;
    let low = 0;
    let high = lives.length / LIFE_WIDTH;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((lives[middle * LIFE_WIDTH] ?? 0) <= at) low = middle + 1;
      else high = middle;
    }
    return (low - 1) * LIFE_WIDTH;
  }
}

/** Numbers per life: the place where it begins, createRevision, version. */
const LIFE_WIDTH = 3;
/** Fewer are not worth cutting. */
const CUT_MIN = 16;
