import type { Key, LeaseId, Position, Revision } from './types.ts';
import { NO_LEASE } from './types.ts';

/** One version of a key without its value. `version` 0: a delete. */
export interface KeyVersion extends Position {
  readonly key: Key;
  readonly createRevision: Revision;
  readonly version: number;
  readonly lease: LeaseId;
}

/** Numbers per version: revision, sub, createRevision, version. */
const WIDTH = 4;

/**
 * The superseded versions of one key that compaction has not taken yet, oldest first, as flat numbers: no object each.
 * Reads search from the end, compaction takes from the front.
 */
export class KeyHistory {
  #numbers: number[];
  /** One for each version from the first on, once a version had a lease. */
  #leases: LeaseId[] | undefined = undefined;
  /** Versions already taken from the front. */
  #taken = 0;

  /** Most keys are superseded once between two compactions: an array of just that version to begin with. */
  constructor(first: KeyVersion) {
    this.#numbers = [first.revision, first.sub, first.createRevision, first.version];
    if (first.lease !== NO_LEASE) this.#leases = [first.lease];
  }

  get size(): number {
    return this.#numbers.length / WIDTH - this.#taken;
  }

  push(next: KeyVersion): void {
    if (next.lease !== NO_LEASE || this.#leases !== undefined) {
      this.#leases ??= new Array<LeaseId>(this.#numbers.length / WIDTH).fill(NO_LEASE);
      this.#leases.push(next.lease);
    }
    this.#numbers.push(next.revision, next.sub, next.createRevision, next.version);
  }

  /** The place of the newest version with a revision of at most `revision`; -1 when there is none. */
  find(revision: Revision): number {
    const numbers = this.#numbers;
    let low = this.#taken;
    let high = numbers.length / WIDTH;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((numbers[middle * WIDTH] ?? 0) <= revision) low = middle + 1;
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
    return this.#numbers[(this.#taken + place) * WIDTH] ?? 0;
  }

  subAt(place: number): number {
    return this.#numbers[(this.#taken + place) * WIDTH + 1] ?? 0;
  }

  /** 0: a delete. */
  versionAt(place: number): number {
    return this.#numbers[(this.#taken + place) * WIDTH + 3] ?? 0;
  }

  at(key: Key, place: number): KeyVersion {
    const at = (this.#taken + place) * WIDTH;
    return {
      key,
      revision: this.#numbers[at] ?? 0,
      sub: this.#numbers[at + 1] ?? 0,
      createRevision: this.#numbers[at + 2] ?? 0,
      version: this.#numbers[at + 3] ?? 0,
      lease: this.#leases?.[this.#taken + place] ?? NO_LEASE,
    };
  }

  /** Takes the oldest version away. The arrays are cut when half of them is dead, so that taking all is linear. */
  shift(): void {
    this.#taken += 1;
    if (this.#taken < 16 || this.#taken * 2 * WIDTH < this.#numbers.length) return;
    this.#numbers = this.#numbers.slice(this.#taken * WIDTH);
    this.#leases = this.#leases?.slice(this.#taken);
    this.#taken = 0;
  }
}
