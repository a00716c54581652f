import type { LogSnapshot } from './log.ts';
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
  StoreStatus,
  TxnRequest,
  TxnResult,
} from './requests.ts';
import type { AlarmKind, LeaseId, Revision } from './types.ts';
import type { Watcher, WatchRequest, WatchSink } from './watch.ts';

/**
 * The store as `etcd` sees it; `Store` (store.ts) implements it. Failures are StoreError, always, thrown or rejected.
 * A method that answers `T | Promise<T>` answers at once when memory has everything: the hot path makes no promise.
 */
export interface StoreApi {
  /** The applied head: the newest revision that readers may see. */
  readonly revision: Revision;
  readonly compactRevision: Revision;
  readonly clusterId: bigint;
  readonly memberId: bigint;

  range(request: RangeRequest): RangeResult | Promise<RangeResult>;
  /** The first `count` gets come next, in this turn of the event loop: they are answered a little faster for it. */
  expect(gets: readonly RangeRequest[], count: number): void;
  put(request: PutRequest): Promise<PutResult>;
  deleteRange(request: DeleteRequest): Promise<DeleteResult>;
  /** A transaction without writes in the branch taken makes no revision. */
  txn(request: TxnRequest): TxnResult | Promise<TxnResult>;
  /** Moves the horizon; with `physical` resolves when the sweep up to it is done. Answers the header's revision. */
  compact(revision: Revision, physical: boolean): Promise<Revision>;

  watch(request: WatchRequest, sink: WatchSink): Watcher;

  /** id 0n: the store chooses one. */
  leaseGrant(id: LeaseId, ttlSeconds: number): Promise<LeaseGrantResult>;
  leaseRevoke(id: LeaseId): Promise<Revision>;
  /** Answers the TTL; 0 when there is no such lease. */
  leaseKeepAlive(id: LeaseId): number | Promise<number>;
  /** undefined when there is no such lease. */
  leaseTimeToLive(id: LeaseId, withKeys: boolean): LeaseStatus | undefined | Promise<LeaseStatus | undefined>;
  leases(): readonly LeaseId[];

  status(): Promise<StoreStatus>;
  /** etcd's HashKV at a revision (0: the newest), bit for bit. */
  hashKv(revision: Revision): Promise<HashResult>;
  alarms(): readonly AlarmKind[];
  raiseAlarm(kind: AlarmKind): Promise<void>;
  disarm(kind: AlarmKind): Promise<boolean>;
  defragment(): Promise<void>;
  snapshot(): Promise<LogSnapshot>;
}
