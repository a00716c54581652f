import { Counter, Gauge } from '../base/metrics.ts';
import type { KeyVersion } from './key-history.ts';
import type { KeyIndex } from './key-index.ts';
import { encodeChange } from './key-value.ts';
import type { KeyValueBytes } from './requests.ts';
import { type Change, type Key, TO_THE_LAST_KEY } from './types.ts';
import type { ValueReader } from './value-reader.ts';

/**
 * Values that stay in memory for good: the newest of each key of some prefixes (--pin-prefix), beside the ValueCache,
 * which what is read and written elsewhere pushes around. What is asked of them first is only what the cache has not.
 */
export class PinnedValues {
  readonly stats: PinnedValuesStats;
  readonly #prefixes: readonly Key[];
  readonly #values = new Map<Key, Pinned>();

  constructor(prefixes: readonly Key[], stats = new PinnedValuesStats()) {
    this.#prefixes = prefixes;
    this.stats = stats;
    stats.keys.value = 0;
    stats.bytes.value = 0;
  }

  /** Reads what is there at start. Rejects with StoreError. */
  async load(index: KeyIndex, values: ValueReader): Promise<void> {
    for (const prefix of this.#prefixes) {
      const end = endOf(prefix);
      for (let from = prefix, more = true; more; ) {
        const versions = index.versionsIn(from, end, Number.MAX_SAFE_INTEGER, PAGE_KEYS);
        const places = versions.map(({ key, revision, sub }) => ({ key, revision, sub }));
        const messages = await values.read(places);
        for (const [i, message] of messages.entries()) {
          const place = places[i];
          if (message !== undefined && place !== undefined) this.#keep(place.key, place.revision, place.sub, message);
        }
        more = versions.length === PAGE_KEYS;
        from = `${places.at(-1)?.key ?? ''}\0`;
      }
    }
  }

  /** A change has been applied. */
  note(change: Change): void {
    const { key, revision, sub } = change;
    if (!this.#prefixes.some((prefix) => key.startsWith(prefix))) return;
    if (change.kind === 'put') this.#keep(key, revision, sub, encodeChange(change));
    else this.#drop(key);
  }

  /** The message of exactly this version. */
  get({ key, revision, sub }: Pick<KeyVersion, 'key' | 'revision' | 'sub'>): KeyValueBytes | undefined {
    const pinned = this.#values.get(key);
    if (pinned?.revision !== revision || pinned.sub !== sub) return undefined;
    this.stats.hits.value += 1;
    return pinned.message;
  }

  #keep(key: Key, revision: number, sub: number, message: KeyValueBytes): void {
    this.#drop(key);
    this.#values.set(key, { revision, sub, message });
    this.stats.bytes.value += message.length;
    this.stats.keys.value = this.#values.size;
  }

  #drop(key: Key): void {
    const before = this.#values.get(key);
    if (before === undefined) return;
    this.#values.delete(key);
    this.stats.bytes.value -= before.message.length;
    this.stats.keys.value = this.#values.size;
  }
}

const PAGE_KEYS = 1000;

/** Undefined without prefixes. */
export function pinnedValues(prefixes: readonly Key[] = [], stats?: PinnedValuesStats): PinnedValues | undefined {
  return prefixes.length === 0 ? undefined : new PinnedValues(prefixes, stats);
}

interface Pinned {
  readonly revision: number;
  readonly sub: number;
  readonly message: KeyValueBytes;
}

/** The end of the range of all keys that begin so. */
function endOf(prefix: Key): Key {
  for (let i = prefix.length - 1; i >= 0; i -= 1) {
    const last = prefix.charCodeAt(i);
    if (last < 0xff) return prefix.slice(0, i) + String.fromCharCode(last + 1);
  }
  return TO_THE_LAST_KEY;
}

export class PinnedValuesStats {
  readonly keys = new Gauge();
  readonly bytes = new Gauge();
  /** Reads that the cache could not answer and these could. */
  readonly hits = new Counter();
}
