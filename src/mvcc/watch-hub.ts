import { invariant } from '../base/invariant.ts';
import type { AppliedBatch, AppliedListener, History } from './applied.ts';
import type { Revision } from './types.ts';
import type { Watcher, WatchRequest, WatchSink } from './watch.ts';
import { WatchHubStats } from './watch-hub-stats.ts';
import { HubWatcher, SinkLane, type WatcherHost } from './watcher.ts';
import { WatcherCatchUp } from './watcher-catch-up.ts';
import { WatcherFanout } from './watcher-fanout.ts';

/**
 * The WatchHub: every watcher gets every event of its range from its start revision on, each once, in log order, and
 * nobody waits for anybody.
 *
 *                    ┌─────────────── WatcherFanout ───────────────┐
 *   Tail ─onApplied─▶│ key ─▶ groups ─▶ one EventBatch ─▶ members  │─▶ live watchers' sinks
 *                    └───────────────────────┬─────────────────────┘
 *                      sink is full, or the  │        ▲ nothing left to read
 *                      previous value is     ▼        │
 *                      not in memory      ┌─────── WatcherCatchUp ──────┐
 *   History.changes ─────────────────────▶│ a piece of the log ─▶ those │─▶ sinks of watchers behind
 *                                         │ who wait near it            │
 *                                         └─────────────────────────────┘
 *
 * Why no event is lost or doubled. Write H for `head`: the revision up to which the fan-out has distributed. It changes
 * in onApplied only, from one boundary of an applied batch to the next, and everything below that is called "a step"
 * runs without interruption (no await in it).
 *
 *  1. A live watcher has had everything up to H. True when it becomes live (2, 3); each onApplied hands its group's
 *     events in (H, H'] to it and sets H to H'. When the batch cannot be handed to it, it stops being live in the same
 *     step with `position` = the last revision that was handed over or lies before the batch.
 *  2. A watcher whose start revision is H+1 (or "now") is live from the step that makes it. One further in the future
 *     waits until H reaches its start revision: before that there is nothing for it.
 *  3. A watcher behind has had everything up to `position`, and nothing beyond. A pass reads changes in (from, until]
 *     with from <= position, so each one in (position, until] is in the piece (or was superseded and swept: then the
 *     horizon is beyond position+1 and the watcher ends as compacted; that is checked after the read, in the step that
 *     delivers). Delivering them and setting position is one step. So positions never skip or repeat a revision.
 *  4. To become live it must reach H, which runs away while the log is being read. So a watcher near the head begins to
 *     *join*: in one step it notes J = H and becomes a member of its group, whose later batches, all beyond J because
 *     H is a batch boundary, are held for it in `pending`. From the log it takes only what is in (position, J]. When
 *     position is J, one step delivers `pending` and makes it live: it then has had (…, J] from the log and (J, H] from
 *     memory. If `pending` grows too big or misses an event (a previous value that is not in memory), the watcher
 *     stops joining, drops it, and goes on from `position`, which has not moved.
 *
 * Memory: a piece of the log per read and a limited number of reads; `pending` within a limit per watcher, its batches
 * shared with the live members; nothing at all for a watcher whose sink is full.
 */
export class WatchHub implements AppliedListener {
  readonly stats: WatchHubStats;
  readonly #history: History;
  readonly #fanout: WatcherFanout;
  readonly #catchUp: WatcherCatchUp;
  readonly #host: WatcherHost;
  readonly #lanes = new WeakMap<WatchSink, SinkLane>();
  readonly #watchers = new Set<HubWatcher>();
  /** Watchers whose start revision is beyond H+1, the farthest first. */
  readonly #future: HubWatcher[] = [];
  /** undefined until the first batch: what was there at start is nobody's news. */
  #head: Revision | undefined;
  #applying = false;
  #stopped = false;

