import type { Clock } from '../base/clock.ts';
import { invariant } from '../base/invariant.ts';
import type { Logger } from '../base/logger.ts';
import type { CommitTold } from './commit-told.ts';
import type { CompactorLimits } from './compactor.ts';
import type { FollowerLimits, LostKind } from './follower.ts';
import type { LessorLimits } from './lessor.ts';
import type { AppendListener, Log } from './log.ts';
import type { SharedLessorLimits } from './shared-lessor.ts';
import type { StoreStats } from './store-stats.ts';
import type { Key } from './types.ts';
import type { ValueReaderLimits } from './value-reader.ts';
import type { WriterLimits } from './writer.ts';

/** What a Store is made of and told. */
export interface StoreOptions {
  readonly log: Log;
  readonly clock: Clock;
  /** 0 inclusive to 1 exclusive: for lease ids that the store chooses. */
  readonly random: () => number;
  /** Default: silent. */
  readonly logger?: Logger;
  /** What the log may grow to, in bytes, before NOSPACE is raised; below 0: no limit. 0 and default: 2 GiB, etcd's. */
  readonly quotaBytes?: number;
  /** Memory for values, allocated as it fills. Default 64 MiB. */
  readonly cacheBytes?: number;
  /** The newest values of keys that begin so stay in memory, beside the cache. */
  readonly pinnedPrefixes?: readonly Key[];
  /** Smaller slabs are for tests. */
  readonly cacheSlabBytes?: number;
  /** Names this replica where several share a log; unique among them. Required with a shared log. */
  readonly replica?: string;
  /** With a shared log: there is no way on from what is in memory. The store refuses everything; load another. */
  readonly onLost?: (kind: LostKind) => void;
  /** Hears of each commit of this store's own, not of others. Called synchronously; must not throw. */
  readonly onCommit?: (commit: CommitTold) => void;
  readonly onAppend?: AppendListener;
  /** Cells to go on with, for a store that follows one that was lost. */
  readonly stats?: StoreStats;
  readonly limits?: Partial<WriterLimits & CompactorLimits & ValueReaderLimits>;
  readonly leaseLimits?: Partial<LessorLimits>;
  readonly sharedLeaseLimits?: Partial<SharedLessorLimits>;
  readonly followerLimits?: Partial<FollowerLimits>;
}

/** Defaults. What overflows is refused with `too-many-requests`. */
export const STORE_LIMITS = {
  quotaBytes: 2 * 1024 ** 3,
  cacheBytes: 64 * 1024 ** 2,
  queueRequestsMax: 100_000,
  queueBytesMax: 128 * 1024 ** 2,
  batchRequestsMax: 2000,
  batchBytesMax: 8 * 1024 ** 2,
  batchChangesMax: 10_000,
  attemptsMax: 1000,
  rowsPerReadMax: 1000,
  rowsWaitingMax: 1_000_000,
  sliceRowsMin: 64,
  sliceRowsMax: 1000,
  sliceMs: 0.6,
  sharedSliceRowsMin: 250,
  sharedSliceMs: 5,
  pausePerSlice: 2,
  sharedPausePerSlice: 4,
  vacuumBytes: 256 * 1024,
  retryMs: 100,
  retryMsMax: 10_000,
  sweepTurnMs: 1000,
  vacuumEveryMs: 10_000,
  sharedGraceMs: 1000,
} as const satisfies WriterLimits & CompactorLimits & ValueReaderLimits & { quotaBytes: number; cacheBytes: number };

/** The name of a replica of a shared log. */
export function replicaOf({ replica }: StoreOptions): string {
  invariant(replica !== undefined, 'a replica of a shared log has a name');
  return replica;
}
