import type { History } from './applied.ts';
import type { Revision } from './types.ts';
import type { WatchHubStats } from './watch-hub-stats.ts';
import type { HubWatcher } from './watcher.ts';
import { CaughtUpEvents } from './watcher-caught-up-events.ts';

/** What the catch-up asks of the hub. */
export interface CatchUpHost {
  readonly head: Revision;
  /** From now on batches are held for the watcher in `pending`. */
  startJoining(watcher: HubWatcher): void;
  becomeLive(watcher: HubWatcher): void;
  setAside(watcher: HubWatcher, position: Revision): void;
  endCompacted(watcher: HubWatcher, horizon: Revision): void;
  endFailed(watcher: HubWatcher, error: Error): void;
}

export interface CatchUpOptions {
  /** About how much one read of the log brings. */
  readonly readBytesMax: number;
  /** Reads under way at once. */
  readonly readsMax: number;
  /** A watcher this near to the head begins to join. */
  readonly joinRevisions: number;
}

/** Watchers that are this near to each other share a read. */
const NEAR_REVISIONS = 1024;

/**
 * Brings watchers that are behind up to the head. One *pass* takes the watcher that has waited longest and all who
 * wait near it, reads a piece of the log once, serves each of them from it and puts those who need more at the queue's
 * end: a watcher a million revisions behind and one three behind take turns.
 */
export class WatcherCatchUp {
  readonly #host: CatchUpHost;
  readonly #history: History;
  readonly #options: CatchUpOptions;
  readonly #stats: WatchHubStats;
  /** In the order of their turns. */
  readonly #waiting = new Set<HubWatcher>();
  readonly #passes = new Set<Promise<void>>();
  #woken = false;
  #stopped = false;

  constructor(host: CatchUpHost, history: History, options: CatchUpOptions, stats: WatchHubStats) {
    this.#host = host;
    this.#history = history;
    this.#options = options;
    this.#stats = stats;
  }

  /** Queues a watcher that is catching up. Nothing happens before the caller's caller is done. */
  add(watcher: HubWatcher): void {
    this.#waiting.add(watcher);
    if (this.#woken) return;
    this.#woken = true;
    queueMicrotask(() => {
      this.#woken = false;
      this.#pump();
    });
  }

  remove(watcher: HubWatcher): void {
    this.#waiting.delete(watcher);
  }

  /** Resolves when no read is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#waiting.clear();
    await Promise.all(this.#passes);
  }

  #pump(): void {
    while (!this.#stopped && this.#passes.size < this.#options.readsMax) {
      const members = this.#nextMembers();
      if (members.length === 0) return;
      const pass = this.#pass(members).finally(() => {
        this.#passes.delete(pass);
        this.#pump();
      });
      this.#passes.add(pass);
    }
  }

  /** Whose turn it is, and who waits near; the first one has the lowest position. */
  #nextMembers(): HubWatcher[] {
    const { horizon } = this.#history;
    for (const leader of this.#waiting) {
      this.#waiting.delete(leader);
      if (leader.position + 1 < horizon) {
        this.#host.endCompacted(leader, horizon);
      } else if (leader.position >= this.#host.head) {
        this.#host.becomeLive(leader);
      } else {
        return this.#withNear(leader);
      }
    }
    return [];
  }

  #withNear(leader: HubWatcher): HubWatcher[] {
    const members = [leader];
    const from = leader.position;
    for (const other of this.#waiting) {
      if (other.position < from || other.position > from + NEAR_REVISIONS) continue;
      this.#waiting.delete(other);
      members.push(other);
    }
    return members;
  }

  async #pass(members: readonly HubWatcher[]): Promise<void> {
    const from = members[0]?.position ?? 0;
    const { head } = this.#host;
    for (const watcher of members) {
      if (watcher.joinRevision === 0 && head - watcher.position <= this.#options.joinRevisions) {
        this.#host.startJoining(watcher);
      }
    }
    let events: CaughtUpEvents;
    try {
      const changes = await this.#history.changes(from, this.#options.readBytesMax);
      this.#stats.catchUpReads.value += 1;
      this.#stats.catchUpChanges.value += changes.length;
      // Nothing left after `from` means nothing up to the head as it was before the question.
      const until = changes.at(-1)?.revision ?? head;
      events = await CaughtUpEvents.gather(members, changes, until, this.#history, this.#options);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      for (const watcher of members) if (watcher.state === 'catching-up') this.#host.endFailed(watcher, error);
      return;
    }
    if (this.#stopped) return;
    // Looked up after the read: had the horizon passed a watcher before, rows might have been swept from under the read.
    const { horizon } = this.#history;
    for (const watcher of members) {
      if (watcher.state !== 'catching-up') continue;
      if (watcher.position + 1 < horizon) this.#host.endCompacted(watcher, horizon);
      else this.#serve(watcher, events);
    }
  }

  #serve(watcher: HubWatcher, events: CaughtUpEvents): void {
    const { joinRevision, lane } = watcher;
    const until = joinRevision === 0 ? events.until : Math.min(events.until, joinRevision);
    if (until > watcher.position && !lane.full) {
      const batch = events.batch(watcher.group, watcher.position, until);
      watcher.position = until;
      if (batch !== undefined) {
        this.#stats.events.value += batch.events.length;
        if (!watcher.sink.onEvents(watcher, batch)) lane.full = true;
      }
    }
    if (joinRevision !== 0 && watcher.position >= joinRevision) this.#servePending(watcher);
    else if (watcher.state !== 'catching-up') return;
    else if (lane.full) this.#host.setAside(watcher, watcher.position);
    else this.#waiting.add(watcher);
  }

  /** The log has delivered up to the joining revision; what came since is in memory. */
  #servePending(watcher: HubWatcher): void {
    for (const batch of watcher.pending) {
      if (watcher.state !== 'catching-up') return;
      if (watcher.lane.full) {
        this.#host.setAside(watcher, watcher.position);
        return;
      }
      watcher.position = batch.revision;
      this.#stats.events.value += batch.events.length;
      if (!watcher.sink.onEvents(watcher, batch)) watcher.lane.full = true;
    }
    if (watcher.state === 'catching-up') this.#host.becomeLive(watcher);
  }
}
