import { asLatin1 } from '../base/latin1-buffer.ts';
import type { KeyEntry } from './key-entry.ts';
import { hashOfBytes } from './key-hash.ts';
import type { KeyIndex } from './key-index.ts';

/**
 * From the bytes of a key to its entry in the index, for who follows what others write: there, making a string of each
 * key, hashing it and looking it up is most of what a change costs. Here the bytes are hashed, and compared with the key
 * of the entry that stands in that place. One place for each hash: an entry gives way to the next one that is looked for.
 */
export class KnownKeys {
  readonly #index: KeyIndex;
  /** Made when the first one is looked for. */
  #entries: (KeyEntry | undefined)[] = [];

  constructor(index: KeyIndex) {
    this.#index = index;
  }

  /** The entry of the key in `bytes`, from `from` up to `to`, if the index has one. */
  find(bytes: Buffer, from: number, to: number): KeyEntry | undefined {
    const place = hashOfBytes(bytes, from, to) & (PLACES - 1);
    const known = this.#entries[place];
    if (known !== undefined && this.#index.holds(known) && isKey(bytes, from, to, known.key)) return known;
    const found = this.#index.get(asLatin1(bytes).latin1Slice(from, to));
    if (found !== undefined || known !== undefined) this.#keep(place, found);
    return found;
  }

  #keep(place: number, entry: KeyEntry | undefined): void {
    if (this.#entries.length === 0) this.#entries = new Array<KeyEntry | undefined>(PLACES).fill(undefined);
    this.#entries[place] = entry;
  }
}

/** A power of two: 512 KiB. */
const PLACES = 65_536;

function isKey(bytes: Buffer, from: number, to: number, key: string): boolean {
  if (key.length !== to - from) return false;
  for (let i = 0; i < key.length; i += 1) if (key.charCodeAt(i) !== bytes[from + i]) return false;
  return true;
}