  constructor(history: History, options: WatchHubOptions = {}, stats = new WatchHubStats()) {
    this.stats = stats;
    const hub = this;
    const host = {
      get head() {
        return hub.head;
      },
      resume: (lane: SinkLane) => this.#resume(lane),
      cancel: (watcher: HubWatcher) => this.#end(watcher),
      catchUp: (watcher: HubWatcher, position: Revision) => this.#fallBehind(watcher, position),
      setAside: (watcher: HubWatcher, position: Revision) => this.#setAside(watcher, position),
      startJoining: (watcher: HubWatcher) => this.#startJoining(watcher),
      becomeLive: (watcher: HubWatcher) => this.#becomeLive(watcher),
      endCompacted: (watcher: HubWatcher, horizon: Revision) => this.#endCompacted(watcher, horizon),
      endFailed: (watcher: HubWatcher, error: Error) => this.#endFailed(watcher, error),
    };
    this.#history = history;
    this.#host = host;
    const all = { ...WATCH_HUB_DEFAULTS, ...options };
    this.#fanout = new WatcherFanout(host, all, this.stats);
    this.#catchUp = new WatcherCatchUp(host, history, all, this.stats);
  }

  /** Up to here everything has been distributed to live watchers. */
  get head(): Revision {
    return this.#head ?? this.#history.head;
  }

  /** How many revisions the watcher farthest behind has before it. Walks all watchers: for a scrape. */
  lagRevisions(): number {
    let lag = 0;
    for (const watcher of this.#watchers) lag = Math.max(lag, this.head - watcher.deliveredRevision);
    return lag;
  }

  /**
   * Starts watching. The sink is not called before the caller is done. A start revision below the horizon ends the
   * watcher by onCompacted (etcd: `minRev < compactRev`). Not to be called from within a sink's method.
   */
  watch(request: WatchRequest, sink: WatchSink): Watcher {
    invariant(!this.#applying, 'watch called from a sink');
    const watcher = new HubWatcher(this.#host, request, sink, this.#laneOf(sink), this.#fanout.groupFor(request));
    this.#watchers.add(watcher);
    this.stats.watchers.value += 1;
    const { startRevision } = request;
    const next = this.head + 1;
    if (startRevision <= 0 || startRevision === next) {
      watcher.position = this.head;
      watcher.state = 'live';
      this.#fanout.join(watcher);
    } else if (startRevision > next) {
      watcher.position = this.head;
      watcher.state = 'future';
      this.#addFuture(watcher);
    } else {
      this.#startCatchingUp(watcher, startRevision - 1);
    }
    if (this.#stopped) this.#end(watcher);
    return watcher;
  }

  get wantsPrevious(): boolean {
    return this.#fanout.wantsPrevious;
  }

  onApplied(batch: AppliedBatch): void {
    invariant(!this.#applying, 'onApplied called from a sink');
    this.#applying = true;
    const before = this.#head ?? (batch.changes[0]?.revision ?? batch.head + 1) - 1;
    this.#head = before;
    this.#fanout.distribute(batch, before);
    this.#head = batch.head;
    this.#applying = false;
    if (this.#future.length > 0) this.#wakeFuture();
  }

  onCompacted(horizon: Revision): void {
    if (this.stats.slowWatchers.value === 0) return;
    // Those who are catching up are looked after when their turn comes; nobody else would look after these.
    for (const watcher of this.#watchers) {
      if (watcher.state === 'aside' && watcher.position + 1 < horizon) this.#endCompacted(watcher, horizon);
    }
  }

  /** Ends all watchers as compacted. */
  endAll(compactRevision: Revision): void {
    for (const watcher of this.#watchers) this.#endCompacted(watcher, compactRevision);
  }

  /** Ends all watchers without a word to their sinks; resolves when nothing is being read any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const watcher of this.#watchers) this.#end(watcher);
    await this.#catchUp.stop();
  }

  #laneOf(sink: WatchSink): SinkLane {
    let lane = this.#lanes.get(sink);
    if (lane === undefined) {
      lane = new SinkLane();
      this.#lanes.set(sink, lane);
    }
    return lane;
  }

  #addFuture(watcher: HubWatcher): void {
    const { startRevision } = watcher.request;
    let low = 0;
    let high = this.#future.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#future[middle]?.request.startRevision ?? 0) > startRevision) low = middle + 1;
      else high = middle;
    }
    this.#future.splice(low, 0, watcher);
  }

  /** Those whose start lies in the midst of the batch just applied take the rest of it from the log. */
  #wakeFuture(): void {
    for (let nearest = this.#future.at(-1); nearest !== undefined; nearest = this.#future.at(-1)) {
      const { startRevision } = nearest.request;
      if (startRevision > this.head + 1) return;
      this.#future.pop();
      if (startRevision === this.head + 1) {
        nearest.state = 'live';
        this.#fanout.join(nearest);
        nearest.sink.onLive?.(nearest);
      } else {
        this.#startCatchingUp(nearest, startRevision - 1);
      }
    }
  }

  #startCatchingUp(watcher: HubWatcher, position: Revision): void {
    watcher.position = position;
    watcher.state = 'catching-up';
    this.stats.slowWatchers.value += 1;
    this.#catchUp.add(watcher);
  }

  /** A live watcher has to read the log from `position` on; a joining one stops joining. */
  #fallBehind(watcher: HubWatcher, position: Revision): void {
    const wasLive = watcher.state === 'live';
    this.#stopHearing(watcher);
    if (!wasLive) return;
    this.stats.fellBehind.value += 1;
    this.#startCatchingUp(watcher, position);
  }

  #setAside(watcher: HubWatcher, position: Revision): void {
    if (watcher.state === 'live') {
      this.stats.fellBehind.value += 1;
      this.stats.slowWatchers.value += 1;
    }
    this.#stopHearing(watcher);
    watcher.position = position;
    watcher.state = 'aside';
    watcher.lane.aside.add(watcher);
  }

  #resume(lane: SinkLane): void {
    lane.full = false;
    for (const watcher of lane.aside) {
      watcher.state = 'catching-up';
      this.#catchUp.add(watcher);
    }
    lane.aside.clear();
  }

  #startJoining(watcher: HubWatcher): void {
    watcher.joinRevision = this.head;
    this.#fanout.join(watcher);
  }

  #becomeLive(watcher: HubWatcher): void {
    this.#dropPending(watcher);
    this.#fanout.join(watcher);
    watcher.state = 'live';
    this.stats.slowWatchers.value -= 1;
    watcher.sink.onLive?.(watcher);
  }

