import { createHash } from 'node:crypto';
import type { Random } from '../base/chance.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { loadEngine } from '../log/engine-loader.ts';
import { DatabaseStats } from '../log/shared/database-stats.ts';
import type { CommitTold } from '../mvcc/commit-told.ts';
import {
  type AppendListener,
  type ChangeMessages,
  type DatabaseHealth,
  isShared,
  type Log,
  type SharedLog,
} from '../mvcc/log.ts';
import { ReloadingStore } from '../mvcc/reloading-store.ts';
import { Store } from '../mvcc/store.ts';
import type { ServeOptions } from './options.ts';

/** A store by its URL, not started, and what there is to know of the database behind it. */
export interface OpenedStore {
  readonly store: ReloadingStore;
  /** undefined for a log of one process. */
  readonly database: Database | undefined;
  /** The listener hears of each commit of our own. Called synchronously; must not throw. */
  onCommit(listener: (commit: CommitTold) => void): void;
  /** Of each batch of our own. */
  onAppend(listener: AppendListener): void;
}

/** The database behind a shared store. */
export interface Database {
  readonly stats: DatabaseStats;
  /** As last asked; undefined before the first time. */
  readonly lastHealth: DatabaseHealth | undefined;
  /** Asked anew when the last answer is older than a second. */
  health(): Promise<DatabaseHealth>;
}

/** How long a health's answer is good enough for the next who asks. */
const HEALTH_KEPT_MS = 1000;

export async function storeFor(
  storeUrl: string,
  quotaBytes: number,
  context: {
    readonly options: ServeOptions;
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
  },
): Promise<OpenedStore> {
  const { options, clock, random, logger } = context;
  const stats = new DatabaseStats();
  // Names a process: two with the same --name must not take each other's duties for their own.
  const replica = `${options.name}-${Math.floor(random() * 2 ** 48).toString(16)}`;
  const logFor = await loadEngine(storeUrl);
  let log: Log = logFor(storeUrl, { clock, random, logger, stats });
  let isOpened = false;
  const commitListeners: ((commit: CommitTold) => void)[] = [];
  const appendListeners: AppendListener[] = [];
  const store = new ReloadingStore({
    clock,
    logger,
    memberId: (clusterId, memberId) => (isShared(log) ? memberIdOf(clusterId, options) : memberId),
    open: (cells, onLost) => {
      // A Log is opened once.
      if (isOpened) log = logFor(storeUrl, { clock, random, logger, stats });
      isOpened = true;
      return new Store({
        log,
        clock,
        random,
        logger,
        quotaBytes,
        cacheBytes: options.valueCacheBytes,
        pinnedPrefixes: options.pinPrefix.map((prefix) => Buffer.from(prefix).toString('latin1')),
        limits: { sliceRowsMax: options.compactBatchSize },
        replica,
        stats: cells,
        onLost,
        onAppend: (batch) => {
          let messages: ChangeMessages | undefined;
          for (const listener of appendListeners) messages = listener(batch) ?? messages;
          return messages;
        },
        onCommit: (commit) => {
          for (const listener of commitListeners) listener(commit);
        },
      });
    },
  });
  const database = isShared(log) ? databaseOf(() => log as SharedLog, stats, clock) : undefined;
  return {
    store,
    database,
    onCommit: (listener) => void commitListeners.push(listener),
    onAppend: (listener) => void appendListeners.push(listener),
  };
}

function databaseOf(log: () => SharedLog, stats: DatabaseStats, clock: Clock): Database {
  let lastHealth: DatabaseHealth | undefined;
  let asking: Promise<DatabaseHealth> | undefined;
  let askedMs = Number.NEGATIVE_INFINITY;
  const ask = async (): Promise<DatabaseHealth> => {
    lastHealth = await log().health();
    return lastHealth;
  };
  return {
    stats,
    get lastHealth() {
      return lastHealth;
    },
    health() {
      const nowMs = clock.monotonicMs();
      if (asking === undefined || nowMs - askedMs > HEALTH_KEPT_MS) {
        askedMs = nowMs;
        asking = ask();
      }
      return asking;
    },
  };
}

/** Replicas share everything but who they are, which follows from their name and URLs and so outlives restarts. */
function memberIdOf(clusterId: bigint, { name, advertiseClientUrls, listenClientUrls }: ServeOptions): bigint {
  const who = JSON.stringify([String(clusterId), name, advertiseClientUrls, listenClientUrls]);
  return createHash('sha256').update(who).digest().readBigUInt64BE() || 1n;
}
