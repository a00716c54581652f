import type { AlarmKind, Key, LeaseId, RecordChange, Revision } from './types.ts';

/**
 * What can be asked of the store, and what it answers, in mvcc's words. `etcd` translates bytes to these and back.
 * Requests are checked (limits, empty keys, duplicate keys) by `etcd` before they come here.
 */

/** One key (`end` = ONE_KEY), [key, end), or from key on (`end` = TO_THE_LAST_KEY). */
export interface RangeRequest {
  readonly key: Key;
  readonly end: Key;
  /** 0 or less: the newest. */
  readonly revision: Revision;
  /** 0: all. */
  readonly limit: number;
  readonly order: 'none' | 'ascend' | 'descend';
  readonly target: 'key' | 'version' | 'create' | 'mod' | 'value';
  readonly keysOnly: boolean;
  readonly countOnly: boolean;
  /** 0: no bound. */
  readonly minModRevision: Revision;
  readonly maxModRevision: Revision;
  readonly minCreateRevision: Revision;
  readonly maxCreateRevision: Revision;
  /** Embedded engines answer both kinds alike; shared ones ask the log's head unless serializable. */
  readonly serializable: boolean;
}

/**
 * A write that is decided only if its caller may still do it: with a shared log the records that say so may have come
 * after it was asked for. `permit` throws StoreError `forbidden`, whose cause is what the caller is told.
 */
export interface Permitted {
  readonly permit?: () => void;
}

export interface PutRequest extends Permitted {
  readonly kind: 'put';
  readonly key: Key;
  /** Stays as it is until the answer is there: who reads requests into a buffer that is used again copies first. */
  readonly value: Uint8Array;
  readonly lease: LeaseId;
  readonly prevKv: boolean;
  readonly ignoreValue: boolean;
  readonly ignoreLease: boolean;
}

export interface DeleteRequest extends Permitted {
  readonly kind: 'delete';
  readonly key: Key;
  readonly end: Key;
  readonly prevKv: boolean;
}

export interface TxnRequest extends Permitted {
  readonly kind: 'txn';
  readonly compare: readonly Compare[];
  readonly success: readonly TxnOp[];
  readonly failure: readonly TxnOp[];
}

export type TxnOp = ({ readonly kind: 'range' } & RangeRequest) | PutRequest | DeleteRequest | TxnRequest;

export interface Compare {
  readonly key: Key;
  readonly end: Key;
  readonly result: 'equal' | 'greater' | 'less' | 'not-equal';
  readonly target:
    | { readonly kind: 'version' | 'create' | 'mod'; readonly number: number }
    | { readonly kind: 'lease'; readonly lease: LeaseId }
    | { readonly kind: 'value'; readonly value: Uint8Array };
}

/** What the Writer takes, in the order in which it came. */
export type WriteRequest =
  | PutRequest
  | DeleteRequest
  | TxnRequest
  | { readonly kind: 'lease-grant'; readonly id: LeaseId; readonly ttl: number }
  /** Deletes the lease and its keys (at one revision; at none if it has no keys). */
  | { readonly kind: 'lease-revoke'; readonly id: LeaseId }
  /** The same, provided that its time is over (LeaseChange `expire`). */
  | { readonly kind: 'lease-expire'; readonly id: LeaseId }
  | { readonly kind: 'lease-checkpoint'; readonly id: LeaseId; readonly remainingTtl: number }
  | RecordsRequest;

/** Writes records: all or none, and only if the guard is as expected when it is their turn. */
export interface RecordsRequest {
  readonly kind: 'records';
  readonly changes: readonly RecordChange[];
  /** What this record must be; undefined: it must not be there. */
  readonly guard: { readonly name: Key; readonly value: Uint8Array | undefined } | undefined;
}

/**
 * A key-value pair as it stands in answers: the bytes of one mvccpb.KeyValue message. It is encoded once, when it is
 * committed, and copied ever after. A view into the ValueCache: valid until the caller next awaits; copy what you keep.
 */
export type KeyValueBytes = Uint8Array;

export interface RangeResult {
  readonly kind: 'range';
  /** The revision for the header: the applied head when the range was read. */
  readonly revision: Revision;
  /** How many keys the range holds, whatever limit and filters say. */
  readonly count: number;
  readonly more: boolean;
  readonly kvs: readonly KeyValueBytes[];
}

export interface PutResult {
  readonly kind: 'put';
  readonly revision: Revision;
  readonly prevKv: KeyValueBytes | undefined;
}

export interface DeleteResult {
  readonly kind: 'delete';
  readonly revision: Revision;
  readonly deleted: number;
  readonly prevKvs: readonly KeyValueBytes[];
}

export interface TxnResult {
  readonly kind: 'txn';
  readonly revision: Revision;
  readonly succeeded: boolean;
  /** One for each operation of the branch that was taken. */
  readonly results: readonly TxnOpResult[];
}

export type TxnOpResult = RangeResult | PutResult | DeleteResult | TxnResult;

export interface LeaseGrantResult {
  readonly id: LeaseId;
  readonly ttl: number;
  readonly revision: Revision;
}

export interface LeaseStatus {
  readonly id: LeaseId;
  readonly grantedTtl: number;
  /** Whole seconds left. */
  readonly ttl: number;
  readonly keys: readonly Key[];
}

export interface HashResult {
  readonly hash: number;
  readonly revision: Revision;
  readonly compactRevision: Revision;
  /** The revision that was hashed. */
  readonly hashRevision: Revision;
}

export interface StoreStatus {
  readonly revision: Revision;
  readonly compactRevision: Revision;
  readonly totalBytes: number;
  readonly inUseBytes: number;
  readonly alarms: readonly AlarmKind[];
  readonly keys: number;
}

/**
 * Why the store says no. `etcd` has one table that turns these into status codes and etcd's exact words.
 *  - `no-space`: the quota's alarm is raised.
 *  - `unavailable`, `ambiguous`, `corrupt`: see LogErrorCode; `detail` is for people.
 *  - `too-many-requests`: the Writer's queue is full.
 *  - `forbidden`: see Permitted.
 *  - `stopped`: the store is stopping.
 */
export type StoreErrorCode =
  | 'compacted'
  | 'future-revision'
  | 'key-not-found'
  | 'lease-not-found'
  | 'lease-exists'
  | 'lease-renewed'
  | 'lease-ttl-too-large'
  | 'no-space'
  | 'too-many-requests'
  | 'txn-too-large'
  | 'forbidden'
  | 'unavailable'
  | 'ambiguous'
  | 'corrupt'
  | 'stopped';

/** The one error type of the store for what is expected to happen. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, detail: string = code, options?: ErrorOptions) {
    super(detail, options);
    this.code = code;
  }
}
