import { asLatin1 } from '../base/latin1-buffer.ts';
import type { KeyEntry } from './key-entry.ts';
import type { KeyIndex } from './key-index.ts';

/**
 * From the bytes of a key to its entry in the index, for who follows what others write: there, making a string of each
 * key, hashing it and looking it up is most of what a change costs. Here the bytes are hashed, and compared with the keys
 * of the two entries that stand in that place; the next one that is found the long way pushes the older of them out.
 */
export class KnownKeys {
  readonly #index: KeyIndex;
  /** Made when the first one is looked for. */
  #entries: (KeyEntry | undefined)[] = [];

  constructor(index: KeyIndex) {
    this.#index = index;
  }

  /** The entry of the key in `bytes`, from `from` up to `to`, if the index has one. `hash`: hashOfBytes of it. */
  find(bytes: Buffer, from: number, to: number, hash: number): KeyEntry | undefined {
    const place = (hash & (PLACES - 1)) * 2;
    const first = this.#entries[place];
    if (first !== undefined && this.#isOf(first, bytes, from, to, hash)) return first;
    const second = this.#entries[place + 1];
    if (second !== undefined && this.#isOf(second, bytes, from, to, hash)) return second;
    const found = this.#index.get(asLatin1(bytes).latin1Slice(from, to));
    if (found !== undefined) this.#keep(place, found, first);
    return found;
  }

  /** Reads what `find` is about to read (prefetch.ts). */
  prefetch(hash: number): number {
    const first = this.#entries[(hash & (PLACES - 1)) * 2];
    return first === undefined ? 0 : first.hash ^ first.key.charCodeAt(0);
  }

  #isOf(known: KeyEntry, bytes: Buffer, from: number, to: number, hash: number): boolean {
    return known.hash === hash && this.#index.holds(known) && isKey(bytes, from, to, known.key);
  }

  #keep(place: number, first: KeyEntry, second: KeyEntry | undefined): void {
    if (this.#entries.length === 0) this.#entries = new Array<KeyEntry | undefined>(2 * PLACES).fill(undefined);
    this.#entries[place] = first;
    this.#entries[place + 1] = second;
  }
}

/** A power of two; of two entries each: 512 KiB. */
const PLACES = 32_768;

function isKey(bytes: Buffer, from: number, to: number, key: string): boolean {
  if (key.length !== to - from) return false;
  for (let i = 0; i < key.length; i += 1) if (key.charCodeAt(i) !== bytes[from + i]) return false;
  return true;
}
