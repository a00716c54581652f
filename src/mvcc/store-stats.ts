import { Counter, exponentialBounds, Gauge, Histogram } from '../base/metrics.ts';
import { DutyStats } from './duty-stats.ts';
import { LessorStats } from './lessor-stats.ts';
import { PinnedValuesStats } from './pinned-values.ts';
import { ValueCacheStats } from './value-cache.ts';
import { ValueReaderStats } from './value-reader.ts';
import { WatchHubStats } from './watch-hub-stats.ts';

/** Cells of the store and its parts. In brackets etcd's name where it has the same thing (server/storage/mvcc/metrics.go). */
export class StoreStats {
  readonly cache = new ValueCacheStats();
  readonly pinned = new PinnedValuesStats();
  readonly valueReads = new ValueReaderStats();
  readonly leases = new LessorStats();
  readonly duties = new DutyStats();
  readonly watches = new WatchHubStats();

  /** (etcd_debugging_mvcc_current_revision) */
  readonly head = new Gauge();
  /** (etcd_debugging_mvcc_compact_revision) */
  readonly horizon = new Gauge();
  /** (etcd_debugging_mvcc_keys_total) */
  readonly keys = new Gauge();
  /** Changes, those in transactions too (etcd_mvcc_put_total). */
  readonly puts = new Counter();
  /** (etcd_mvcc_delete_total) */
  readonly deletes = new Counter();
  /** (etcd_mvcc_range_total) */
  readonly ranges = new Counter();
  /** Transactions that may write (etcd_mvcc_txn_total). */
  readonly txns = new Counter();
  /** KeyValue messages of puts (etcd_debugging_mvcc_total_put_size_in_bytes). */
  readonly putBytes = new Counter();
  /** As last asked of the log: by status(), and as the quota needs it (etcd_mvcc_db_total_size_in_bytes). */
  readonly totalBytes = new Gauge();
  /** (etcd_mvcc_db_total_size_in_use_in_bytes) */
  readonly inUseBytes = new Gauge();
  /** (etcd_mvcc_hash_rev_duration_seconds) */
  readonly hashSeconds = new Histogram(exponentialBounds(0.01, 2, 15));

  /** Requests that wait for the next batch, and their bytes. */
  readonly queuedRequests = new Gauge();
  readonly queuedBytes = new Gauge();
  /** Requests per batch. */
  readonly batchRequests = new Histogram(exponentialBounds(1, 2, 13));
  /** From handing a batch to the log until it is durable (beside etcd_disk_backend_commit_duration_seconds). */
  readonly commitSeconds = new Histogram(exponentialBounds(0.0001, 2, 17));
  readonly appendsMoved = new Counter();
  readonly appendsFailed = new Counter();
  /** Questions to a shared log for what others have committed, and what came of them. */
  readonly newsAsked = new Counter();
  readonly newsChanges = new Counter();
  /** Batches that other replicas sent ahead of a shared log, and those whose commit was then told of in time. */
  readonly batchesAhead = new Counter();
  readonly batchesAheadApplied = new Counter();
  /** Commits that other replicas told of when the log had answered them. */
  readonly commitsTold = new Counter();
  /** Batches of this store that were decided above such a one, before that was committed. */
  readonly batchesAbove = new Counter();
  /** How often a shared log's past was lost and the store loaded anew (ReloadingStore). */
  readonly reloads = new Counter();
  /** Times the head was taken beyond revisions that were lost (leap.ts). */
  readonly leaps = new Counter();

  /** One slice of sweeping, in ms (etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds). */
  readonly sweepMs = new Histogram(exponentialBounds(1, 2, 13));
  /** The main thread's part of a slice, in ms (etcd_debugging_mvcc_index_compaction_pause_duration_milliseconds). */
  readonly indexSweepMs = new Histogram(exponentialBounds(0.5, 2, 14));
  /** A whole compaction, in ms (etcd_debugging_mvcc_db_compaction_total_duration_milliseconds). */
  readonly compactionMs = new Histogram(exponentialBounds(100, 2, 14));
  /** (etcd_debugging_mvcc_db_compaction_keys_total) */
  readonly sweptRows = new Counter();
  /** Unix seconds, 0 before the first (etcd_debugging_mvcc_db_compaction_last). */
  readonly lastCompaction = new Gauge();
  /** How far the sweep is behind the horizon, in revisions. */
  readonly compactionLag = new Gauge();
  readonly sweepsFailed = new Counter();
}
