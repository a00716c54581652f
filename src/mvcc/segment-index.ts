import type { Key } from './types.ts';
import { TO_THE_LAST_KEY } from './types.ts';

/**
 * Which ranges cover a key? Many ranges, found by binary search.
 *
 * The ends of all ranges cut the space of keys into elementary segments, in each of which the answer is the same:
 *
 *     ranges      [a────────────f)        [m────)
 *                       [c────────────h)
 *     segments  ""│  a  │  c  │  f  │  h  │ m   │p
 *     covered by  │  1  │ 1 2 │  2  │     │ 3   │
 *
 * A lookup costs one binary search, or none when the key falls into the segment of the one before (keys of a batch
 * often do). Adding or removing a range costs a pass over the segments that it covers, so a thousand disjoint prefixes
 * are cheap; only many wide ranges over many narrow ones are not (segments x wide ranges).
 *
 * The arrays that `find` answers are never changed afterwards: whoever iterates over one may add and remove.
 */
export class SegmentIndex<T> {
  /** Where segments begin, ascending; the first is always the smallest key. Segment i ends where i + 1 begins. */
  readonly #starts: Key[] = [''];
  readonly #covers: (readonly T[])[] = [NOTHING];
  /** How many ranges begin or end at #starts[i]; at none left the segment melts into the one before. */
  readonly #uses: number[] = [1];
  #last = 0;

  /** Everything that covers `key`. */
  find(key: Key): readonly T[] {
    const last = this.#last;
    const start = this.#starts[last];
    if (start === undefined || start > key || !this.#endsAfter(last, key)) this.#last = this.#segmentOf(key);
    return this.#covers[this.#last] ?? NOTHING;
  }

  /** Adds [key, end), or everything from key on when `end` is TO_THE_LAST_KEY. An empty range covers nothing. */
  add(key: Key, end: Key, item: T): void {
    if (!covers(key, end)) return;
    const first = this.#cut(key);
    const after = end === TO_THE_LAST_KEY ? this.#starts.length : this.#cut(end);
    for (let i = first; i < after; i += 1) this.#covers[i] = [...(this.#covers[i] ?? NOTHING), item];
  }

  /** Takes away what was added with the same arguments. */
  remove(key: Key, end: Key, item: T): void {
    if (!covers(key, end)) return;
    const first = this.#segmentOf(key);
    const after = end === TO_THE_LAST_KEY ? this.#starts.length : this.#segmentOf(end);
    for (let i = first; i < after; i += 1) {
      const rest = (this.#covers[i] ?? NOTHING).filter((other) => other !== item);
      this.#covers[i] = rest.length === 0 ? NOTHING : rest;
    }
    if (end !== TO_THE_LAST_KEY) this.#uncut(after);
    this.#uncut(first);
  }

  /** For tests and limits. */
  get segments(): number {
    return this.#starts.length;
  }

  #endsAfter(segment: number, key: Key): boolean {
    const next = this.#starts[segment + 1];
    return next === undefined || key < next;
  }

  /** The segment that holds `key`. */
  #segmentOf(key: Key): number {
    let low = 0;
    let high = this.#starts.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      const start = this.#starts[middle];
      if (start !== undefined && start <= key) low = middle;
      else high = middle;
    }
    return low;
  }

  /** Makes a segment begin at `key` and answers which one it is. */
  #cut(key: Key): number {
    const segment = this.#segmentOf(key);
    if (this.#starts[segment] === key) {
      this.#uses[segment] = (this.#uses[segment] ?? 0) + 1;
      return segment;
    }
    this.#starts.splice(segment + 1, 0, key);
    this.#covers.splice(segment + 1, 0, this.#covers[segment] ?? NOTHING);
    this.#uses.splice(segment + 1, 0, 1);
    return segment + 1;
  }

  #uncut(segment: number): void {
    const uses = (this.#uses[segment] ?? 0) - 1;
    this.#uses[segment] = uses;
    if (uses > 0) return;
    this.#starts.splice(segment, 1);
    this.#covers.splice(segment, 1);
    this.#uses.splice(segment, 1);
    this.#last = 0;
  }
}

const NOTHING: readonly never[] = [];

function covers(key: Key, end: Key): boolean {
  return end === TO_THE_LAST_KEY || key < end;
}
