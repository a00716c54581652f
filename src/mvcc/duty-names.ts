import type { LeaseId } from './types.ts';

/** Parts of the lease space: lease ids by their low four bits. */
export const LEASE_PARTS: readonly number[] = Array.from({ length: 16 }, (_, part) => part);

/** `expire-00` to `expire-15`: the leases of each part. */
export const EXPIRE_DUTIES: readonly string[] = LEASE_PARTS.map((part) => `expire-${String(part).padStart(2, '0')}`);

/** Sweeping what compaction has let go of. */
export const COMPACT_DUTY = 'compact';
/** Giving free space back. */
export const VACUUM_DUTY = 'vacuum';
/** Holding the store against its log. */
export const CHECK_DUTY = 'check';
/** Snapshots by schedule. */
export const BACKUP_DUTY = 'backup';

export function leasePartOf(lease: LeaseId): number {
  return Number(lease & 15n);
}
