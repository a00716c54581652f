import { Writer } from '../base/protobuf.ts';
import type { AppliedBatch } from './applied.ts';
import type { Change, Revision } from './types.ts';
import type { WatchEvent, WatchRequest } from './watch.ts';
import type { WatchHubStats } from './watch-hub-stats.ts';
import type { HubWatcher } from './watcher.ts';
import { eventBytes, GroupBatch, WatcherGroup, WatcherGroupIndex } from './watcher-group.ts';

/** What the fan-out asks of the hub. */
export interface FanoutHost {
  /** The watcher's sink has no room: it misses what comes after `position`. */
  setAside(watcher: HubWatcher, position: Revision): void;
  /** The watcher cannot be served from memory after `position`. */
  catchUp(watcher: HubWatcher, position: Revision): void;
}

export interface FanoutOptions {
  /** A batch is cut at the end of the revision in which it reaches this. */
  readonly batchBytesMax: number;
  /** What a joining watcher may have waiting; beyond that it goes on reading the log instead. */
  readonly pendingBytesMax: number;
}

/**
 * Feeds live watchers from applied batches: for each change the groups whose range holds its key, for each group one
 * EventBatch, for each member one call. The cost of a delivery is that call.
 */
export class WatcherFanout {
  readonly #host: FanoutHost;
  readonly #options: FanoutOptions;
  readonly #stats: WatchHubStats;
  readonly #groups = new Map<string, WatcherGroup>();
  readonly #live = new WatcherGroupIndex();
  readonly #touched: WatcherGroup[] = [];
  /** The present change's event with and without its previous value, once built. */
  #plain: WatchEvent | undefined;
  #full: WatchEvent | undefined;

  constructor(host: FanoutHost, options: FanoutOptions, stats: WatchHubStats) {
    this.#host = host;
    this.#options = options;
    this.#stats = stats;
  }

  get wantsPrevious(): boolean {
    return this.#live.wantingPrevious > 0;
  }

  /** The group for a new watcher. To be released when the watcher is over. */
  groupFor(request: WatchRequest): WatcherGroup {
    const id = WatcherGroup.idOf(request);
    let group = this.#groups.get(id);
    if (group === undefined) {
      group = new WatcherGroup(id, request);
      this.#groups.set(id, group);
    }
    group.watchers += 1;
    return group;
  }

  release(group: WatcherGroup): void {
    group.watchers -= 1;
    if (group.watchers === 0) this.#groups.delete(group.id);
  }

  /** From the next batch on the watcher hears of its group's events. */
  join(watcher: HubWatcher): void {
    const { group } = watcher;
    if (watcher.memberIndex !== -1) return;
    if (group.members.length === 0) this.#live.add(group);
    watcher.memberIndex = group.members.length;
    group.members.push(watcher);
  }

  /** The opposite; allowed at any moment. */
  leave(watcher: HubWatcher): void {
    const { group, memberIndex } = watcher;
    if (memberIndex === -1) return;
    watcher.memberIndex = -1;
    if (group.walking) {
      group.left = true;
      return;
    }
    const last = group.members.pop();
    if (last !== undefined && last !== watcher) {
      group.members[memberIndex] = last;
      last.memberIndex = memberIndex;
    }
    if (group.members.length === 0) this.#live.remove(group);
  }

