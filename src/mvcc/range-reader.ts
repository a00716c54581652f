import { KeyEntry } from './key-entry.ts';
import type { KeyVersion } from './key-history.ts';
import type { KeyIndex } from './key-index.ts';
import type { MessageShortcut } from './message-shortcut.ts';
import { keyOnlyMessage } from './messages.ts';
import { revisionToRead, type Selection, select, sortByValue, sortsByValue } from './range.ts';
import { type KeyValueBytes, type RangeRequest, type RangeResult, StoreError } from './requests.ts';
import type { StoreStats } from './store-stats.ts';
import type { Tail } from './tail.ts';
import { ONE_KEY, type Position, type Revision } from './types.ts';
import { NOWHERE, type ValueCache } from './value-cache.ts';
import type { ValueReader } from './value-reader.ts';

/**
 * Answers ranges at the applied head or before. At once, with views into the cache, when the cache has all; else the
 * lacking messages are read from the log, and the answer's bytes are its own.
 *
 * Header and contents belong to one revision, because the versions are chosen in one step; what is read afterwards are
 * these versions' bytes, which never change. The Compactor waits for reads that began before it (ValueReader.drained).
 */
export class RangeReader {
  readonly #index: KeyIndex;
  readonly #cache: ValueCache;
  readonly #shortcut: MessageShortcut;
  readonly #values: ValueReader;
  readonly #tail: Tail;
  readonly #stats: StoreStats;
  readonly #horizon: () => Revision;
  readonly #confirm: (() => Promise<void>) | undefined;

  constructor({ index, cache, shortcut, values, tail, stats, horizon, confirm }: RangeReaderParts) {
    this.#index = index;
    this.#cache = cache;
    this.#shortcut = shortcut;
    this.#values = values;
    this.#tail = tail;
    this.#stats = stats;
    this.#horizon = horizon;
    this.#confirm = confirm;
  }

  /** Throws or rejects with StoreError. */
  range(request: RangeRequest): RangeResult | Promise<RangeResult> {
    this.#stats.ranges.value += 1;
    const { head } = this.#tail;
    const revision = revisionToRead(request.revision, head, this.#horizon());
    if (request.end === ONE_KEY && revision === head && isPlain(request)) {
      const found = this.#shortcut.get(request.key);
      if (found !== undefined) {
        this.#cache.stats.hits.value += 1;
        return new Answer(head, 1, false, [found]);
      }
      const entry = this.#index.get(request.key);
      if (entry === undefined || entry.version === 0) return new Answer(head, 0, false, NO_MESSAGES);
      const message = this.#peek(entry);
      if (message !== undefined) {
        this.#shortcut.found(entry.hash, entry.address, entry.length);
        return new Answer(head, 1, false, [message]);
      }
    }
    const selection = select(this.#index, request, revision);
    const { count } = selection;
    if (sortsByValue(request)) return this.#sortedByValue(request, selection, head);
    const { versions } = selection;
    if (request.keysOnly) return new Answer(head, count, selection.more, versions.map(keyOnlyMessage));
    const messages = this.#messages(versions);
    if (Array.isArray(messages)) return new Answer(head, count, selection.more, messages);
    return messages.then((read) => new Answer(head, count, selection.more, read));
  }

  expect(gets: readonly RangeRequest[], count: number): void {
    this.#shortcut.expect(gets, count);
  }

  #sortedByValue(request: RangeRequest, selection: Selection, head: Revision): RangeResult | Promise<RangeResult> {
    const { count } = selection;
    // Sorting needs the versions afterwards; entries may move on while values are read.
    selection.versions = selection.versions.map(frozen);
    const finish = (messages: readonly KeyValueBytes[]): RangeResult => {
      const sorted = sortByValue(selection, messages, request);
      const kvs = request.keysOnly ? selection.versions.map(keyOnlyMessage) : sorted;
      return new Answer(head, count, selection.more, kvs);
    };
    const messages = this.#messages(selection.versions);
    return Array.isArray(messages) ? finish(messages) : messages.then(finish);
  }

  #peek(version: KeyVersion): KeyValueBytes | undefined {
    if (!(version instanceof KeyEntry)) {
      // A version that was newest a moment ago; or an older one, which the cache does not know.
      const entry = this.#index.get(version.key);
      if (entry?.revision !== version.revision || entry.sub !== version.sub) return undefined;
      return this.#peek(entry);
    }
    const { address } = version;
    const message = this.#cache.view(address, version.length);
    if (message === undefined) {
      const pinned = this.#cache.pinned?.get(version);
      if (pinned === undefined) this.#cache.stats.misses.value += 1;
      return pinned;
    }
    this.#cache.stats.hits.value += 1;
    if (this.#cache.isOld(address)) this.#tail.noteOldHit(version);
    return message;
  }

  /** The versions' messages: views when all are in the cache. */
  #messages(versions: readonly KeyVersion[]): KeyValueBytes[] | Promise<KeyValueBytes[]> {
    const messages: KeyValueBytes[] = [];
    for (const version of versions) {
      const message = this.#peek(version);
      if (message === undefined) return this.#readRest(versions, messages);
      messages.push(message);
    }
    return messages;
  }

