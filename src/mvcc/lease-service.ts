import type { Service } from '../base/service.ts';
import type { Duty } from './duty.ts';
import type { LeaseBook } from './lease-book.ts';
import type { LessorStats } from './lessor-stats.ts';
import { type LeaseStatus, StoreError } from './requests.ts';
import { type LeaseId, NO_LEASE } from './types.ts';

/**
 * Who looks after the leases: `Lessor` where one process has them, deadlines on its own clock; `SharedLessor` where
 * replicas share them, deadlines by the database's.
 */
export interface LeaseService extends Service, LeaseBook {
  readonly stats: LessorStats;
  /** What one replica does for all; none where one process has the leases to itself. */
  readonly duties: readonly Duty[];
  /** What to submit for a grant: see `grantRequest`. */
  grantRequest(id: LeaseId, ttlSeconds: number): GrantRequest;
  /** The lease's whole TTL again, in seconds; 0 when there is no such lease or it is over. */
  keepAlive(id: LeaseId): number | Promise<number>;
  /** undefined when there is no such lease. */
  timeToLive(id: LeaseId, withKeys: boolean): LeaseStatus | undefined | Promise<LeaseStatus | undefined>;
  leases(): readonly LeaseId[];
}

export interface GrantRequest {
  readonly kind: 'lease-grant';
  readonly id: LeaseId;
  /** Seconds. */
  readonly ttl: number;
}

/** Bounds of a TTL, in seconds. */
export interface TtlLimits {
  /** Shorter ones are raised to it: one and a half election timeouts of etcd's, rounded up. */
  readonly ttlSecondsMin: number;
  readonly ttlSecondsMax: number;
}

/** What to submit for a grant: an id is chosen for NO_LEASE. Throws StoreError 'lease-ttl-too-large'. */
export function grantRequest(id: LeaseId, ttlSeconds: number, limits: TtlLimits, newId: () => LeaseId): GrantRequest {
  if (ttlSeconds > limits.ttlSecondsMax) throw new StoreError('lease-ttl-too-large');
  const ttl = Math.max(ttlSeconds, limits.ttlSecondsMin);
  return { kind: 'lease-grant', id: id === NO_LEASE ? newId() : id, ttl };
}

/** A random id of 63 bits that is not taken. */
export function newLeaseId(random: () => number, isTaken: (id: LeaseId) => boolean): LeaseId {
  for (;;) {
    const high = BigInt(Math.floor(random() * 2 ** 31));
    const low = BigInt(Math.floor(random() * 2 ** 32));
    const id = (high << 32n) | low;
    if (id !== NO_LEASE && !isTaken(id)) return id;
  }
}
