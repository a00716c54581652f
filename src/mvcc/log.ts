import type { BatchesBelow } from './batches-below.ts';
import type { CommitTold } from './commit-told.ts';
import type { DutyFence } from './duty-fence.ts';
import type {
  AlarmKind,
  Change,
  ChangeHead,
  CommitId,
  Cursor,
  LeaseId,
  LeaseRecord,
  Note,
  Position,
  Revision,
  StoredRecord,
} from './types.ts';

/**
 * The one door to durability. An engine (log/sqlite, log/postgres, …) implements it and knows nothing of etcd.
 *
 * What every engine promises, and what the contract suite (`test/contract/log-contract.ts`) checks on each:
 *  1. append is all or nothing, and durable before it answers `committed`.
 *  2. The log has no gap: append carries revisions head+1, head+2, … in order, with subs 0, 1, … in each.
 *  3. append is a compare-and-set on the head: when the head is not `expected` nothing is written and the answer is `moved`.
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

  /** Appends a batch of whole transactions in one commit. A batch may be empty of changes and carry notes only. */
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

  /**
   * Deletes the rows at these positions in one commit. Positions without a row are passed over. `sweptTo`: with these,
   * all that the horizon `sweptTo` lets go of is gone; undefined when more is to follow. A shared log tells it to others.
   */
  sweep(positions: readonly Position[], sweptTo?: Revision): Promise<void>;

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
  /** Where the log ends; its revision is the head, FIRST_REVISION when empty. */
  readonly cursor: Cursor;
  /** The compaction horizon (etcd's compact revision); 0 when never compacted. */
  readonly horizon: Revision;
  readonly leases: readonly LeaseRecord[];
  readonly records: readonly StoredRecord[];
  readonly alarms: readonly AlarmKind[];
  /** Random, made with the store, never changed: etcd's cluster_id and member_id (uint64). */
  readonly clusterId: bigint;
  readonly memberId: bigint;
  /** How many rows load will hand over, for progress. May be an estimate. */
  readonly rows: number;
}

/** One commit's worth. */
export interface AppendBatch {
  /** Where the log must end, for the batch was decided against it. A log of one process looks at the revision alone. */
  readonly expected: Cursor;
  /** The name of this commit. */
  readonly commit: CommitId;
  /** In log order. Keys and values are read before append returns its promise; the caller may reuse the bytes after it is settled. */
  readonly changes: readonly Change[];
  /** In order; applied in the same commit. */
  readonly notes: readonly Note[];
  /** Where the batch came with its changes' KeyValue messages: as they are cached. */
  readonly messages?: ChangeMessages;
}

/** Of changes, one after the other. */
export interface ChangeMessages {
  readonly bytes: Uint8Array;
  /** Of each, in bytes. */
  readonly lengths: readonly number[];
}

/**
 * Hears of each batch as it is sent to the log, and does not know yet what comes of it. Answers the changes' messages if
 * it has written them, so that they need not be written again for the cache: whole until the batch is applied. Must not
 * throw.
 */
export type AppendListener = (batch: AppendBatch) => ChangeMessages | undefined;

/** Where the log stands when the batch is committed. */
export function cursorAfter({ expected, commit, changes, notes }: AppendBatch): Cursor {
  return {
    revision: changes.at(-1)?.revision ?? expected.revision,
    notes: expected.notes + notes.length,
    commit,
  };
}

/**
 * `moved`: somebody else was first. `renewed`: these leases were to expire and are alive by the
 * database's clock (or gone). With both, nothing was written.
 */
export type AppendResult =
  | { readonly kind: 'committed' }
  | { readonly kind: 'moved' }
  | { readonly kind: 'renewed'; readonly leases: readonly LeaseId[] };

/**
 * A log in a database that others write to at the same time. Beyond what every Log promises:
 *  6. A commit is known by its id. append is a compare-and-set on the id of the newest commit (`expected.commit`), so
 *     that whoever has seen another history (a primary that was lost with its last commits) can never append to this one.
 *  7. What `news` tells is in order and whole: changes and notes since a cursor, or that they cannot be told any more.
 *  8. Leases live by the database's clock alone: a grant or renewal sets the deadline to its now + TTL, and `expire`
 *     holds only if the deadline is past in the very commit.
 *  9. It is the fence of the replicas' duties (duty-fence.ts).
 */
