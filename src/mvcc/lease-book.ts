import type { Key, LeaseId, LeaseRecord } from './types.ts';

/** What decide asks about leases. The Lessor knows. */
export interface LeaseView {
  has(id: LeaseId): boolean;
  /** The lease's keys in order. */
  keys(id: LeaseId): readonly Key[];
}

/** What the Tail tells about leases, in the order of the log. */
export interface LeaseBook extends LeaseView {
  /** The leases found at start. Their keys follow by `move`. */
  restore(records: readonly LeaseRecord[]): void;
  granted(id: LeaseId, ttl: number): void;
  revoked(id: LeaseId): void;
  checkpointed(id: LeaseId, remainingTtl: number): void;
  /** A key has another lease now; NO_LEASE on either side. */
  move(key: Key, fromLease: LeaseId, toLease: LeaseId): void;
}
