import type { Clock, Timer } from '../base/clock.ts';
import type { Gauge } from '../base/metrics.ts';
import { ProtobufError } from '../base/protobuf.ts';
import type { StoreApi } from '../mvcc/api.ts';
import { type Key, ONE_KEY, type Revision, TO_THE_LAST_KEY } from '../mvcc/types.ts';
import type { EventBatch, Watcher, WatchSink } from '../mvcc/watch.ts';
import { Status, StatusError, type StreamCall, type StreamHandler } from '../wire/grpc.ts';
import type { Access } from './auth/access.ts';
import { WatchPermits } from './auth/watch-permits.ts';
import { refusalText, undecodableInStream } from './errors.ts';
import { decodeWatchRequest, type WatchCreateMessage } from './messages/watch.ts';
import type { OpenStreams } from './open-streams.ts';
import type { WatchResponseWriter } from './watch-response-writer.ts';

/**
 * One Watch call: many watches, one queue out.
 *
 *   create, cancel, progress ─▶ WatchStream ─┬▶ StreamCall.send ─▶ client
 *                      WatchHub ─▶ (a sink) ─┘
 *
 * Everything leaves through StreamCall.send in the order in which it came to be, and the hub hands over an event before
 * it counts its revision as delivered: so no progress can overtake an event, and `created` comes before both.
 *
 * When the call is full the hub is told so and sets this sink's watchers aside; what the client asks for meanwhile is
 * left in its own hands (onMessage's promise). So a stream's memory is the call's high-water mark and a batch.
 *
 * Behaviour and texts: etcd's server/etcdserver/api/v3rpc/watch.go and server/storage/mvcc/watcher.go.
 */
export class WatchStream implements StreamHandler, WatchSink {
  readonly #call: StreamCall;
  readonly #options: WatchStreamOptions;
  readonly #byId = new Map<bigint, Watch>();
  readonly #byWatcher = new Map<Watcher, Watch>();
  /** Watches that ended as compacted: as in etcd their ids stay taken until the client cancels them. */
  readonly #ended = new Set<bigint>();
  #nextId = 0n;
  /** Set while the call is full: lets the client's next message in. */
  #roomForMore: (() => void) | undefined;
  #room: Promise<void> | undefined;
  /** Somebody asked for progress while a watch was behind. */
  #progressAsked = false;
  #progressTimer: Timer | undefined;
  #closed = false;
  readonly #permits: WatchPermits | undefined;

  constructor(call: StreamCall, options: WatchStreamOptions) {
    this.#call = call;
    this.#options = options;
    const { access } = options;
    this.#permits = access && new WatchPermits(access, call, () => this.#endForbidden());
    options.open?.add(call);
    if (options.streams !== undefined) options.streams.value += 1;
  }

  onMessage(message: Uint8Array): void | Promise<void> {
    try {
      const request = decodeWatchRequest(message);
      if (request.kind === 'create') this.#create(request);
      else if (request.kind === 'cancel') this.#cancel(request.watchId);
      else if (request.kind === 'progress') this.#askProgress();
    } catch (error) {
      if (!(error instanceof ProtobufError)) throw error;
      this.#call.end(undecodableInStream(error));
    }
    return this.#room;
  }

  /** Watches go on: the client only has nothing more to ask. */
  onHalfClose(): void {}

  onDrain(): void {
    const more = this.#roomForMore;
    this.#roomForMore = undefined;
    this.#room = undefined;
    // One watcher speaks for its sink.
    for (const watcher of this.#byWatcher.keys()) {
      watcher.resume();
      break;
    }
    more?.();
  }

