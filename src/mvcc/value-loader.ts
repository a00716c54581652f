import type { KeyIndex } from './key-index.ts';
import { Messages, type MissingMessage, placeOf } from './messages.ts';
import { type KeyValueBytes, StoreError, type WriteRequest } from './requests.ts';
import type { Tail } from './tail.ts';
import type { Position, Revision } from './types.ts';
import type { ValueCache } from './value-cache.ts';
import type { ValueReader } from './value-reader.ts';
import { versionsToLoad } from './versions-to-load.ts';

/** Brings values into memory before decisions that rest on them, and into answers after decisions that lacked them. */
export class ValueLoader {
  readonly #index: KeyIndex;
  readonly #cache: ValueCache;
  readonly #values: ValueReader;
  readonly #tail: Tail;
  readonly #horizon: () => Revision;
  readonly #confirm: (() => Promise<void>) | undefined;

  /** `confirm`: with a shared log, which others write to and sweep: brings index and horizon up to date. */
  constructor(
    index: KeyIndex,
    cache: ValueCache,
    values: ValueReader,
    tail: Tail,
    horizon: () => Revision,
    confirm: (() => Promise<void>) | undefined,
  ) {
    this.#index = index;
    this.#cache = cache;
    this.#values = values;
    this.#tail = tail;
    this.#horizon = horizon;
    this.#confirm = confirm;
  }

  /** What the decisions rest on and the cache has not. A Map at once when there is nothing to read. */
  load(batch: readonly { readonly request: WriteRequest }[]): LoadedMessages | Promise<LoadedMessages> {
    const wanted = this.#notInMemory(batch, NOTHING_LOADED);
    return wanted.length === 0 ? NOTHING_LOADED : this.#read(batch, wanted);
  }

  /** Reads what answers lack. Rejects with StoreError. */
  async fill(missing: readonly MissingMessage[]): Promise<void> {
    const messages = await this.#values.read(missing.map((one) => one.at));
    for (let i = 0; i < missing.length; i += 1) {
      const message = messages[i];
      if (message === undefined) throw new StoreError('compacted', 'a value was compacted before it could be read');
      missing[i]?.fill(message);
    }
  }

  /** Until nothing is missing: while reading, the cache may have lost others. */
  async #read(batch: readonly { readonly request: WriteRequest }[], wanted: Position[]): Promise<LoadedMessages> {
    const loaded = new Map<string, KeyValueBytes>();
    while (wanted.length > 0) {
      const messages = await this.#values.read(wanted);
      for (let i = 0; i < wanted.length; i += 1) {
        const at = wanted[i];
        const message = messages[i];
        if (at === undefined) continue;
        if (message === undefined) {
          await this.#confirm?.();
          if (!this.#notInMemory(batch, loaded).some((still) => placeOf(still) === placeOf(at))) continue;
          throw new StoreError('corrupt', `the log has no row at revision ${at.revision}, sub ${at.sub}`);
        }
        loaded.set(placeOf(at), message);
      }
      wanted = this.#notInMemory(batch, loaded);
    }
    return loaded;
  }

  #notInMemory(batch: readonly { readonly request: WriteRequest }[], loaded: LoadedMessages): Position[] {
    const wanted: Position[] = [];
    let messages: Messages | undefined;
    for (const { request } of batch) {
      const versions = versionsToLoad(this.#index, this.#tail.head, this.#horizon(), request);
      if (versions.length === 0) continue;
      messages ??= new Messages(this.#cache, loaded);
      for (const version of versions) {
        if (messages.peek(version) === undefined) wanted.push({ revision: version.revision, sub: version.sub });
      }
    }
    return wanted;
  }
}

export type LoadedMessages = Map<string, KeyValueBytes>;

const NOTHING_LOADED: LoadedMessages = new Map();
