import { totalmem } from 'node:os';

/**
 * Every number that bounds kedge, in one place, units last. What a user may change is an option (options.ts), whose
 * default stands here; the rest is fixed. Rooms get their numbers handed in and know no others.
 */
const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

export const LIMITS = {
  /** A request message, as etcd's --max-request-bytes. */
  requestBytes: 1.5 * MIB,
  /** The most that --max-request-bytes can be set to. */
  requestBytesMax: 64 * MIB,
  /** On top of requestBytes for what encloses the payload, as etcd's grpcOverheadBytes. */
  requestOverheadBytes: 512 * KIB,
  /** Operations (compares, each branch) in one transaction. */
  txnOps: 128,
  txnOpsMax: 100_000,

  /** The store's size above which the NOSPACE alarm is raised, as etcd's default. */
  quotaBytes: 2 * GIB,
  /** Values kept in memory. */
  valueCacheBytes: defaultCacheBytes(),
  valueCacheBytesMin: 1 * MIB,
  valueCacheBytesMax: 64 * GIB,

  /** As kine's; each step still is as short as the writes beside it demand. */
  compactBatchRows: 1000,
  compactBatchRowsMin: 64,
  compactBatchRowsMax: 100_000,
  compactIntervalMs: 5 * MINUTE_MS,
  compactIntervalMinMs: 1 * SECOND_MS,

  connections: 20_000,
  connectionsMax: 1_000_000,
  /** Concurrent streams of one connection. */
  streams: 100_000,
  streamsMax: 2 ** 31 - 1,
  keepaliveMinTimeMs: 5 * SECOND_MS,
  keepaliveIntervalMs: 2 * HOUR_MS,
  keepaliveTimeoutMs: 20 * SECOND_MS,

  watchProgressIntervalMs: 10 * MINUTE_MS,
  watchProgressIntervalMinMs: 100,

  /** From one backup by schedule to the next, how many stay, and how soon one that failed is tried again at the latest. */
  backupIntervalMs: 1 * HOUR_MS,
  backupIntervalMsMin: 1 * SECOND_MS,
  backupRetryMs: 5 * MINUTE_MS,
  backupsKept: 24,
  backupsKeptMax: 100_000,

  /** How long calls under way may take to finish after SIGTERM. */
  shutdownGraceMs: 5 * SECOND_MS,
  /** Loading that takes longer than this says so, and again at this pace. */
  loadProgressMs: 1 * SECOND_MS,

  /** Lines of the audit log that wait for the disk; more are dropped and counted. */
  auditBufferBytes: 4 * MIB,
  /** Of slow requests this many are named each second. */
  slowRequestLinesPerSecond: 10,
  clientRequestsPerSecondMax: 10_000_000,
  clientInFlightMax: 1_000_000,

  /** A log line's queue when its reader (a pipe) stalls. */
  logBufferBytes: 1 * MIB,
} as const;

/**
 * A 16th of the memory that this process may use (its control group's limit counts), 64 MiB to 512 MiB: a small machine
 * keeps its memory, a larger one serves gets over a million keys from it.
 */
function defaultCacheBytes(): number {
  const memoryBytes = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  return Math.min(Math.max(Math.floor(memoryBytes / 16), 64 * MIB), 512 * MIB);
}
