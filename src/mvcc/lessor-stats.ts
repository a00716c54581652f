import { Counter, exponentialBounds, Gauge, Histogram } from '../base/metrics.ts';

/** Cells of the Lessor. In brackets etcd's name where it has the same thing. */
export class LessorStats {
  readonly leases = new Gauge();
  /** (etcd_debugging_lease_granted_total) */
  readonly granted = new Counter();
  /** (etcd_debugging_lease_revoked_total) */
  readonly revoked = new Counter();
  /** (etcd_debugging_lease_renewed_total) */
  readonly renewed = new Counter();
  /** Revoked because their time was over (etcd_server_lease_expired_total). */
  readonly expired = new Counter();
  /** TTLs as granted, in seconds (etcd_debugging_lease_ttl_total). */
  readonly ttlSeconds = new Histogram(exponentialBounds(1, 2, 24));
  readonly checkpoints = new Counter();
  /** Revocations and checkpoints that failed and are tried again. */
  readonly failures = new Counter();
}
