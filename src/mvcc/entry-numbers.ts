import { invariant } from '../base/invariant.ts';
import type { KeyEntry } from './key-entry.ts';

/**
 * Numbers for the entries of an index, from 0 on, for what refers to entries many million times: a number takes half of
 * a reference's room, and garbage collections do not walk it. A number that is given back goes to another entry.
 */
export class EntryNumbers {
  readonly #entries: (KeyEntry | undefined)[] = [];
  readonly #free: number[] = [];

  /** For `KeyEntry.number`. */
  assign(entry: KeyEntry): void {
    entry.number = this.#free.pop() ?? this.#entries.length;
    this.#entries[entry.number] = entry;
  }

  /** Nobody refers to it any more. */
  giveBack({ number }: KeyEntry): void {
    this.#entries[number] = undefined;
    this.#free.push(number);
  }

  entryOf(number: number): KeyEntry {
    const entry = this.#entries[number];
    invariant(entry !== undefined, `no entry has the number ${number}`);
    return entry;
  }
}
