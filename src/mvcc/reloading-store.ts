import type { Clock } from '../base/clock.ts';
import { invariant } from '../base/invariant.ts';
import type { Logger } from '../base/logger.ts';
import type { StoreApi } from './api.ts';
import type { CheckProgress, CheckResult } from './checker.ts';
import type { CommitTold } from './commit-told.ts';
import type { Duty, DutyRule, DutyState } from './duty.ts';
import type { LostKind } from './follower.ts';
import { leapFrom } from './leap.ts';
import type { LogSnapshot } from './log.ts';
import type { Records } from './records.ts';
import type {
  DeleteRequest,
  DeleteResult,
  HashResult,
  LeaseGrantResult,
  LeaseStatus,
  PutRequest,
  PutResult,
  RangeRequest,
  RangeResult,
  RecordsRequest,
  StoreStatus,
  TxnRequest,
  TxnResult,
} from './requests.ts';
import type { Store } from './store.ts';
import { StoreStats } from './store-stats.ts';
import type { AlarmKind, Key, LeaseId, Revision } from './types.ts';
import type { Watcher, WatchRequest, WatchSink } from './watch.ts';

/**
 * A store that outlives its memory. When a Store on a shared log finds that there is no way on from what it has in
 * memory (News `behind`, `foreign`), it refuses everything; another one is loaded from the log, takes its place, and
 * all watches of the first end as compacted, so that their clients list anew and see the database's truth. Where commits
 * were lost the log leaps, so that those list anew too who come back later or elsewhere (leap.ts).
 *
 *   StoreApi ─▶ current Store ── onLost ──▶ open another, again and again until it loads ──▶ current Store
 *                                                                                            old watches end
 */
export class ReloadingStore implements StoreApi {
  readonly stats = new StoreStats();
  readonly #parts: ReloadingStoreParts;
  readonly #recordListeners: ((name: string) => void)[] = [];
  readonly #headListeners: ((revision: Revision) => void)[] = [];
  readonly #duties: Duty[] = [];
  #dutyRule: DutyRule | undefined;
  #current: Store | undefined;
  #reloading: Promise<void> | undefined;
  #stopped = false;
  #wake: (() => void) | undefined;

  constructor(parts: ReloadingStoreParts) {
    this.#parts = parts;
  }

  /** Rejects with LogError. `onProgress`: as Store.start. */
  async start(onProgress?: (rows: number, rowsTotal: number) => void): Promise<void> {
    await this.#open(onProgress);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    await this.#reloading;
    await this.#current?.stop();
  }

  /** `lost`: why there is no way on from the current one. */
  async #open(onProgress?: (rows: number, rowsTotal: number) => void, lost?: LostKind): Promise<void> {
    const store: Store = this.#parts.open(this.stats, (kind) => this.#reload(store, kind));
    // Before anything can be asked of it, and also when it cannot be started: stop lets go of what it holds.
    const before = this.#current;
    this.#current ??= store;
    try {
      await store.start(onProgress);
      // Another store's database in the place of ours has lost nothing.
      const isOurs = before?.clusterId === store.clusterId;
      if (lost === 'foreign' && before !== undefined && isOurs) await store.follower?.leap(leapFrom(before.revision));
    } catch (error) {
      await store.stop();
      throw error;
    }
    this.#current = store;
    for (const duty of this.#duties) store.duties.add(duty);
    if (this.#dutyRule !== undefined) store.duties.useRule(this.#dutyRule);
    store.records.listen((name) => this.#tellRecord(name));
    store.onHead((revision) => this.#tellHead(revision));
    if (before === undefined) return;
    // Those too that are gone.
    const names = [...before.records.list(''), ...store.records.list('')].map(({ name }) => name);
    for (const name of new Set(names)) this.#tellRecord(name);
    // Where clients may go on from; of a store that was never compacted that is where it is.
    before.endWatches(store.compactRevision || store.revision);
    await before.stop();
  }

  #reload(lost: Store, kind: LostKind): void {
    if (this.#stopped || this.#reloading !== undefined || (this.#current !== undefined && this.#current !== lost))
      return;
    this.stats.reloads.value += 1;
    // Others can; and what this one finds cannot be committed.
    void lost.duties.stop();
    const why =
      kind === 'foreign'
        ? 'the database has lost commits that were applied here: going on from its truth, clients must list anew'
        : 'compaction has passed what was applied here: loading anew';
    this.#parts.logger.error(why, { revision: lost.revision });
    this.#reloading = this.#reloadUntilDone(kind).finally(() => {
      this.#reloading = undefined;
    });
  }

  async #reloadUntilDone(kind: LostKind): Promise<void> {
    for (let failures = 0; !this.#stopped; failures += 1) {
      try {
        await this.#open(undefined, kind);
        this.#parts.logger.warn('the store is loaded anew', { revision: this.revision });
        return;
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        this.#parts.logger.warn('the store could not be loaded anew; trying again', { reason });
        await this.#pause(Math.min(RETRY_MS * 2 ** failures, RETRY_MS_MAX));
      }
    }
  }

