import type { AlarmKind, Change, ChangeHead, LeaseChange, LeaseRecord, Position, Revision } from './types.ts';

/**
 * The one door to durability. An engine (log/sqlite, log/postgres, …) implements it and knows nothing of etcd.
 *
 * What every engine promises, and what the contract suite (`test/contract/log-contract.ts`) checks on each:
 *  1. append is all or nothing, and durable before it answers `committed`.
 *  2. The log has no gap: append carries revisions head+1, head+2, … in order, with subs 0, 1, … in each.
 *  3. append is a compare-and-set on the head: when the head is not `expectedHead` nothing is written and the answer is `moved`.
 *  4. What `committed` has answered is seen by every later call on this and on every other Log of the same store.
 *  5. compact only ever raises the horizon. Rows are removed by sweep alone, and only those that are named.
 *
 * Calls may overlap; the engine orders them. Every method rejects with a LogError when the engine cannot do it.
 */
export interface Log {
  /** Opens or creates the store, brings its schema up to date, takes whatever lock the engine needs. First call, once. */
  open(): Promise<LogState>;

  /**
   * Hands over every row, oldest first, without values, in batches; awaits the visitor between batches.
   * Only directly after open.
   */
  load(visit: (rows: readonly ChangeHead[]) => void | Promise<void>): Promise<void>;

  /** Appends a batch of whole transactions in one commit. A batch may be empty of changes and carry lease changes only. */
  append(batch: AppendBatch): Promise<AppendResult>;

  /** The newest committed revision, asked of the database itself. */
  head(): Promise<Revision>;

  /**
   * Changes with revision > `after`, in log order, whole transactions only, until about `bytesMax` bytes of keys and
   * values are gathered (at least one transaction) or the end is reached. Superseded rows that were swept are absent.
   */
  changes(after: Revision, bytesMax: number): Promise<readonly Change[]>;

  /** The rows at the given positions, in the given order; undefined where a row is not there (swept). */
  rows(at: readonly Position[]): Promise<readonly (Change | undefined)[]>;

  /** Raises the compaction horizon in one small commit. Idempotent; a lower one than the present is ignored. */
  compact(horizon: Revision): Promise<void>;

  /** Deletes the rows at these positions in one commit. Positions without a row are passed over. */
  sweep(positions: readonly Position[]): Promise<void>;

  /** Gives up to `bytes` of free space back to the file system or database. Answers how much is still to give back. */
  vacuum(bytes: number): Promise<number>;

  /** Gives back all free space now, as etcd's defragment. May block writes for the while. */
  defragment(): Promise<void>;

  /** Raises or clears an alarm, durably. */
  alarm(kind: AlarmKind, raised: boolean): Promise<void>;

  /** How big the store is, cheaply. */
  size(): Promise<LogSize>;

  /**
   * A consistent copy of the whole store as a stream of chunks (at most 64 KiB each), taken online, in bounded memory.
   * What `restore` of the same engine reads. Breaking off the iteration frees everything.
   */
  snapshot(): Promise<LogSnapshot>;

  /** Waits for calls under way, then lets go of everything, the lock included. Idempotent. */
  close(): Promise<void>;
}

/** What open finds. */
export interface LogState {
  /** FIRST_REVISION when empty. */
  readonly head: Revision;
  /** The compaction horizon (etcd's compact revision); 0 when never compacted. */
  readonly horizon: Revision;
  readonly leases: readonly LeaseRecord[];
  readonly alarms: readonly AlarmKind[];
  /** Random, made with the store, never changed: etcd's cluster_id and member_id (uint64). */
  readonly clusterId: bigint;
  readonly memberId: bigint;
  /** How many rows load will hand over, for progress. May be an estimate. */
  readonly rows: number;
}

/** One commit's worth. */
export interface AppendBatch {
  /** The head that the changes were decided against. */
  readonly expectedHead: Revision;
  /** In log order. Keys and values are read before append returns its promise; the caller may reuse the bytes after it is settled. */
  readonly changes: readonly Change[];
  /** In order; applied in the same commit. */
  readonly leases: readonly LeaseChange[];
}

/** `moved`: somebody else was first; nothing was written; `head` is theirs. */
export type AppendResult = { readonly kind: 'committed' } | { readonly kind: 'moved'; readonly head: Revision };

/** In bytes. */
export interface LogSize {
  readonly totalBytes: number;
  /** totalBytes less free pages. */
  readonly inUseBytes: number;
}

export interface LogSnapshot {
  readonly bytes: number;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/**
 * Why a Log could not do it.
 *  - `unavailable`: for now (disk full, read-only, database away). Nothing was written. Try later.
 *  - `ambiguous`: the connection broke in COMMIT and reading back did not settle it.
 *  - `corrupt`: the data is damaged; the message names file and remedy.
 *  - `refused`: wrong from the start (locked by another process, newer schema, bad option); the message names the remedy.
 *  - `closed`: after close.
 */
export type LogErrorCode = 'unavailable' | 'ambiguous' | 'corrupt' | 'refused' | 'closed';

/** The one error type of engines. Driver errors are translated into it in the engine, once. */
export class LogError extends Error {
  override readonly name = 'LogError';
  readonly code: LogErrorCode;

  constructor(code: LogErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