  #stopHearing(watcher: HubWatcher): void {
    this.#fanout.leave(watcher);
    this.#dropPending(watcher);
  }

  #dropPending(watcher: HubWatcher): void {
    watcher.joinRevision = 0;
    for (const batch of watcher.pending) this.stats.pendingEvents.value -= batch.events.length;
    watcher.pending = [];
    watcher.pendingBytes = 0;
  }

  #endCompacted(watcher: HubWatcher, horizon: Revision): void {
    this.#end(watcher);
    this.stats.compacted.value += 1;
    watcher.sink.onCompacted(watcher, horizon);
  }

  #endFailed(watcher: HubWatcher, error: Error): void {
    this.#end(watcher);
    watcher.sink.onError(watcher, error);
  }

  #end(watcher: HubWatcher): void {
    const { state } = watcher;
    if (state === 'over') return;
    if (state === 'future') this.#future.splice(this.#future.indexOf(watcher), 1);
    if (state === 'aside' || state === 'catching-up') this.stats.slowWatchers.value -= 1;
    if (state === 'live') watcher.position = this.head;
    this.#catchUp.remove(watcher);
    this.#stopHearing(watcher);
    watcher.lane.aside.delete(watcher);
    watcher.state = 'over';
    this.#fanout.release(watcher.group);
    this.#watchers.delete(watcher);
    this.stats.watchers.value -= 1;
  }
}

export interface WatchHubOptions {
  /** About how many bytes of events go into one EventBatch. Default 1 MiB. */
  readonly batchBytesMax?: number;
  /** About how much one catch-up read brings. Default 1 MiB. */
  readonly readBytesMax?: number;
  /** Catch-up reads under way at once. Default 4. */
  readonly readsMax?: number;
  /** How near to the head, in revisions, a watcher begins to join. Default 4,096. */
  readonly joinRevisions?: number;
  /** What may be held for one joining watcher. Default 4 MiB. */
  readonly pendingBytesMax?: number;
}

export const WATCH_HUB_DEFAULTS = {
  batchBytesMax: 1024 * 1024,
  readBytesMax: 1024 * 1024,
  readsMax: 4,
  joinRevisions: 4096,
  pendingBytesMax: 4 * 1024 * 1024,
} as const satisfies WatchHubOptions;
