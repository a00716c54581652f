import { invariant } from '../base/invariant.ts';
import { silentLogger } from '../base/logger.ts';
import { Admission } from './admission.ts';
import { AlarmSet } from './alarm-set.ts';
import type { StoreApi } from './api.ts';
import { Checker, type CheckProgress, type CheckResult } from './checker.ts';
import { Compactor } from './compactor.ts';
import type { WriteResult } from './decide.ts';
import { type Duties, dutiesOf } from './duties.ts';
import { Follower, type LostKind } from './follower.ts';
import { Hasher } from './hasher.ts';
import { importedToOf } from './imported-to.ts';
import { KeyIndex } from './key-index.ts';
import type { LeaseService } from './lease-service.ts';
import { isShared, type Log, type LogSnapshot, type LogState } from './log.ts';
import { LogHistory } from './log-history.ts';
import { MessageShortcut } from './message-shortcut.ts';
import { newLeaseService } from './new-lease-service.ts';
import { pinnedValues } from './pinned-values.ts';
import { Quota } from './quota.ts';
import { RangeReader } from './range-reader.ts';
import { ReadTxns } from './read-txns.ts';
import { Records } from './records.ts';
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
  type RecordsRequest,
  StoreError,
  type StoreStatus,
  type TxnRequest,
  type TxnResult,
  type WriteRequest,
} from './requests.ts';
import { rethrow } from './store-error.ts';
import { STORE_LIMITS, type StoreOptions } from './store-options.ts';
import { StoreStats } from './store-stats.ts';
import { Tail } from './tail.ts';
import { Turns } from './turns.ts';
import type { AlarmKind, Key, LeaseId, Revision } from './types.ts';
import { ValueCache } from './value-cache.ts';
import { ValueLoader } from './value-loader.ts';
import { ValueReader } from './value-reader.ts';
import type { Watcher, WatchRequest, WatchSink } from './watch.ts';
import { WatchHub } from './watch-hub.ts';
import { Writer } from './writer.ts';

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
 *   Compactor: moves the horizon, takes superseded versions out of KeyIndex and Log, a slice at a time.
 *
 * Everything runs on one thread; only the Log may wait for a disk. A step without await is a transaction of its own:
 * the head, the index and the leases never disagree for a reader.
 */
export class Store implements StoreApi {
  readonly stats: StoreStats;
  /** The records of other rooms, as they stand. */
  readonly records = new Records();
  readonly duties: Duties;
  readonly leaseKeys = (id: LeaseId): readonly Key[] => this.#lessor.keys(id);
  readonly expect = (gets: readonly RangeRequest[], count: number): void => this.#ranges.expect(gets, count);
  /** With a log that others write to as well. */
  readonly follower: Follower | undefined;
  readonly #options: StoreOptions;
  readonly #log: Log;
  readonly #index = new KeyIndex();
  readonly #cache: ValueCache;
  readonly #values: ValueReader;
  readonly #lessor: LeaseService;
  readonly #tail: Tail;
  readonly #quota: Quota;
  readonly #alarms: AlarmSet;
  readonly #writer: Writer;
  readonly #compactor: Compactor;
  readonly #ranges: RangeReader;
  readonly #hasher: Hasher;
  readonly #checker: Checker;
  readonly #readTxns: ReadTxns;
  readonly #history: LogHistory;
  #hub: WatchHub | undefined;
  #ids: Pick<LogState, 'clusterId' | 'memberId'> = { clusterId: 0n, memberId: 0n };
  #state: 'new' | 'running' | 'lost' | 'stopped' = 'new';

