import { invariant } from '../base/invariant.ts';
import type { KeyEntry } from './key-entry.ts';
import type { Revision } from './types.ts';

const CHUNK = 4096;

/**
 * Which keys have something for compaction, in the order of the revision that made it so. First in, first out; the
 * revisions pushed never fall. In chunks, so that taking from the front costs nothing and gives memory back.
 */
export class SupersededQueue {
  readonly #chunks: Chunk[] = [];
  #first = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Infinity when empty. */
  get firstRevision(): Revision {
    return this.#size === 0 ? Number.POSITIVE_INFINITY : (this.#chunks[0]?.revisions[this.#first] ?? 0);
  }

  push(revision: Revision, entry: KeyEntry): void {
    let chunk = this.#chunks[this.#chunks.length - 1];
    if (chunk === undefined || chunk.revisions.length === CHUNK) {
      chunk = { revisions: [], entries: [] };
      this.#chunks.push(chunk);
    }
    chunk.revisions.push(revision);
    chunk.entries.push(entry);
    this.#size += 1;
  }

  shift(): KeyEntry {
    const chunk = this.#chunks[0];
    const entry = chunk?.entries[this.#first];
    invariant(chunk !== undefined && entry !== undefined, 'the queue of superseded versions is empty');
    this.#first += 1;
    this.#size -= 1;
    if (this.#first === chunk.entries.length) {
      this.#chunks.shift();
      this.#first = 0;
    }
    return entry;
  }
}

interface Chunk {
  readonly revisions: number[];
  readonly entries: KeyEntry[];
}
