import { SegmentIndex } from './segment-index.ts';
import type { Change, Key, Revision } from './types.ts';
import { ONE_KEY } from './types.ts';
import type { EventBatch, WatchEvent, WatchRequest } from './watch.ts';
import type { HubWatcher } from './watcher.ts';

/** Watchers of the same range and options. Whatever one of them gets live, all get, so it is built once. */
export class WatcherGroup {
  readonly id: string;
  readonly key: Key;
  readonly end: Key;
  readonly prevKv: boolean;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  /** How many watchers exist, live or not. */
  watchers = 0;
  /** Those who hear of applied batches: live ones, and those about to be (joining). */
  readonly members: HubWatcher[] = [];
  /** True while `members` is being walked: who leaves stays in the array until the walk is over. */
  walking = false;
  /** True when somebody left during the walk. */
  left = false;

  /** What has gathered for the members in the batch under way. */
  events: WatchEvent[] = [];
  eventBytes = 0;
  lastRevision: Revision = 0;
  /** True when something has gathered in the batch under way, or was cut off. */
  touched = false;
  /** Members have every event up to here; only meaningful while touched. */
  flushedRevision: Revision = 0;
  /** True when the batch under way holds a previous value that is not in memory. */
  blocked = false;

  constructor(id: string, request: WatchRequest) {
    this.id = id;
    this.key = request.key;
    this.end = request.end;
    this.prevKv = request.prevKv;
    this.noPut = request.noPut;
    this.noDelete = request.noDelete;
  }

  static idOf(request: WatchRequest): string {
    const options = (request.prevKv ? 1 : 0) + (request.noPut ? 2 : 0) + (request.noDelete ? 4 : 0);
    return `${options}${request.key.length}:${request.key}${request.end}`;
  }

  wants(change: Change): boolean {
    return change.kind === 'put' ? !this.noPut : !this.noDelete;
  }
}

/** Finds the groups whose range holds a key. The arrays it answers are never changed afterwards. */
export class WatcherGroupIndex {
  readonly #ofKey = new Map<Key, readonly WatcherGroup[]>();
  readonly #ofRange = new SegmentIndex<WatcherGroup>();
  #size = 0;
  #wantingPrevious = 0;

  get size(): number {
    return this.#size;
  }

  /** Groups that want previous values. */
  get wantingPrevious(): number {
    return this.#wantingPrevious;
  }

  add(group: WatcherGroup): void {
    this.#size += 1;
    if (group.prevKv) this.#wantingPrevious += 1;
    if (group.end === ONE_KEY) this.#ofKey.set(group.key, [...this.ofKey(group.key), group]);
    else this.#ofRange.add(group.key, group.end, group);
  }

  remove(group: WatcherGroup): void {
    this.#size -= 1;
    if (group.prevKv) this.#wantingPrevious -= 1;
    if (group.end !== ONE_KEY) {
      this.#ofRange.remove(group.key, group.end, group);
      return;
    }
    const rest = this.ofKey(group.key).filter((other) => other !== group);
    if (rest.length === 0) this.#ofKey.delete(group.key);
    else this.#ofKey.set(group.key, rest);
  }

  /** Groups of exactly this key. */
  ofKey(key: Key): readonly WatcherGroup[] {
    return this.#ofKey.get(key) ?? NO_GROUPS;
  }

  /** Groups of a range that holds the key. */
  ofRange(key: Key): readonly WatcherGroup[] {
    return this.#ofRange.find(key);
  }
}

const NO_GROUPS: readonly WatcherGroup[] = [];

/** The only kind of EventBatch there is. */
export class GroupBatch implements EventBatch {
  readonly revision: Revision;
  readonly events: readonly WatchEvent[];
  /** What the events weigh: their keys and values. */
  readonly bytes: number;
  wireForm: Uint8Array | undefined = undefined;

  constructor(revision: Revision, events: readonly WatchEvent[], bytes: number) {
    this.revision = revision;
    this.events = events;
    this.bytes = bytes;
  }
}

/** What an event weighs for limits, in bytes. */
export function eventBytes(event: WatchEvent): number {
  return 16 + event.kv.length + (event.prevKv === undefined ? 0 : event.prevKv.length);
}
