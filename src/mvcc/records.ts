import type { Key, RecordChange, StoredRecord } from './types.ts';

/** The records as they stand, by name. Small: users, roles, members. The Tail keeps them up to date. */
export class Records {
  readonly #values = new Map<Key, Uint8Array>();
  readonly #listeners: ((name: Key) => void)[] = [];

  restore(records: readonly StoredRecord[]): void {
    for (const { name, value } of records) this.#values.set(name, value);
  }

  get(name: Key): Uint8Array | undefined {
    return this.#values.get(name);
  }

  /** Those whose names begin so, in order. */
  list(prefix: Key): StoredRecord[] {
    const found: StoredRecord[] = [];
    for (const [name, value] of this.#values) if (name.startsWith(prefix)) found.push({ name, value });
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The listener hears the name of each record that changes, after it has. */
  listen(listener: (name: Key) => void): void {
    this.#listeners.push(listener);
  }

  apply({ name, value }: RecordChange): void {
    if (value === undefined) this.#values.delete(name);
    else this.#values.set(name, value);
    for (const listener of this.#listeners) listener(name);
  }
}
