import { invariant } from '../base/invariant.ts';
import type { Revision } from './types.ts';

/**
 * Which keys have something for compaction, in the order of the revision that made it so: first in, first out; the
 * revisions pushed never fall. Keys by their entry's number (entry-numbers.ts).
 *
 * It may hold many millions, so they are no objects, and nothing that a garbage collection would walk: eight bytes each,
 * in chunks, so that taking from the front costs nothing and gives memory back.
 */
export class SupersededQueue {
  readonly #chunks: Chunk[] = [];
  /** In the first chunk. */
  #first = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Infinity when empty. */
  get firstRevision(): Revision {
    const chunk = this.#chunks[0];
    return chunk === undefined ? Number.POSITIVE_INFINITY : chunk.base + (chunk.words[this.#first * WORDS] ?? 0);
  }

  push(revision: Revision, entryNumber: number): void {
    let chunk = this.#chunks[this.#chunks.length - 1];
    if (chunk === undefined || chunk.length === CHUNK || revision - chunk.base > OFFSET_MAX) {
      chunk = { base: revision, words: new Uint32Array(CHUNK * WORDS), length: 0 };
      this.#chunks.push(chunk);
    }
    const at = chunk.length * WORDS;
    chunk.words[at] = revision - chunk.base;
    chunk.words[at + 1] = entryNumber;
    chunk.length += 1;
    this.#size += 1;
  }

  shift(): number {
    const chunk = this.#chunks[0];
    invariant(chunk !== undefined, 'the queue of superseded versions is empty');
    const entryNumber = chunk.words[this.#first * WORDS + 1] ?? 0;
    this.#first += 1;
    this.#size -= 1;
    if (this.#first === chunk.length) {
      this.#chunks.shift();
      this.#first = 0;
    }
    return entryNumber;
  }
}

interface Chunk {
  /** Of the first one in it; the others' revisions are told as distances from it. */
  readonly base: Revision;
  /** Distance, entry's number; distance, entry's number; … */
  readonly words: Uint32Array;
  length: number;
}

const CHUNK = 4096;
const WORDS = 2;
const OFFSET_MAX = 2 ** 32 - 1;