  constructor(options: StoreOptions) {
    const { log, clock, logger = silentLogger, random, cacheBytes = STORE_LIMITS.cacheBytes, cacheSlabBytes } = options;
    const limits = { ...STORE_LIMITS, ...options.limits };
    const horizon = (): Revision => this.#compactor.horizon;
    const shared = isShared(log) ? log : undefined;
    const confirm = shared === undefined ? undefined : () => this.#confirm();
    const turns = shared && new Turns(shared, clock, random);
    this.stats = options.stats ?? new StoreStats();
    this.#options = options;
    this.#log = log;
    const pinned = pinnedValues(options.pinnedPrefixes, this.stats.pinned);
    this.#cache = new ValueCache(cacheBytes, cacheSlabBytes, this.stats.cache, pinned);
    this.#values = new ValueReader(log, limits, this.stats.valueReads);
    const submit = (request: WriteRequest) => this.#writer.submit(request);
    this.#lessor = newLeaseService(shared, options, this.stats.leases, { submit, confirm: () => this.#confirm() });
    const shortcut = new MessageShortcut(this.#cache);
    this.#tail = new Tail(this.#index, this.#cache, shortcut, this.#lessor, this.records, this.stats);
    this.#quota = new Quota(log, options.quotaBytes || STORE_LIMITS.quotaBytes, this.stats);
    this.#alarms = new AlarmSet(log);
    const loader = new ValueLoader(this.#index, this.#cache, this.#values, this.#tail, horizon, confirm);
    const held = { log, index: this.#index, quota: this.#quota, stats: this.stats, tail: this.#tail };
    const moment = { horizon, head: () => this.#tail.head, holdSweep: () => this.#compactor.hold() };
    const common = { ...held, ...moment, clock, logger, confirm };
    this.#writer = new Writer(
      {
        ...common,
        applied: { index: this.#index, leases: this.#lessor, records: this.records },
        cache: this.#cache,
        passed: (cursor) => this.follower?.passed(cursor),
        ahead: () => this.follower?.ahead(),
        turns,
        loader,
        admission: new Admission(this.#quota, this.#alarms),
        newCommitId: () => turns?.newCommitId() ?? 0,
        onAppend: options.onAppend,
        onCommit: (told) => options.onCommit?.(told),
      },
      limits,
    );
    this.#compactor = new Compactor(
      {
        ...common,
        writerIsIdle: () => this.#writer.isIdle,
        readsDrained: () => this.#values.drained(),
        onMoved: (revision) => this.#hub?.onCompacted(revision),
        isShared: shared !== undefined,
      },
      limits,
    );
    this.#ranges = new RangeReader({ ...common, cache: this.#cache, shortcut, values: this.#values });
    this.#readTxns = new ReadTxns(this.#index, this.#cache, this.#lessor, this.records, this.#tail, loader, horizon);
    this.#hasher = new Hasher(common);
    this.#checker = new Checker({
      ...common,
      leases: this.#lessor,
      hasher: this.#hasher,
      importedTo: () => importedToOf(this.records),
      isSweeping: () => this.#compactor.isSweeping,
    });
    this.#history = new LogHistory(log, this.#index, this.#values, this.#tail, horizon, confirm);
    this.duties = dutiesOf(shared, options, this.stats.duties, [...this.#lessor.duties, ...this.#compactor.duties]);
    if (shared === undefined || turns === undefined) return;
    this.follower = new Follower(
      {
        ...common,
        log: shared,
        turns,
        onLost: (kind) => this.#lose(kind),
        onPlace: (moved, swept, alarms) => {
          this.#compactor.noteShared(moved, swept);
          this.#alarms.update(alarms);
        },
      },
      options.followerLimits,
    );
  }

  /**
   * Opens the log and builds the index from it. `onProgress` hears how many of about how many rows are loaded.
   * Rejects with LogError: a store that cannot be opened is the operator's business, and the message names the remedy.
   */
  async start(onProgress?: (rows: number, rowsTotal: number) => void): Promise<void> {
    invariant(this.#state === 'new', 'a store starts once');
    const state = await this.#log.open();
    this.#ids = state;
    this.#lessor.restore(state.leases);
    this.records.restore(state.records);
    let rows = 0;
    await this.#log.load((batch) => {
      this.#index.load(batch);
      rows += batch.length;
      onProgress?.(rows, Math.max(rows, state.rows));
    });
    this.#index.sortLoaded((key, lease) => this.#lessor.move(key, 0n, lease));
    this.stats.keys.value = this.#index.liveKeys;
    await this.#cache.pinned?.load(this.#index, this.#values);
    this.#alarms.restore(state.alarms);
    await this.#quota.refresh();
    // Heads are set before the hub looks at them.
    this.#tail.start(state.cursor);
    this.#hub = new WatchHub(this.#history, {}, this.stats.watches);
    this.#tail.listener = this.#hub;
    this.#compactor.start(state.horizon);
    this.#state = 'running';
    // What others have committed while the log was loaded.
    await this.follower?.confirm();
    await this.#lessor.start();
    await this.follower?.start();
    this.duties.start();
  }

  /** Refuses what comes, ends what is under way, closes the log. Idempotent. */
  async stop(): Promise<void> {
    if (this.#state === 'stopped') return;
    const wasRunning = this.#state === 'running' || this.#state === 'lost';
    this.#state = 'stopped';
    if (wasRunning) {
      await this.duties.stop();
      await this.#lessor.stop();
      await this.#writer.stop();
      await this.#compactor.stop();
      await this.follower?.stop();
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
    return this.#ids.clusterId;
  }

  get memberId(): bigint {
    return this.#ids.memberId;
  }

  /** How many revisions the slowest watcher has before it. For a scrape. */
  watchLagRevisions(): number {
    return this.#hub?.lagRevisions() ?? 0;
  }

  range(request: RangeRequest): RangeResult | Promise<RangeResult> {
    this.#checkRunning();
    if (this.follower === undefined || request.serializable) return this.#ranges.range(request);
    return this.follower.confirm().then(() => this.#ranges.range(request));
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
    if (this.follower === undefined || ReadTxns.isSerializable(request)) return this.#readTxns.txn(request);
    return this.follower.confirm().then(() => this.#readTxns.txn(request));
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

  leaseTimeToLive(id: LeaseId, withKeys: boolean): LeaseStatus | undefined | Promise<LeaseStatus | undefined> {
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
      ...size,
      alarms: this.#alarms.list(),
      keys: this.#index.liveKeys,
    };
  }

  hashKv(revision: Revision): Promise<HashResult> {
    this.#checkRunning();
    return this.#hasher.hash(revision);
  }

  /** As Checker.check. */
  check(revision: Revision, onProgress?: CheckProgress): Promise<CheckResult> {
    this.#checkRunning();
    return this.#checker.check(revision, onProgress);
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

  /** The listener hears every new applied head, after it is applied. Called synchronously; must not throw. */
  onHead(listener: (revision: Revision) => void): void {
    this.#tail.onHead = listener;
  }

  /** Ends all watchers as compacted at the revision, so that their clients list anew: for a store that was lost. */
  endWatches(compactRevision: Revision): void {
    this.#hub?.endAll(compactRevision);
  }

  /** Writes records in one commit; false when the guard was not as expected. Rejects with StoreError. */
  async writeRecords(request: RecordsRequest): Promise<boolean> {
    const result = await this.#submit(request);
    return result.kind === 'records' && result.written;
  }

  #confirm(): Promise<void> {
    invariant(this.follower !== undefined, 'a shared log is followed');
    return this.follower.confirm();
  }

  #lose(kind: LostKind): void {
    if (this.#state === 'running') this.#state = 'lost';
    this.#options.onLost?.(kind);
  }

  #submit(request: WriteRequest): Promise<WriteResult> {
    if (this.#state !== 'running') return Promise.reject(this.#notRunning());
    return this.#writer.submit(request);
  }

  #checkRunning(): void {
    if (this.#state !== 'running') throw this.#notRunning();
  }

  #notRunning(): StoreError {
    if (this.#state === 'lost') return new StoreError('unavailable', 'the store is being loaded anew');
    return new StoreError('stopped');
  }
}
