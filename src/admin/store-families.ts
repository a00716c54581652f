import type { StoreStats } from '../mvcc/store-stats.ts';
import { counter, type Family, gauge, histogram } from './exposition.ts';

/** All cells of the store and its parts. */
export interface StoreCells {
  readonly store: StoreStats;
  readonly watchLagRevisions: () => number;
}

/** The store under etcd's names, where etcd has the same thing, so that its dashboards and alerts go on working. */
export function etcdStoreFamilies({ store }: StoreCells): Family[] {
  const { watches, leases } = store;
  const commits = store.commitSeconds;
  return [
    gauge('etcd_debugging_mvcc_current_revision', 'The newest revision.', store.head),
    gauge('etcd_debugging_mvcc_compact_revision', 'The compaction horizon.', store.horizon),
    gauge('etcd_debugging_mvcc_keys_total', 'Keys that live.', store.keys),
    gauge('etcd_debugging_mvcc_total_put_size_in_bytes', 'Bytes of all key-value pairs put.', store.putBytes),
    counter('etcd_mvcc_put_total', 'Puts, those in transactions too.', store.puts),
    counter('etcd_mvcc_delete_total', 'Deletes, those in transactions too.', store.deletes),
    counter('etcd_mvcc_range_total', 'Ranges read.', store.ranges),
    counter('etcd_debugging_mvcc_range_total', 'Ranges read.', store.ranges),
    counter('etcd_mvcc_txn_total', 'Transactions that wrote.', store.txns),
    gauge('etcd_mvcc_db_total_size_in_bytes', 'Size of the store on disk.', store.totalBytes),
    gauge('etcd_mvcc_db_total_size_in_use_in_bytes', 'Of it, what is in use.', store.inUseBytes),
    histogram('etcd_mvcc_hash_rev_duration_seconds', 'Time that HashKV took.', store.hashSeconds),

    gauge('etcd_server_proposals_committed_total', 'Writes that are durable.', () => store.batchRequests.sum),
    gauge('etcd_server_proposals_applied_total', 'Writes that are applied.', () => store.batchRequests.sum),
    gauge('etcd_server_proposals_pending', 'Writes that wait for the next commit.', store.queuedRequests),
    counter('etcd_server_proposals_failed_total', 'Commits that failed.', store.appendsFailed),
    counter('etcd_server_slow_apply_total', 'Slow applies: not counted here.', () => 0),
    counter('etcd_server_slow_read_indexes_total', 'Slow read indexes: there are none here.', () => 0),
    counter('etcd_server_read_indexes_failed_total', 'Failed read indexes: there are none here.', () => 0),
    histogram('etcd_disk_wal_fsync_duration_seconds', 'From handing over a commit until it is on disk.', commits),
    histogram('etcd_disk_backend_commit_duration_seconds', 'The same: log and store are one here.', commits),

    counter('etcd_debugging_mvcc_db_compaction_keys_total', 'Superseded rows swept away.', store.sweptRows),
    gauge('etcd_debugging_mvcc_db_compaction_last', 'Unix time of the last compaction.', store.lastCompaction),
    histogram('etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds', 'One slice of sweeping.', store.sweepMs),
    histogram(
      'etcd_debugging_mvcc_db_compaction_total_duration_milliseconds',
      'A whole compaction.',
      store.compactionMs,
    ),
    histogram(
      'etcd_debugging_mvcc_index_compaction_pause_duration_milliseconds',
      "The main thread's part of a slice.",
      store.indexSweepMs,
    ),

    gauge('etcd_debugging_mvcc_watcher_total', 'Watchers.', watches.watchers),
    gauge('etcd_debugging_mvcc_slow_watcher_total', 'Watchers that are catching up.', watches.slowWatchers),
    gauge('etcd_debugging_mvcc_watch_stream_total', 'Open watch streams.', watches.streams),
    counter('etcd_debugging_mvcc_events_total', 'Events delivered.', watches.events),
    gauge('etcd_debugging_mvcc_pending_events_total', 'Events held for joining watchers.', watches.pendingEvents),

    counter('etcd_debugging_lease_granted_total', 'Leases granted.', leases.granted),
    counter('etcd_debugging_lease_revoked_total', 'Leases revoked.', leases.revoked),
    counter('etcd_debugging_lease_renewed_total', 'Keepalives of leases.', leases.renewed),
    counter('etcd_debugging_server_lease_expired_total', 'Leases that expired.', leases.expired),
    histogram('etcd_debugging_lease_ttl_total', 'TTLs as granted, in seconds.', leases.ttlSeconds),
  ];
}

