import type { Clock } from '../base/clock.ts';
import { invariant } from '../base/invariant.ts';
import { type Logger, silentLogger } from '../base/logger.ts';
import { Admission } from './admission.ts';
import { AlarmSet } from './alarm-set.ts';
import type { StoreApi } from './api.ts';
import { Compactor, type CompactorLimits } from './compactor.ts';
import type { WriteResult } from './decide.ts';
import { hashKv } from './hash-kv.ts';
import { HeadReader } from './head-reader.ts';
import { KeyIndex } from './key-index.ts';
import { Lessor, type LessorLimits } from './lessor.ts';
import type { Log, LogSnapshot } from './log.ts';
import { LogHistory } from './log-history.ts';
import { Quota } from './quota.ts';
import { RangeReader } from './range-reader.ts';
import { ReadTxns } from './read-txns.ts';
import {
  type DeleteRequest,
  type DeleteResult,
  type HashResult,
  type LeaseGrantResult,
  type LeaseStatus,
  type PutRequest,
  type PutResult,
  type RangeRequest,
  type RangeResult,
  StoreError,
  type StoreStatus,
  type TxnOp,
  type TxnRequest,
  type TxnResult,
  type WriteRequest,
} from './requests.ts';
import { toStoreError } from './store-error.ts';
import { StoreStats } from './store-stats.ts';
import { Tail } from './tail.ts';
import type { AlarmKind, LeaseId, Revision } from './types.ts';
import { ValueCache } from './value-cache.ts';
import { ValueLoader } from './value-loader.ts';
import { ValueReader, type ValueReaderLimits } from './value-reader.ts';
import type { Watcher, WatchRequest, WatchSink } from './watch.ts';
import { WatchHub } from './watch-hub.ts';
import { Writer, type WriterLimits } from './writer.ts';

/**
 * The Store joins the parts of this room over a Log.
 *
 *     put, delete, txn, leases                      range, read-only txn              watch
 *              │                                            │                           │
 *              ▼                                            ▼                           ▼
 *   Writer ─ decide(Draft over KeyIndex)              RangeReader ◀─ KeyIndex        WatchHub
 *     │ append          ▲ values to compare           ReadTxns    ◀─ ValueCache         ▲ ▲
 *     ▼                 │                                 │ misses                      │ │ who is behind
 *    Log ◀──────── ValueLoader ◀──────────────────── ValueReader ─▶ Log.rows            │ └── LogHistory ◀─ Log.changes
 *     │ committed                                                                       │
 *     └──────────▶ Tail ─▶ ValueCache, KeyIndex, Lessor ────────────────────────────────┘
 *
 *   Compactor: moves the horizon, takes superseded versions out of KeyIndex and Log, a slice at a time.
 *
 * Everything runs on one thread; only the Log may wait for a disk. A step without await is a transaction of its own:
 * the head, the index and the leases never disagree for a reader.
 */
export class Store implements StoreApi {
  readonly stats = new StoreStats();
  readonly #options: StoreOptions;
  readonly #log: Log;
  readonly #index = new KeyIndex();
  readonly #cache: ValueCache;
  readonly #values: ValueReader;
  readonly #lessor: Lessor;
  readonly #tail: Tail;
  readonly #quota: Quota;
  readonly #alarms: AlarmSet;
  readonly #writer: Writer;
  readonly #compactor: Compactor;
  readonly #ranges: RangeReader;
  readonly #readTxns: ReadTxns;
  readonly #history: LogHistory;
  readonly #headReader: HeadReader | undefined;
  #hub: WatchHub | undefined;
  #clusterId = 0n;
  #memberId = 0n;
  #state: 'new' | 'running' | 'stopped' = 'new';

