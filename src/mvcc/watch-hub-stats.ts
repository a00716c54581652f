import { Counter, Gauge } from '../base/metrics.ts';

/** Cells of the WatchHub. In brackets etcd's name where it has the same thing. */
export class WatchHubStats {
  /** Watchers (etcd_debugging_mvcc_watcher_total). */
  readonly watchers = new Gauge();
  /** Watchers set aside or catching up from the log (etcd_debugging_mvcc_slow_watcher_total). */
  readonly slowWatchers = new Gauge();
  /** Open watch streams; kept by whoever makes the sinks (etcd_debugging_mvcc_watch_stream_total). */
  readonly streams = new Gauge();
  /** Events handed to sinks, each delivery counted (etcd_debugging_mvcc_events_total). */
  readonly events = new Counter();
  /** Events held in memory for watchers that are just joining (etcd_debugging_mvcc_pending_events_total). */
  readonly pendingEvents = new Gauge();
  /** Reads of the log for catching up, and what they brought. */
  readonly catchUpReads = new Counter();
  readonly catchUpChanges = new Counter();
  /** How often a live watcher fell behind: its sink was full, or a previous value was not in memory. */
  readonly fellBehind = new Counter();
  /** Watchers that ended because what they needed was compacted away. */
  readonly compacted = new Counter();
}