  /** As above from the first message that is not in the cache on. */
  async #readRest(versions: readonly KeyVersion[], messages: KeyValueBytes[]): Promise<KeyValueBytes[]> {
    // No view survives the wait.
    for (let i = 0; i < messages.length; i += 1) {
      const view = messages[i];
      if (view !== undefined) messages[i] = view.slice();
    }
    const missing: (Position & { readonly key: string; readonly place: number })[] = [];
    for (let i = messages.length; i < versions.length; i += 1) {
      const version = versions[i];
      if (version === undefined) continue;
      const message = this.#peek(version);
      messages.push(message?.slice() ?? NOT_YET);
      if (message === undefined) {
        missing.push({ revision: version.revision, sub: version.sub, key: version.key, place: i });
      }
    }
    const read = await this.#values.read(missing);
    for (let i = 0; i < missing.length; i += 1) {
      const at = missing[i];
      const message = read[i];
      if (at === undefined) continue;
      if (message === undefined) {
        await this.#confirm?.();
        if (at.revision < this.#horizon()) throw new StoreError('compacted');
        throw new StoreError('corrupt', `the log has no row at revision ${at.revision}, sub ${at.sub}`);
      }
      messages[at.place] = message;
      if (missing.length <= KEEP_ROWS_MAX) this.#keep(at, message);
    }
    return messages;
  }

  #keep(at: Position & { readonly key: string }, message: KeyValueBytes): void {
    const entry = this.#index.get(at.key);
    if (entry === undefined || entry.revision !== at.revision || entry.sub !== at.sub) return;
    if (this.#cache.holds(entry.address)) return;
    const address = this.#cache.append(message);
    if (address !== NOWHERE) this.#shortcut.moved(entry.hash, entry.address, address, entry.length);
    entry.address = address;
  }
}

/** What the RangeReader works with. */
export interface RangeReaderParts {
  readonly index: KeyIndex;
  readonly cache: ValueCache;
  readonly shortcut: MessageShortcut;
  readonly values: ValueReader;
  readonly tail: Tail;
  readonly stats: StoreStats;
  readonly horizon: () => Revision;
  /** With a shared log, which others sweep: brings the horizon up to date. */
  readonly confirm: (() => Promise<void>) | undefined;
}

/** A read of more than this many rows is a walk through the store; keeping it would push out what is in use. */
const KEEP_ROWS_MAX = 1000;
const NO_MESSAGES: readonly KeyValueBytes[] = [];
const NOT_YET: KeyValueBytes = new Uint8Array(0);

/** One shape for all answers. */
class Answer implements RangeResult {
  readonly kind = 'range';
  readonly revision: Revision;
  readonly count: number;
  readonly more: boolean;
  readonly kvs: readonly KeyValueBytes[];

  constructor(revision: Revision, count: number, more: boolean, kvs: readonly KeyValueBytes[]) {
    this.revision = revision;
    this.count = count;
    this.more = more;
    this.kvs = kvs;
  }
}

/** Nothing but a key. */
function isPlain(request: RangeRequest): boolean {
  return (
    !request.keysOnly &&
    !request.countOnly &&
    request.minModRevision === 0 &&
    request.maxModRevision === 0 &&
    request.minCreateRevision === 0 &&
    request.maxCreateRevision === 0
  );
}

function frozen(version: KeyVersion): KeyVersion {
  if (!(version instanceof KeyEntry)) return version;
  const { key, revision, sub, createRevision, lease } = version;
  return { key, revision, sub, createRevision, version: version.version, lease };
}