  onClose(): void {
    this.#closed = true;
    this.#permits?.end();
    this.#progressTimer?.cancel();
    for (const watcher of this.#byWatcher.keys()) watcher.cancel();
    this.#byWatcher.clear();
    this.#byId.clear();
    this.#roomForMore?.();
    this.#options.open?.delete(this.#call);
    if (this.#options.streams !== undefined) this.#options.streams.value -= 1;
  }

  onEvents(watcher: Watcher, batch: EventBatch): boolean {
    const watch = this.#byWatcher.get(watcher);
    if (watch === undefined) return true;
    watch.idle = false;
    const { writer } = this.#options;
    const hasRoom = watch.fragment
      ? writer.fragments(this.#call, watch.id, batch)
      : writer.events(this.#call, watch.id, batch);
    return hasRoom;
  }

  onCompacted(watcher: Watcher, compactRevision: Revision): void {
    const watch = this.#byWatcher.get(watcher);
    if (watch === undefined) return;
    this.#forget(watch);
    this.#ended.add(watch.id);
    for (const oldest of this.#ended) {
      if (this.#ended.size <= ENDED_IDS_MAX) break;
      this.#ended.delete(oldest);
    }
    // No revision in the header and no reason: so it comes from etcd, and so its clients know it.
    this.#options.writer.control(this.#call, 0, watch.id, { canceled: true, compactRevision });
  }

  /** The client's library takes all its watches up again where they stood, here or at another replica. */
  onError(_watcher: Watcher, error: Error): void {
    this.#call.end(
      new StatusError(Status.unavailable, `kedge: the log cannot be read: ${error.message}`, { cause: error }),
    );
  }

  onLive(): void {
    if (this.#progressAsked) this.#askProgress();
  }

  #create(request: WatchCreateMessage): void {
    const { store, writer } = this.#options;
    // As etcd: an empty key stands for the smallest there can be.
    const key = request.key === '' ? '\0' : request.key;
    const cancelReason = this.#refusalOf(request, key);
    if (cancelReason !== undefined) {
      this.#sent(writer.control(this.#call, store.revision, NO_WATCH, { created: true, canceled: true, cancelReason }));
      return;
    }
    const id = request.watchId === 0n ? this.#chooseId() : request.watchId;
    const { end, startRevision, prevKv, noPut, noDelete, fragment, progressNotify } = request;
    const watcher = store.watch({ key, end, startRevision, prevKv, noPut, noDelete }, this);
    const watch = { id, watcher, fragment, progressNotify, idle: true };
    this.#byId.set(id, watch);
    this.#byWatcher.set(watcher, watch);
    if (progressNotify) this.#startProgress();
    this.#sent(writer.control(this.#call, store.revision, id, { created: true }));
  }

  #refusalOf({ startRevision, end, watchId }: WatchCreateMessage, key: Key): string | undefined {
    if (startRevision < 0) return refusalText('compacted');
    const forbidden = this.#permits?.refusalOfNew(key, end);
    if (forbidden !== undefined) return forbidden;
    if (end !== ONE_KEY && end !== TO_THE_LAST_KEY && key >= end) return 'mvcc: watcher range is empty';
    if (watchId !== 0n && this.#isTaken(watchId)) return 'mvcc: duplicate watch ID provided on the WatchStream';
    if (this.#byId.size >= this.#options.watchesMax) return refusalText('tooManyRequests');
    return undefined;
  }

  #chooseId(): bigint {
    while (this.#isTaken(this.#nextId)) this.#nextId += 1n;
    const id = this.#nextId;
    this.#nextId += 1n;
    return id;
  }

  #isTaken(id: bigint): boolean {
    return this.#byId.has(id) || this.#ended.has(id);
  }

  #cancel(id: bigint): void {
    const watch = this.#byId.get(id);
    if (watch !== undefined) {
      watch.watcher.cancel();
      this.#forget(watch);
    } else if (!this.#ended.delete(id)) {
      return;
    }
    this.#sent(this.#options.writer.control(this.#call, this.#options.store.revision, id, { canceled: true }));
    // It may have been the one that progress waited for.
    if (this.#progressAsked) this.#askProgress();
  }

  /** Auth has changed: what may not be watched any more ends. */
  #endForbidden(): void {
    for (const watch of [...this.#byId.values()]) {
      const { key, end } = watch.watcher.request;
      const cancelReason = this.#permits?.refusalOfOld(key, end);
      if (cancelReason === undefined) continue;
      watch.watcher.cancel();
      this.#forget(watch);
      const { writer, store } = this.#options;
      this.#sent(writer.control(this.#call, store.revision, watch.id, { canceled: true, cancelReason }));
    }
    if (this.#progressAsked) this.#askProgress();
  }

  #forget(watch: Watch): void {
    this.#byId.delete(watch.id);
    this.#byWatcher.delete(watch.watcher);
  }

  /**
   * One answer for the whole stream, once every watch of it has had everything up to the answer's revision. etcd gives
   * none while a watch is behind and lets the client ask again; here the question stands until it has caught up. A
   * watch that waits for a future revision makes the question moot, as there, and so does a stream without watches.
   */
  #askProgress(): void {
    this.#progressAsked = false;
    const { store, writer } = this.#options;
    let revision = store.revision;
    if (this.#byId.size === 0) return;
    for (const { watcher } of this.#byId.values()) {
      if (watcher.request.startRevision > store.revision) return;
      if (!watcher.synced) this.#progressAsked = true;
      revision = Math.min(revision, watcher.deliveredRevision);
    }
    if (!this.#progressAsked) this.#sent(writer.control(this.#call, revision, NO_WATCH));
  }

  #startProgress(): void {
    if (this.#progressTimer !== undefined || this.#closed) return;
    this.#progressTimer = this.#options.clock.after(this.#options.progressIntervalMs, () => {
      this.#progressTimer = undefined;
      this.#tellProgress();
    });
  }

  /** Tells those who want it and had no event since the last time. A full call is told nothing: it has events to read. */
  #tellProgress(): void {
    let wanted = false;
    for (const watch of this.#byId.values()) {
      if (!watch.progressNotify) continue;
      wanted = true;
      if (watch.idle && watch.watcher.synced && this.#room === undefined) {
        this.#sent(this.#options.writer.control(this.#call, watch.watcher.deliveredRevision, watch.id));
      }
      watch.idle = true;
    }
    if (wanted) this.#startProgress();
  }

  /** What a client asks for while it does not read must not pile up: its next message waits. */
  #sent(hasRoom: boolean): void {
    if (hasRoom || this.#room !== undefined || this.#closed) return;
    this.#room = new Promise((resolve) => {
      this.#roomForMore = resolve;
    });
  }
}

/** Of ended watches that nobody cancels, the newest this many are remembered. */
const ENDED_IDS_MAX = 1024;

/** etcd's id for what concerns no single watch. */
const NO_WATCH = -1n;

interface Watch {
  readonly id: bigint;
  readonly watcher: Watcher;
  readonly fragment: boolean;
  readonly progressNotify: boolean;
  /** No events since progress was looked at. */
  idle: boolean;
}

export interface WatchStreamOptions {
  readonly store: Pick<StoreApi, 'watch' | 'revision'>;
  readonly writer: WatchResponseWriter;
  readonly clock: Clock;
  readonly progressIntervalMs: number;
  readonly watchesMax: number;
  readonly streams: Gauge | undefined;
  readonly open: OpenStreams | undefined;
  /** undefined: whoever comes may watch all. */
  readonly access: Access | undefined;
}