  constructor(options: StoreOptions) {
    const { log, clock, logger = silentLogger, shared = false } = options;
    const limits = { ...STORE_LIMITS, ...options.limits };
    const horizon = (): Revision => this.#compactor.horizon;
    this.#options = options;
    this.#log = log;
    this.#cache = new ValueCache(options.cacheBytes ?? STORE_LIMITS.cacheBytes, options.cacheSlabBytes);
    this.#values = new ValueReader(log, limits);
    this.#lessor = new Lessor({
      clock,
      logger,
      random: options.random,
      submit: (request) => this.#writer.submit(request),
      ...(options.leaseLimits === undefined ? {} : { limits: options.leaseLimits }),
    });
    this.#tail = new Tail(log, this.#index, this.#cache, this.#lessor, this.stats);
    this.#quota = new Quota(log, options.quotaBytes || STORE_LIMITS.quotaBytes, this.stats);
    this.#alarms = new AlarmSet(log);
    const loader = new ValueLoader(this.#index, this.#cache, this.#values, this.#tail, horizon);
    this.#writer = new Writer(
      {
        log,
        index: this.#index,
        cache: this.#cache,
        leases: this.#lessor,
        tail: this.#tail,
        loader,
        admission: new Admission(this.#quota, this.#alarms),
        stats: this.stats,
        clock,
        shared,
        horizon,
        holdSweep: () => this.#compactor.hold(),
      },
      limits,
    );
    this.#compactor = new Compactor(
      {
        log,
        index: this.#index,
        quota: this.#quota,
        stats: this.stats,
        clock,
        logger,
        head: () => this.#tail.head,
        writerIsIdle: () => this.#writer.isIdle,
        readsDrained: () => this.#values.drained(),
        onMoved: (revision) => this.#hub?.onCompacted(revision),
      },
      limits,
    );
    this.#ranges = new RangeReader(this.#index, this.#cache, this.#values, this.#tail, this.stats, horizon);
    this.#readTxns = new ReadTxns(this.#index, this.#cache, this.#lessor, this.#tail, loader, horizon);
    this.#history = new LogHistory(log, this.#index, this.#values, this.#tail, horizon);
    this.#headReader = shared ? new HeadReader(log, this.#tail) : undefined;
  }

  /**
   * Opens the log and builds the index from it. `onProgress` hears how many of about how many rows are loaded.
   * Rejects with LogError: a store that cannot be opened is the operator's business, and the message names the remedy.
   */
  async start(onProgress?: (rows: number, rowsTotal: number) => void): Promise<void> {
    invariant(this.#state === 'new', 'a store starts once');
    const state = await this.#log.open();
    this.#clusterId = state.clusterId;
    this.#memberId = state.memberId;
    this.#lessor.restore(state.leases);
    let rows = 0;
    await this.#log.load((batch) => {
      this.#index.load(batch);
      rows += batch.length;
      onProgress?.(rows, Math.max(rows, state.rows));
    });
    this.#index.sortLoaded((key, lease) => this.#lessor.move(key, 0n, lease));
    this.stats.keys.value = this.#index.liveKeys;
    this.#alarms.restore(state.alarms);
    await this.#quota.refresh();
    // Heads are set before the hub looks at them.
    this.#tail.start(state.head);
    this.#hub = new WatchHub(this.#history);
    this.#tail.listener = this.#hub;
    this.#compactor.start(state.horizon);
    await this.#lessor.start();
    this.#state = 'running';
  }

  /** Refuses what comes, ends what is under way, closes the log. Idempotent. */
  async stop(): Promise<void> {
    if (this.#state === 'stopped') return;
    const wasRunning = this.#state === 'running';
    this.#state = 'stopped';
    if (wasRunning) {
      await this.#lessor.stop();
      await this.#writer.stop();
      await this.#compactor.stop();
      await this.#values.drained();
      await this.#hub?.stop();
    }
    await this.#log.close();
  }

  get revision(): Revision {
    return this.#tail.head;
  }

  get compactRevision(): Revision {
    return this.#compactor.horizon;
  }

  get clusterId(): bigint {
    return this.#clusterId;
  }

  get memberId(): bigint {
    return this.#memberId;
  }

  /** Cells of the parts that have their own. */
  get partStats() {
    return {
      cache: this.#cache.stats,
      values: this.#values.stats,
      lessor: this.#lessor.stats,
      watchHub: this.#hub?.stats,
    };
  }

  /** How many revisions the slowest watcher has before it. For a scrape. */
  watchLagRevisions(): number {
    return this.#hub?.lagRevisions() ?? 0;
  }

  range(request: RangeRequest): RangeResult | Promise<RangeResult> {
    this.#checkRunning();
    if (this.#headReader === undefined || request.serializable) return this.#ranges.range(request);
    return this.#headReader.confirm().then(() => this.#ranges.range(request));
  }

  put(request: PutRequest): Promise<PutResult> {
    return this.#submit(request) as Promise<PutResult>;
  }

  deleteRange(request: DeleteRequest): Promise<DeleteResult> {
    return this.#submit(request) as Promise<DeleteResult>;
  }

  txn(request: TxnRequest): TxnResult | Promise<TxnResult> {
    if (!ReadTxns.accepts(request)) return this.#submit(request) as Promise<TxnResult>;
    this.#checkRunning();
    if (this.#headReader === undefined || isSerializable(request)) return this.#readTxns.txn(request);
    return this.#headReader.confirm().then(() => this.#readTxns.txn(request));
  }

  async compact(revision: Revision, physical: boolean): Promise<Revision> {
    this.#checkRunning();
    if (this.#alarms.has('corrupt')) throw new StoreError('corrupt');
    await this.#compactor.compact(revision, physical);
    return this.#tail.head;
  }

  watch(request: WatchRequest, sink: WatchSink): Watcher {
    this.#checkRunning();
    invariant(this.#hub !== undefined, 'a running store has a hub');
    return this.#hub.watch(request, sink);
  }

  async leaseGrant(id: LeaseId, ttlSeconds: number): Promise<LeaseGrantResult> {
    const result = await this.#submit(this.#lessor.grantRequest(id, ttlSeconds));
    invariant(result.kind === 'lease', 'a grant is answered by a lease');
    return { id: result.id, ttl: result.ttl, revision: result.revision };
  }

  async leaseRevoke(id: LeaseId): Promise<Revision> {
    return (await this.#submit({ kind: 'lease-revoke', id })).revision;
  }

  leaseKeepAlive(id: LeaseId): number | Promise<number> {
    this.#checkRunning();
    return this.#lessor.keepAlive(id);
  }

  leaseTimeToLive(id: LeaseId, withKeys: boolean): LeaseStatus | undefined {
    this.#checkRunning();
    return this.#lessor.timeToLive(id, withKeys);
  }

  leases(): readonly LeaseId[] {
    this.#checkRunning();
    return this.#lessor.leases();
  }

  async status(): Promise<StoreStatus> {
    this.#checkRunning();
    const size = await this.#log.size().catch(rethrow);
    this.stats.totalBytes.value = size.totalBytes;
    this.stats.inUseBytes.value = size.inUseBytes;
    return {
      revision: this.#tail.head,
      compactRevision: this.#compactor.horizon,
      totalBytes: size.totalBytes,
      inUseBytes: size.inUseBytes,
      alarms: this.#alarms.list(),
      keys: this.#index.liveKeys,
    };
  }

  async hashKv(revision: Revision): Promise<HashResult> {
    this.#checkRunning();
    const head = this.#tail.head;
    const horizon = this.#compactor.horizon;
    if (revision > 0 && revision < horizon) throw new StoreError('compacted');
    if (revision > head) throw new StoreError('future-revision');
    const hashRevision = revision <= 0 ? head : revision;
    const beganMs = this.#options.clock.monotonicMs();
    const release = this.#compactor.hold();
    try {
      const hash = await hashKv(this.#log, this.#index, horizon, hashRevision).catch(rethrow);
      this.stats.hashSeconds.observe((this.#options.clock.monotonicMs() - beganMs) / 1000);
      // etcd says -1 before the first compaction.
      return { hash, revision: head, compactRevision: horizon === 0 ? -1 : horizon, hashRevision };
    } finally {
      release();
    }
  }

  alarms(): readonly AlarmKind[] {
    return this.#alarms.list();
  }

  async raiseAlarm(kind: AlarmKind): Promise<void> {
    this.#checkRunning();
    await this.#alarms.raise(kind).catch(rethrow);
  }

  async disarm(kind: AlarmKind): Promise<boolean> {
    this.#checkRunning();
    this.#quota.forget();
    return this.#alarms.disarm(kind).catch(rethrow);
  }

  async defragment(): Promise<void> {
    this.#checkRunning();
    await this.#log.defragment().catch(rethrow);
    this.#quota.forget();
  }

  snapshot(): Promise<LogSnapshot> {
    this.#checkRunning();
    return this.#log.snapshot().catch(rethrow);
  }

  #submit(request: WriteRequest): Promise<WriteResult> {
    if (this.#state !== 'running') return Promise.reject(new StoreError('stopped'));
    return this.#writer.submit(request);
  }

  #checkRunning(): void {
    if (this.#state !== 'running') throw new StoreError('stopped');
  }
}

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
  /** Smaller slabs are for tests. */
  readonly cacheSlabBytes?: number;
  /** Other stores write to the same log: linearizable reads ask for its head. Default false. */
  readonly shared?: boolean;
  readonly limits?: Partial<WriterLimits & CompactorLimits & ValueReaderLimits>;
  readonly leaseLimits?: Partial<LessorLimits>;
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
  sliceMs: 1,
  pausePerSlice: 2,
  vacuumBytes: 256 * 1024,
  retryMs: 100,
  retryMsMax: 10_000,
} as const satisfies WriterLimits & CompactorLimits & ValueReaderLimits & { quotaBytes: number; cacheBytes: number };

function rethrow(error: unknown): never {
  throw toStoreError(error);
}

/** etcd: every operation of both branches is a serializable range. */
function isSerializable(request: TxnRequest): boolean {
  const serializable = (op: TxnOp): boolean => op.kind === 'range' && op.serializable;
  return request.success.every(serializable) && request.failure.every(serializable);
}
