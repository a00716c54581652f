import { type History, replaces } from './applied.ts';
import { encodeChange } from './key-value.ts';
import type { KeyValueBytes } from './requests.ts';
import type { Change, Revision } from './types.ts';
import type { WatchEvent } from './watch.ts';
import type { HubWatcher } from './watcher.ts';
import { eventBytes, GroupBatch, type WatcherGroup, WatcherGroupIndex } from './watcher-group.ts';

/** How many previous values are asked for at first; later as many as fit, going by what came so far. */
const PREVIOUS_ASKED_FIRST = 32;
const PREVIOUS_ASKED_MAX = 1024;

export interface GatherOptions {
  /** A limit for the previous values too. */
  readonly readBytesMax: number;
}

interface GroupEvents {
  readonly events: WatchEvent[];
  /** revisions[i] is that of events[i]. */
  readonly revisions: Revision[];
  /** The batch made last and what it holds: watchers of a group mostly ask for the same. */
  batch: GroupBatch | undefined;
  batchStart: number;
  batchEnd: number;
}

/** What one piece of the log holds for some watchers, group by group. */
export class CaughtUpEvents {
  /** The piece ends with this revision. */
  readonly until: Revision;
  readonly #ofGroup: ReadonlyMap<WatcherGroup, GroupEvents>;

  private constructor(until: Revision, ofGroup: ReadonlyMap<WatcherGroup, GroupEvents>) {
    this.until = until;
    this.#ofGroup = ofGroup;
  }

  /** `until` comes out lower when previous values weigh too much; never in the middle of a revision. */
  static async gather(
    watchers: readonly HubWatcher[],
    changes: readonly Change[],
    until: Revision,
    history: History,
    options: GatherOptions,
  ): Promise<CaughtUpEvents> {
    const index = new WatcherGroupIndex();
    const ofGroup = new Map<WatcherGroup, GroupEvents>();
    for (const { group } of watchers) {
      if (ofGroup.has(group)) continue;
      ofGroup.set(group, { events: [], revisions: [], batch: undefined, batchStart: -1, batchEnd: -1 });
      index.add(group);
    }
    const previous =
      index.wantingPrevious === 0 ? undefined : await readPrevious(index, changes, until, history, options);
    const end = previous?.until ?? until;
    for (const change of changes) {
      if (change.revision > end) break;
      let plain: WatchEvent | undefined;
      let full: WatchEvent | undefined;
      for (const groups of [index.ofKey(change.key), index.ofRange(change.key)]) {
        for (const group of groups) {
          if (!group.wants(change)) continue;
          plain ??= { kind: change.kind, kv: encodeChange(change), prevKv: undefined };
          if (group.prevKv) full ??= { kind: plain.kind, kv: plain.kv, prevKv: previous?.ofChange.get(change) };
          const gathered = ofGroup.get(group);
          gathered?.events.push(group.prevKv && full !== undefined ? full : plain);
          gathered?.revisions.push(change.revision);
        }
      }
    }
    return new CaughtUpEvents(end, ofGroup);
  }

  /** The group's events with after < revision <= until; undefined when there are none. Its revision is `until`. */
  batch(group: WatcherGroup, after: Revision, until: Revision): GroupBatch | undefined {
    const gathered = this.#ofGroup.get(group);
    if (gathered === undefined) return undefined;
    const start = firstBeyond(gathered.revisions, after);
    const end = firstBeyond(gathered.revisions, until);
    if (start === end) return undefined;
    const { batch } = gathered;
    if (batch !== undefined && batch.revision === until && gathered.batchStart === start && gathered.batchEnd === end) {
      return batch;
    }
    const events = gathered.events.slice(start, end);
    let bytes = 0;
    for (const event of events) bytes += eventBytes(event);
    gathered.batch = new GroupBatch(until, events, bytes);
    gathered.batchStart = start;
    gathered.batchEnd = end;
    return gathered.batch;
  }
}

interface PreviousValues {
  readonly until: Revision;
  readonly ofChange: ReadonlyMap<Change, KeyValueBytes>;
}

/** Reads the previous values that somebody wants, in portions, until the limit is reached. */
async function readPrevious(
  index: WatcherGroupIndex,
  changes: readonly Change[],
  until: Revision,
  history: History,
  options: GatherOptions,
): Promise<PreviousValues> {
  const wanted = changes.filter((change) => replaces(change) && wantsPrevious(index, change));
  const ofChange = new Map<Change, KeyValueBytes>();
  let bytes = 0;
  let asked = 0;
  let portion = PREVIOUS_ASKED_FIRST;
  while (asked < wanted.length) {
    const some = wanted.slice(asked, asked + portion);
    asked += some.length;
    const found = await history.previous(some);
    for (let i = 0; i < some.length; i += 1) {
      const change = some[i];
      const kv = found[i];
      if (change === undefined || kv === undefined) continue;
      ofChange.set(change, kv);
      bytes += kv.length;
    }
    const next = wanted[asked];
    const first = changes[0];
    // Every revision before the next one's is complete; at least one has to be.
    if (bytes >= options.readBytesMax && next !== undefined && first !== undefined && first.revision < next.revision) {
      return { until: next.revision - 1, ofChange };
    }
    const fitting = Math.floor((options.readBytesMax * asked) / Math.max(bytes, 1)) - asked;
    portion = Math.min(Math.max(fitting, PREVIOUS_ASKED_FIRST), PREVIOUS_ASKED_MAX);
  }
  return { until, ofChange };
}

function wantsPrevious(index: WatcherGroupIndex, change: Change): boolean {
  for (const groups of [index.ofKey(change.key), index.ofRange(change.key)]) {
    for (const group of groups) if (group.prevKv && group.wants(change)) return true;
  }
  return false;
}

/** The first index whose revision is greater. */
function firstBeyond(revisions: readonly Revision[], revision: Revision): number {
  let low = 0;
  let high = revisions.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((revisions[middle] ?? 0) <= revision) low = middle + 1;
    else high = middle;
  }
  return low;
}
