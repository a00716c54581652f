import type { History } from './applied.ts';
import type { KeyIndex } from './key-index.ts';
import type { Log } from './log.ts';
import type { KeyValueBytes } from './requests.ts';
import { toStoreError } from './store-error.ts';
import type { Tail } from './tail.ts';
import type { Change, Position, Revision } from './types.ts';
import type { ValueReader } from './value-reader.ts';

/** The past as watchers see it: the log, but never beyond what is applied. */
export class LogHistory implements History {
  readonly #log: Log;
  readonly #index: KeyIndex;
  readonly #values: ValueReader;
  readonly #tail: Tail;
  readonly #horizon: () => Revision;
  readonly #confirm: (() => Promise<void>) | undefined;

  /** `confirm`: with a shared log, which others sweep: brings the horizon up to date. */
  constructor(
    log: Log,
    index: KeyIndex,
    values: ValueReader,
    tail: Tail,
    horizon: () => Revision,
    confirm: (() => Promise<void>) | undefined,
  ) {
    this.#log = log;
    this.#index = index;
    this.#values = values;
    this.#tail = tail;
    this.#horizon = horizon;
    this.#confirm = confirm;
  }

  get head(): Revision {
    return this.#tail.head;
  }

  get horizon(): Revision {
    return this.#horizon();
  }

  /** Rejects with StoreError. */
  async changes(after: Revision, bytesMax: number): Promise<readonly Change[]> {
    // Seen from here: what the log commits while it is read comes by the Tail.
    const { head } = this.#tail;
    if (after >= head) return NO_CHANGES;
    try {
      const changes = await this.#log.changes(after, bytesMax);
      // Had rows been swept from under the read, then by a horizon that is known after this.
      await this.#confirm?.();
      const last = changes[changes.length - 1];
      return last === undefined || last.revision <= head ? changes : changes.filter((one) => one.revision <= head);
    } catch (error) {
      throw toStoreError(error);
    }
  }

  /** Rejects with StoreError. */
  async previous(of: readonly Pick<Change, 'key' | 'revision'>[]): Promise<readonly (KeyValueBytes | undefined)[]> {
    const found: (KeyValueBytes | undefined)[] = new Array(of.length).fill(undefined);
    const positions: Position[] = [];
    const places: number[] = [];
    for (let i = 0; i < of.length; i += 1) {
      const at = of[i];
      const before = at === undefined ? undefined : this.#index.get(at.key)?.versionAt(at.revision - 1);
      if (before === undefined) continue;
      positions.push({ revision: before.revision, sub: before.sub });
      places.push(i);
    }
    if (positions.length === 0) return found;
    const messages = await this.#values.read(positions);
    for (let i = 0; i < places.length; i += 1) found[places[i] ?? 0] = messages[i];
    return found;
  }
}

const NO_CHANGES: readonly Change[] = [];