  /** `before` is the head before the batch. */
  distribute(batch: AppliedBatch, before: Revision): void {
    if (this.#live.size === 0) return;
    const { changes } = batch;
    for (let i = 0; i < changes.length; i += 1) {
      const change = changes[i];
      if (change === undefined) continue;
      const ofKey = this.#live.ofKey(change.key);
      const ofRange = this.#live.ofRange(change.key);
      if (ofKey.length === 0 && ofRange.length === 0) continue;
      this.#plain = undefined;
      this.#full = undefined;
      for (const group of ofKey) this.#gather(group, batch, i, change, before);
      for (const group of ofRange) this.#gather(group, batch, i, change, before);
    }
    for (const group of this.#touched) this.#finish(group);
    this.#touched.length = 0;
    this.#plain = undefined;
    this.#full = undefined;
  }

  #gather(group: WatcherGroup, batch: AppliedBatch, i: number, change: Change, before: Revision): void {
    if (group.blocked || !group.wants(change)) return;
    if (!group.touched) {
      group.touched = true;
      group.flushedRevision = before;
      this.#touched.push(group);
    }
    if (group.eventBytes >= this.#options.batchBytesMax && change.revision !== group.lastRevision) this.#flush(group);
    const event = group.prevKv ? this.#fullEvent(batch, i, change) : this.#plainEvent(batch, i, change);
    if (event === undefined) {
      group.blocked = true;
      return;
    }
    group.events.push(event);
    group.eventBytes += eventBytes(event);
    group.lastRevision = change.revision;
  }

  #plainEvent(batch: AppliedBatch, i: number, change: Change): WatchEvent {
    this.#plain ??= { kind: change.kind, kv: copyOf(batch.kv(i)), prevKv: undefined };
    return this.#plain;
  }

  /** undefined: the previous value is not in memory. */
  #fullEvent(batch: AppliedBatch, i: number, change: Change): WatchEvent | undefined {
    if (this.#full !== undefined) return this.#full;
    const plain = this.#plainEvent(batch, i, change);
    const previous = batch.previous(i);
    if (previous === 'elsewhere') return undefined;
    this.#full = { kind: plain.kind, kv: plain.kv, prevKv: previous === undefined ? undefined : copyOf(previous) };
    return this.#full;
  }

  #finish(group: WatcherGroup): void {
    if (group.blocked) {
      group.events = [];
      group.eventBytes = 0;
      group.walking = true;
      for (const watcher of group.members) {
        if (watcher.state === 'live') this.#host.catchUp(watcher, group.flushedRevision);
        else if (watcher.joinRevision !== 0) this.#host.catchUp(watcher, watcher.position);
      }
      this.#endWalk(group);
    } else if (group.events.length > 0) {
      this.#flush(group);
    }
    group.touched = false;
    group.blocked = false;
  }

  #flush(group: WatcherGroup): void {
    const batch = new GroupBatch(group.lastRevision, group.events, group.eventBytes);
    group.events = [];
    group.eventBytes = 0;
    this.#deliver(group, batch);
    group.flushedRevision = batch.revision;
  }

  #deliver(group: WatcherGroup, batch: GroupBatch): void {
    let delivered = 0;
    group.walking = true;
    const { members } = group;
    for (let i = 0; i < members.length; i += 1) {
      const watcher = members[i];
      if (watcher === undefined) continue;
      if (watcher.state === 'live') {
        if (watcher.lane.full) {
          this.#host.setAside(watcher, group.flushedRevision);
        } else {
          delivered += 1;
          if (!watcher.sink.onEvents(watcher, batch)) watcher.lane.full = true;
        }
      } else if (watcher.joinRevision !== 0) {
        this.#hold(watcher, batch);
      }
    }
    this.#endWalk(group);
    this.#stats.events.value += delivered * batch.events.length;
  }

  #hold(watcher: HubWatcher, batch: GroupBatch): void {
    if (watcher.pendingBytes + batch.bytes > this.#options.pendingBytesMax) {
      this.#host.catchUp(watcher, watcher.position);
      return;
    }
    watcher.pending.push(batch);
    watcher.pendingBytes += batch.bytes;
    this.#stats.pendingEvents.value += batch.events.length;
  }

  #endWalk(group: WatcherGroup): void {
    group.walking = false;
    if (!group.left) return;
    group.left = false;
    const { members } = group;
    let kept = 0;
    for (const watcher of members) {
      if (watcher.memberIndex === -1) continue;
      members[kept] = watcher;
      watcher.memberIndex = kept;
      kept += 1;
    }
    members.length = kept;
    if (kept === 0) this.#live.remove(group);
  }
}

/** Larger ones get a buffer of their own. */
const SLAB_BYTES = 32 * 1024;
const slab = new Writer(SLAB_BYTES);

/** The applied batch's bytes are valid during the call only. */
function copyOf(bytes: Uint8Array): Uint8Array {
  if (bytes.length > SLAB_BYTES / 4) return Uint8Array.prototype.slice.call(bytes);
  slab.raw(bytes);
  return slab.take();
}