export interface SharedLog extends Log, DutyFence {
  /**
   * As Log.append. `below`: the expected commit, and perhaps the one before it, are other replicas', on their way. Where
   * the database lets an append wait behind those, it is sent at once, and finds the log moved if they do not come within
   * milliseconds. Elsewhere it is made ready, and sent in the very step in which they are known to be committed; `moved`
   * when they are not waited for any more.
   */
  append(batch: AppendBatch, below?: BatchesBelow): Promise<AppendResult>;

  /**
   * What was committed since the cursor: changes and notes in order, whole commits only (at least one), until about
   * `bytesMax` bytes are gathered. A linearizable read is answered by the state at a news that was asked for after the
   * read came, with nothing `more`. The cursor given is always that of a commit, or of LogState.
   * `heard`: what others have said, so that less need be asked; an engine may do without.
   */
  news(since: Cursor, bytesMax: number, heard?: Heard): Promise<News>;

  /**
   * The listener is called when somebody may have committed. Hints: calls may be missing, doubled or for nothing; what
   * one says of a commit is so. True when the database itself tells at once (NOTIFY): polls are then only for what got
   * lost.
   */
  listen(onHint: (commit?: CommitTold) => void): boolean;

  /**
   * What became of an append that was `ambiguous`. Fences it first: after `false` it can never be committed, not even
   * by a server that still has it in a buffer. Rejects with LogError `ambiguous` when that cannot be found out yet.
   */
  settle(batch: AppendBatch): Promise<boolean>;

  /**
   * Commits nothing, under this name, upon whatever is newest, waiting in line for it: for a replica that was too late
   * time and again. The others see from it that somebody else writes (mvcc/turns.ts).
   * `leapTo`: a head that is below goes there by it, and the horizon with it (mvcc/leap.ts).
   */
  announce(commit: CommitId, leapTo?: Revision): Promise<void>;

  /** Gives each lease its whole TTL again. Answers those that exist and were not over; the others are left as they are. */
  renewLeases(ids: readonly LeaseId[]): Promise<ReadonlySet<LeaseId>>;

  /** How long each lease has, in milliseconds by the database's clock, below 0 when over. Those unknown are absent. */
  leasesLeftMs(ids: readonly LeaseId[]): Promise<ReadonlyMap<LeaseId, number>>;

  /**
   * Leases of these parts (`leasePartOf`; default: all) whose time is over, the one that ended first before the others,
   * `countMax` at most.
   */
  expiredLeases(countMax: number, parts?: readonly number[]): Promise<readonly LeaseId[]>;

  /** Gives all leases of these parts their whole TTL again, those over included: when nobody was there to renew them. */
  refreshLeases(parts: readonly number[]): Promise<void>;

  /** How the database and the way to it are. Never rejects: what is wrong is in the answer. */
  health(): Promise<DatabaseHealth>;
}

/** What other replicas of the log have said of their commits. */
export interface Heard {
  /** The batch that led from one place to another, if it is at hand. It is asked for once. */
  batch(from: Cursor, to: Cursor): AppendBatch | undefined;
  /** The commit that first came to this revision was answered, so it is durable, and so are all before it. */
  readonly answered: Revision;
}

export type News =
  | {
      readonly kind: 'news';
      /** Where one is with them. */
      readonly cursor: Cursor;
      readonly changes: readonly Change[];
      readonly notes: readonly Note[];
      /** There is more: ask again. */
      readonly more: boolean;
      readonly horizon: Revision;
      /** Rows that a horizon up to here lets go of are gone. */
      readonly swept: Revision;
      readonly alarms: readonly AlarmKind[];
    }
  /** `behind`: rows since the cursor are swept. `foreign`: the log does not know the cursor's commit. Load anew. */
  | { readonly kind: 'behind' | 'foreign' };

/** What health endpoints and metrics tell of a shared log. */
export interface DatabaseHealth {
  /** What it is, such as "PostgreSQL 15.8". */
  readonly server: string;
  /** undefined: well. */
  readonly problem: string | undefined;
  /** Settings that are allowed but cost durability or speed, in words. */
  readonly warnings: readonly string[];
  /** A round trip, in milliseconds. */
  readonly latencyMs: number;
  readonly connections: {
    readonly open: number;
    readonly idle: number;
    readonly max: number;
    readonly waiting: number;
  };
  /** Its clock less ours, in milliseconds. */
  readonly clockDifferenceMs: number;
  /** How far the slowest standby is behind, in bytes; undefined where the server does not tell. */
  readonly replicationLagBytes: number | undefined;
}

/** Whether others may write to the log too. */
export function isShared(log: Log): log is SharedLog {
  return 'news' in log;
}

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
