import type { Revision } from './types.ts';
import type { Watcher, WatchRequest, WatchSink } from './watch.ts';
import type { GroupBatch, WatcherGroup } from './watcher-group.ts';

/**
 * Where a watcher stands.
 *
 * | state       | what it has had            | who moves it on                                              |
 * | ----------- | -------------------------- | ------------------------------------------------------------ |
 * | live        | everything up to the head  | a batch its sink has no room for (aside)                      |
 * | future      | everything: nothing yet    | the head, when it comes near the start revision               |
 * | aside       | events up to `position`    | its sink's resume() (catching-up), the horizon (over)         |
 * | catching-up | events up to `position`    | the catch-up, reading the log (live, or aside, or over)       |
 * | over        |                            | nobody                                                        |
 */
export type WatcherState = 'live' | 'future' | 'aside' | 'catching-up' | 'over';

/** What watchers ask of the hub. */
export interface WatcherHost {
  readonly head: Revision;
  resume(lane: SinkLane): void;
  cancel(watcher: HubWatcher): void;
}

/** What the hub knows of a sink, shared by the sink's watchers. */
export class SinkLane {
  /** The sink has said so, and has not resumed since. */
  full = false;
  /** Watchers that missed something meanwhile. */
  readonly aside = new Set<HubWatcher>();
}

/** The hub's Watcher. Its fields belong to the hub; others see `Watcher`. */
export class HubWatcher implements Watcher {
  readonly request: WatchRequest;
  readonly sink: WatchSink;
  readonly lane: SinkLane;
  readonly group: WatcherGroup;
  readonly #host: WatcherHost;

  state: WatcherState = 'catching-up';
  /** Every event up to here was handed over. Not kept up to date while live: then it is the hub's head. */
  position: Revision;
  /** The place in group.members; -1: none. */
  memberIndex = -1;
  /** While joining: batches of later revisions than this wait in `pending`; the log has to deliver up to here. 0: not joining. */
  joinRevision: Revision = 0;
  pending: GroupBatch[] = [];
  pendingBytes = 0;

  constructor(host: WatcherHost, request: WatchRequest, sink: WatchSink, lane: SinkLane, group: WatcherGroup) {
    this.#host = host;
    this.request = request;
    this.sink = sink;
    this.lane = lane;
    this.group = group;
    this.position = 0;
  }

  get deliveredRevision(): Revision {
    return this.state === 'live' || this.state === 'future' ? this.#host.head : this.position;
  }

  get synced(): boolean {
    return this.state === 'live' && this.#host.head >= this.request.startRevision;
  }

  resume(): void {
    this.#host.resume(this.lane);
  }

  cancel(): void {
    this.#host.cancel(this);
  }
}