/** What etcd has no name for. */
export function kedgeStoreFamilies({ store, watchLagRevisions }: StoreCells): Family[] {
  const { cache, pinned, valueReads: values, watches, leases } = store;
  return [
    gauge('kedge_writer_queued_requests', 'Writes that wait for the next commit.', store.queuedRequests),
    gauge('kedge_writer_queued_bytes', 'Their bytes.', store.queuedBytes),
    histogram('kedge_writer_batch_requests', 'Writes per commit.', store.batchRequests),
    histogram('kedge_writer_commit_seconds', 'From handing over a commit until it is on disk.', store.commitSeconds),
    counter('kedge_writer_commits_moved_total', 'Commits decided anew: another replica was first.', store.appendsMoved),
    counter('kedge_writer_commits_failed_total', 'Commits that failed.', store.appendsFailed),
    counter('kedge_news_asked_total', 'Questions to a shared log for what others committed.', store.newsAsked),
    counter('kedge_news_changes_total', 'Changes of other replicas that these brought.', store.newsChanges),
    counter('kedge_batches_ahead_total', 'Batches that other replicas sent ahead of the log.', store.batchesAhead),
    counter(
      'kedge_batches_ahead_applied_total',
      'Of these, batches that need not be read from the log.',
      store.batchesAheadApplied,
    ),
    counter('kedge_commits_told_total', 'Commits that other replicas told of themselves.', store.commitsTold),
    counter(
      'kedge_batches_above_total',
      'Own batches that were decided above one of another replica on its way.',
      store.batchesAbove,
    ),
    counter('kedge_store_reloads_total', 'Times the store was loaded anew, its past being lost.', store.reloads),
    counter('kedge_store_leaps_total', 'Times the revision was taken beyond what the database has lost.', store.leaps),
    gauge('kedge_compaction_lag_revisions', 'How far the sweep is behind the horizon.', store.compactionLag),
    counter('kedge_compaction_swept_rows_total', 'Superseded rows swept away.', store.sweptRows),
    counter('kedge_compaction_failures_total', 'Sweeps that failed and are tried again.', store.sweepsFailed),
    counter('kedge_value_cache_hits_total', 'Values found in memory.', cache.hits),
    counter('kedge_value_cache_misses_total', 'Values read from the store.', cache.misses),
    gauge('kedge_value_cache_bytes', 'Memory taken by values.', cache.bytes),
    gauge('kedge_pinned_keys', 'Keys whose values stay in memory (--pin-prefix).', pinned.keys),
    gauge('kedge_pinned_bytes', 'Memory that they take.', pinned.bytes),
    counter('kedge_pinned_hits_total', 'Values found there and not in the cache.', pinned.hits),
    counter('kedge_value_reads_total', 'Reads of the store for values.', values.reads),
    counter('kedge_value_read_rows_total', 'Values that these reads asked for.', values.rows),
    gauge('kedge_watch_lag_revisions', 'How far the slowest watcher is behind.', watchLagRevisions),
    counter('kedge_watch_catch_up_reads_total', 'Reads of the log for watchers that catch up.', watches.catchUpReads),
    counter('kedge_watch_catch_up_changes_total', 'Changes that these reads brought.', watches.catchUpChanges),
    counter('kedge_watch_fell_behind_total', 'Live watchers that fell behind.', watches.fellBehind),
    counter('kedge_watch_compacted_total', 'Watchers that ended at the horizon.', watches.compacted),
    gauge('kedge_leases', 'Leases that live.', leases.leases),
    counter('kedge_lease_checkpoints_total', 'Remaining TTLs noted down.', leases.checkpoints),
    counter('kedge_lease_failures_total', 'Revocations and checkpoints that are tried again.', leases.failures),
  ];
}
