/**
 * The words of the store. Read this file first.
 *
 * A *revision* is one committed transaction. Revisions have no gaps. A transaction that changes n keys makes n
 * *changes*, numbered by `sub` from 0 in the order in which it made them. The log is the sequence of all changes,
 * ordered by (revision, sub). Everything else (index, watches, answers) follows from the log.
 *
 * The store starts at revision 1, as etcd's does: the first write is revision 2.
 */

/** A key as a byte string: one UTF-16 unit (0..255) per byte ("latin1"), so that `<` is byte order and keys hash fast. */
export type Key = string;

/** A committed transaction's number. Exact up to 2^53-1; a request's larger int64 arrives rounded, which is still "in the future". */
export type Revision = number;

/** Any int64 but 0; 0n means "no lease". */
export type LeaseId = bigint;

export const NO_LEASE: LeaseId = 0n;

/** The revision of an empty store. */
export const FIRST_REVISION: Revision = 1;

/** Most changes that one transaction can make: engines pack (revision, sub) into one 63-bit integer. */
export const SUB_BITS = 22;
export const CHANGES_PER_TXN_MAX = 2 ** SUB_BITS;

/** As a range's end: only the key itself. etcd's convention. */
export const ONE_KEY: Key = '';
/** As a range's end: all keys from the first one on. etcd's convention. */
export const TO_THE_LAST_KEY: Key = '\0';

/** Where a change stands in the log. */
export interface Position {
  readonly revision: Revision;
  readonly sub: number;
}

/** One row of the log. Immutable once committed. */
export interface Change extends Position {
  readonly kind: 'put' | 'delete';
  readonly key: Key;
  /** The revision at which the key came to life. 0 for a delete. */
  readonly createRevision: Revision;
  /** How many puts the key has seen since it came to life, this one included. 0 for a delete. */
  readonly version: number;
  /** NO_LEASE for a delete. */
  readonly lease: LeaseId;
  /** Empty for a delete. */
  readonly value: Uint8Array;
}

/** A change without its value: what the index is built from at start. */
export type ChangeHead = Omit<Change, 'value'> & { readonly valueBytes: number };

/** A lease as the log keeps it. */
export interface LeaseRecord {
  readonly id: LeaseId;
  /** Seconds, as granted. */
  readonly ttl: number;
  /** Seconds left when last noted down; equal to ttl when never noted. After a restart the lease lives this long again. */
  readonly remainingTtl: number;
}

/**
 * What happens to a lease. `expire` is a revocation on the condition that the lease's time is over by the clock of a
 * shared log's database; with a log of one process it is a plain revocation. `checkpoint` notes down the remaining TTL.
 */
export type LeaseChange =
  | { readonly kind: 'grant'; readonly id: LeaseId; readonly ttl: number }
  | { readonly kind: 'revoke'; readonly id: LeaseId }
  | { readonly kind: 'expire'; readonly id: LeaseId }
  | { readonly kind: 'checkpoint'; readonly id: LeaseId; readonly remainingTtl: number };

/** A small named thing that other rooms keep with the store: users, roles, members. */
export interface StoredRecord {
  /** Such as `auth/user/root`. */
  readonly name: Key;
  readonly value: Uint8Array;
}

/** Writes a record, or takes it away where the value is undefined. */
export interface RecordChange {
  readonly kind: 'record';
  readonly name: Key;
  readonly value: Uint8Array | undefined;
}

/**
 * What changes the store without being a revision's: leases and records. Notes are committed together with changes,
 * numbered without gaps by a count of their own, and stand between revisions: a note applies when all of revision
 * `after` is there, before anything of the next one.
 */
export interface Note {
  readonly after: Revision;
  readonly change: LeaseChange | RecordChange;
}

/** Names a commit: random, from 1 to 2^53-1, chosen by who commits; 0 for a log to which one process alone writes. */
export type CommitId = number;

/** A place in the log: everything up to here. Only a commit moves it. */
export interface Cursor {
  readonly revision: Revision;
  /** How many notes there were up to here. */
  readonly notes: number;
  /** The commit that led here. Who is at a cursor whose commit the log does not know has seen another history. */
  readonly commit: CommitId;
}

export function sameCursor(a: Cursor, b: Cursor): boolean {
  return a.revision === b.revision && a.notes === b.notes && a.commit === b.commit;
}

/** etcd's alarms. */
export type AlarmKind = 'nospace' | 'corrupt';
