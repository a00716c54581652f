import type { KeyValueBytes } from './requests.ts';
import type { Key, Revision } from './types.ts';

/**
 * Watching, in mvcc's words. One Watcher watches one range for one sink. `etcd` makes a sink per gRPC stream.
 *
 * What a watcher is promised: every event of its range with revision >= startRevision, each once, in log order, all
 * events of one revision together; `progress` never names a revision of which it has not had every event.
 */
export interface WatchRequest {
  readonly key: Key;
  readonly end: Key;
  /** First revision wanted; 0: from the next one on. */
  readonly startRevision: Revision;
  readonly prevKv: boolean;
  readonly noPut: boolean;
  readonly noDelete: boolean;
}

export interface WatchEvent {
  readonly kind: 'put' | 'delete';
  /** For a delete: a KeyValue with key and mod_revision only. */
  readonly kv: KeyValueBytes;
  readonly prevKv: KeyValueBytes | undefined;
}

/**
 * Events of one or more whole revisions for a watcher. Watchers of the same range and options share the batch, so a
 * sink may keep the wire form of the events in `wireForm` and the next sink finds it there.
 * Unlike results, the bytes in a batch are its own: they stay valid.
 */
export interface EventBatch {
  /** The header's revision: that of the last event, or a later one up to which nothing else happened in the range. */
  readonly revision: Revision;
  readonly events: readonly WatchEvent[];
  wireForm: Uint8Array | undefined;
}

/** Who receives. Called synchronously; must not throw and must not wait. */
export interface WatchSink {
  /**
   * Takes a batch. False: "I am full now" (this batch was still taken). The hub then sets the sink's watchers aside,
   * and they catch up from the log after the sink has called `Watcher.resume()`. Nobody else waits.
   */
  onEvents(watcher: Watcher, batch: EventBatch): boolean;
  /** The watcher asked for a revision that is compacted away, or fell behind the horizon. It is over. */
  onCompacted(watcher: Watcher, compactRevision: Revision): void;
  /** The log cannot be read; the watcher is over and its client should try again. */
  onError(watcher: Watcher, error: Error): void;
  /** The watcher was behind, or waited for a future revision, and is live now. Not told of one that is live from birth. */
  onLive?(watcher: Watcher): void;
}

export interface Watcher {
  readonly request: WatchRequest;
  /** Every event of the range with revision <= this has been handed to the sink. */
  readonly deliveredRevision: Revision;
  /** True when live: nothing is left to catch up. Then the store's applied head may be told as progress. */
  readonly synced: boolean;
  /** The sink has room again. */
  resume(): void;
  /** No more calls to the sink. Idempotent. */
  cancel(): void;
}