  #pause(delayMs: number): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#parts.clock.after(delayMs, () => this.#wake?.());
      this.#wake = () => {
        timer.cancel();
        this.#wake = undefined;
        resolve();
      };
    });
  }

  // ── What is not StoreApi ────────────────────────────────────────────────────────────────────────────────────────────

  /** The listener hears every new applied head, after it is applied. Called synchronously; must not throw. */
  onHead(listener: (revision: Revision) => void): void {
    this.#headListeners.push(listener);
  }

  /** The listener hears the name of each record that changes, or may have while the store was loaded anew. */
  onRecord(listener: (name: string) => void): void {
    this.#recordListeners.push(listener);
  }

  /** Somebody else may have committed up to there. */
  poke(revision: Revision): void {
    if (revision > this.revision) this.#store.follower?.hint(revision);
  }

  /** As Follower.logTells. */
  get logTells(): boolean {
    return this.#store.follower?.logTells === true;
  }

  /** As Follower.told. */
  told(commit: CommitTold): void {
    this.#store.follower?.told(commit);
  }

  /** As ToldCommits.takeAhead. */
  takeAhead(batch: Buffer): void {
    this.#store.follower?.takeAhead(batch);
  }

  /** As Follower.leap. */
  async leap(to: Revision): Promise<void> {
    await this.#store.follower?.leap(to);
  }

  get records(): Pick<Records, 'get' | 'list'> {
    return this.#store.records;
  }

  writeRecords(request: RecordsRequest): Promise<boolean> {
    return this.#store.writeRecords(request);
  }

  /** Something more that one replica does for all. */
  addDuty(duty: Duty): void {
    this.#duties.push(duty);
    this.#store.duties.add(duty);
  }

  /** Who of several replicas is to run which duty. */
  useDutyRule(rule: DutyRule): void {
    this.#dutyRule = rule;
    this.#store.duties.useRule(rule);
  }

  /** The rule may answer otherwise now. */
  dutiesChanged(): void {
    this.#store.duties.changed();
  }

  dutyStates(): readonly DutyState[] {
    return this.#store.duties.states();
  }

  /** As Duties.refresh. */
  refreshDuties(): Promise<void> {
    return this.#store.duties.refresh();
  }

  /** As Store.leaseKeys. */
  leaseKeys(id: LeaseId): readonly Key[] {
    return this.#store.leaseKeys(id);
  }

  /** As Store.check. */
  check(revision: Revision, onProgress?: CheckProgress): Promise<CheckResult> {
    return this.#store.check(revision, onProgress);
  }

  watchLagRevisions(): number {
    return this.#store.watchLagRevisions();
  }

  #tellRecord(name: string): void {
    for (const listener of this.#recordListeners) listener(name);
  }

  #tellHead(revision: Revision): void {
    for (const listener of this.#headListeners) listener(revision);
  }

  // ── StoreApi: the current store answers ─────────────────────────────────────────────────────────────────────────────

  get #store(): Store {
    invariant(this.#current !== undefined, 'a store is started before it is asked');
    return this.#current;
  }

  get revision(): Revision {
    return this.#store.revision;
  }

  get compactRevision(): Revision {
    return this.#store.compactRevision;
  }

  get clusterId(): bigint {
    return this.#store.clusterId;
  }

  get memberId(): bigint {
    const { clusterId, memberId } = this.#store;
    return this.#parts.memberId?.(clusterId, memberId) ?? memberId;
  }

  range(request: RangeRequest): RangeResult | Promise<RangeResult> {
    return this.#store.range(request);
  }

  expect(gets: readonly RangeRequest[], count: number): void {
    this.#store.expect(gets, count);
  }

  put(request: PutRequest): Promise<PutResult> {
    return this.#store.put(request);
  }

  deleteRange(request: DeleteRequest): Promise<DeleteResult> {
    return this.#store.deleteRange(request);
  }

  txn(request: TxnRequest): TxnResult | Promise<TxnResult> {
    return this.#store.txn(request);
  }

  compact(revision: Revision, physical: boolean): Promise<Revision> {
    return this.#store.compact(revision, physical);
  }

  watch(request: WatchRequest, sink: WatchSink): Watcher {
    return this.#store.watch(request, sink);
  }

  leaseGrant(id: LeaseId, ttlSeconds: number): Promise<LeaseGrantResult> {
    return this.#store.leaseGrant(id, ttlSeconds);
  }

  leaseRevoke(id: LeaseId): Promise<Revision> {
    return this.#store.leaseRevoke(id);
  }

  leaseKeepAlive(id: LeaseId): number | Promise<number> {
    return this.#store.leaseKeepAlive(id);
  }

  leaseTimeToLive(id: LeaseId, withKeys: boolean): LeaseStatus | undefined | Promise<LeaseStatus | undefined> {
    return this.#store.leaseTimeToLive(id, withKeys);
  }

  leases(): readonly LeaseId[] {
    return this.#store.leases();
  }

  status(): Promise<StoreStatus> {
    return this.#store.status();
  }

  hashKv(revision: Revision): Promise<HashResult> {
    return this.#store.hashKv(revision);
  }

  alarms(): readonly AlarmKind[] {
    return this.#store.alarms();
  }

  raiseAlarm(kind: AlarmKind): Promise<void> {
    return this.#store.raiseAlarm(kind);
  }

  disarm(kind: AlarmKind): Promise<boolean> {
    return this.#store.disarm(kind);
  }

  defragment(): Promise<void> {
    return this.#store.defragment();
  }

  snapshot(): Promise<LogSnapshot> {
    return this.#store.snapshot();
  }
}

const RETRY_MS = 200;
const RETRY_MS_MAX = 5000;

export interface ReloadingStoreParts {
  readonly clock: Clock;
  readonly logger: Logger;
  /** This replica's own id instead of the one made with the store, which all replicas of a shared log have in common. */
  readonly memberId?: (clusterId: bigint, memberId: bigint) => bigint;
  /** Makes a Store on a log of its own, not started. */
  readonly open: (stats: StoreStats, onLost: (kind: LostKind) => void) => Store;
}
