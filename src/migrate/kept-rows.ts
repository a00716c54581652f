import { invariant } from '../base/invariant.ts';
import type { Key, Revision } from '../mvcc/types.ts';
import type { RowHead } from './source.ts';

/**
 * Which of a source's rows a store at `head` with a horizon is made of, and which of those HashKV counts. Rows are told
 * by their place in the order (0, 1, …), in which the second pass meets them again.
 *
 *  - Up to the horizon: the newest row of each key, if it is a put; a delete only at the horizon itself, where a watch
 *    may start (as KeyIndex.takeSuperseded leaves it).
 *  - Beyond the horizon: all.
 *
 * Without history the horizon is the head. Memory: an entry a key, a bit or three a row.
 */
export class KeptRows {
  readonly horizon: Revision | 'head';
  /** key → place of its newest row × 2, + 1 when that is a put. */
  readonly #newest = new Map<Key, number>();
  readonly #kept = new Bits();
  /** Kept puts up to the horizon: what HashKV counts when no key lives at the head. */
  readonly #base = new Bits();
  readonly #live = new Bits();
  /** Places of deletes at the newest revision seen so far while it may be the horizon. */
  #deletes: number[] = [];
  #deletesAt: Revision = 0;
  #last: Revision = 0;
  #lastSub = -1;
  #rows = 0;
  /** From here on the rows are beyond the horizon. */
  #beyond: number | undefined;
  #keptRows = 0;
  #liveKeys = 0;
  #finished = false;

  /** `head`: no history, but the newest of each key. */
  constructor(horizon: Revision | 'head') {
    this.horizon = horizon;
  }

  /** Rows seen. */
  get rows(): number {
    return this.#rows;
  }

  get keptRows(): number {
    return this.#keptRows;
  }

  /** Keys that are there at the head. */
  get liveKeys(): number {
    return this.#liveKeys;
  }

  /** The first pass: rows in log order. */
  note({ key, revision, sub, kind }: RowHead): void {
    invariant(!this.#finished, 'the first pass is over');
    invariant(
      revision > this.#last || (revision === this.#last && sub > this.#lastSub),
      'rows of a source come in the order of the log',
    );
    if (this.#beyond === undefined && this.horizon !== 'head' && revision > this.horizon) this.#passHorizon();
    const place = this.#rows;
    this.#rows += 1;
    this.#last = revision;
    this.#lastSub = sub;
    if (this.#beyond === undefined && kind === 'delete') {
      if (this.#deletesAt !== revision) this.#deletes = [];
      this.#deletesAt = revision;
      this.#deletes.push(place);
    }
    this.#newest.set(key, place * 2 + (kind === 'put' ? 1 : 0));
  }

  /** The first pass is over. */
  finish(head: Revision): void {
    invariant(!this.#finished, 'the first pass ends once');
    this.#finished = true;
    if (this.#beyond === undefined) this.#passHorizon(head);
    for (const newest of this.#newest.values()) {
      if (newest % 2 === 0) continue;
      this.#live.set(Math.floor(newest / 2));
      this.#liveKeys += 1;
    }
    this.#newest.clear();
    this.#keptRows += this.#rows - (this.#beyond ?? 0);
  }

  /** Whether the row at this place is taken over. */
  isKept(place: number): boolean {
    return place >= (this.#beyond ?? 0) || this.#kept.has(place);
  }

  /** Whether HashKV of the new store at its head counts the row. See mvcc/hash-kv.ts. */
  isHashed(place: number): boolean {
    if (place >= (this.#beyond ?? 0)) return true;
    return this.#liveKeys > 0 ? this.#live.has(place) : this.#base.has(place);
  }

  #passHorizon(head?: Revision): void {
    this.#beyond = this.#rows;
    for (const newest of this.#newest.values()) {
      if (newest % 2 === 0) continue;
      const place = Math.floor(newest / 2);
      this.#kept.set(place);
      this.#base.set(place);
      this.#keptRows += 1;
    }
    const horizon = this.horizon === 'head' ? head : this.horizon;
    if (this.#deletesAt === horizon) {
      const newest = new Set(this.#newest.values());
      for (const place of this.#deletes) {
        if (!newest.has(place * 2)) continue;
        this.#kept.set(place);
        this.#keptRows += 1;
      }
    }
    this.#deletes = [];
  }
}

/** A set of small numbers. */
class Bits {
  #words = new Uint8Array(1024);

  set(at: number): void {
    const word = Math.floor(at / 8);
    if (word >= this.#words.length) {
      const grown = new Uint8Array(Math.max(word + 1, this.#words.length * 2));
      grown.set(this.#words);
      this.#words = grown;
    }
    this.#words[word] = (this.#words[word] ?? 0) | (1 << (at % 8));
  }

  has(at: number): boolean {
    return ((this.#words[Math.floor(at / 8)] ?? 0) & (1 << (at % 8))) !== 0;
  }
}
