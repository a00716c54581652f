import { KeyEntry } from './key-entry.ts';
import type { KeyVersion } from './key-history.ts';
import { encodeChange, encodeKeyValue } from './key-value.ts';
import type { KeyValueBytes } from './requests.ts';
import type { Change, Position } from './types.ts';
import type { ValueCache } from './value-cache.ts';

/** A message that an answer lacks until it has been read from the log. */
export interface MissingMessage {
  readonly at: Position;
  /** Puts it where it belongs in the answer. */
  readonly fill: (message: KeyValueBytes) => void;
}

/**
 * Where decide gets KeyValue messages from, without waiting: the draft's own changes, the ValueCache, and what was
 * loaded for this batch beforehand. What none of them has is noted down as missing, and read after the commit.
 */
export class Messages {
  /** Of the request being decided. */
  missing: MissingMessage[] = [];
  readonly #cache: ValueCache;
  readonly #loaded: ReadonlyMap<string, KeyValueBytes>;

  constructor(cache: ValueCache, loaded: ReadonlyMap<string, KeyValueBytes> = new Map()) {
    this.#cache = cache;
    this.#loaded = loaded;
  }

  /** The message of a version: a view. undefined: not in memory. */
  peek(version: KeyVersion): KeyValueBytes | undefined {
    if (isChange(version)) return encodeChange(version);
    if (version instanceof KeyEntry) {
      const view = this.#cache.view(version.address, version.length);
      if (view !== undefined) return view;
      const pinned = this.#cache.pinned?.get(version);
      if (pinned !== undefined) return pinned;
    }
    return this.#loaded.size === 0 ? undefined : this.#loaded.get(placeOf(version));
  }

  /** The same in bytes of its own, handed to `fill`, now or after the commit. */
  give(version: KeyVersion, fill: (message: KeyValueBytes) => void): void {
    const message = this.peek(version);
    if (message === undefined) this.missing.push({ at: { revision: version.revision, sub: version.sub }, fill });
    else fill(isChange(version) ? message : message.slice());
  }

  /** The message without its value: never missing. */
  keyOnly(version: KeyVersion): KeyValueBytes {
    return keyOnlyMessage(version);
  }
}

/** A version's message with the value left out. */
export function keyOnlyMessage(version: KeyVersion): KeyValueBytes {
  const { key, createRevision, revision, lease } = version;
  return encodeKeyValue(key, createRevision, revision, version.version, NO_VALUE, lease);
}

/** A position as a Map's key. */
export function placeOf(at: Position): string {
  return `${at.revision}.${at.sub}`;
}

const NO_VALUE = new Uint8Array(0);

function isChange(version: KeyVersion): version is Change {
  return 'value' in version;
}
