import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { type GrantRequest, grantRequest, type LeaseService, newLeaseId, type TtlLimits } from './lease-service.ts';
import { LESSOR_LIMITS } from './lessor.ts';
import type { LessorStats } from './lessor-stats.ts';
import type { SharedLog } from './log.ts';
import { type LeaseStatus, StoreError, type WriteRequest } from './requests.ts';
import { rethrow, toStoreError } from './store-error.ts';
import { type Key, type LeaseId, type LeaseRecord, NO_LEASE } from './types.ts';

/**
 * The SharedLessor: leases that several replicas look after. Which leases there are, and their keys, follows from the
 * log as everywhere; deadlines are rows of the database, moved and judged by its clock alone.
 *
 *   keepAlive, on any replica ─▶ all of the moment in one renewLeases ─▶ deadline = the database's now + TTL
 *   the duty `expire`, on one ─▶ expiredLeases ─▶ lease-expire through the Writer ─▶ deletes keys and lease at one
 *                                                 revision, if the deadline is past in that very commit
 *
 * So no replica's clock matters, a lease that was kept alive anywhere is never ended, and two replicas that both
 * believe to have the duty do no harm: the second one's commit finds the lease gone, or renewed.
 *
 * Whoever takes the duty up waits a little first: when all replicas were away, clients come back to renew.
 */
export class SharedLessor implements LeaseService {
  readonly stats: LessorStats;
  readonly #parts: SharedLessorParts;
  readonly #limits: SharedLessorLimits;
  readonly #leases = new Map<LeaseId, SharedLease>();
  #renewals: Renewal[] = [];
  #renewing: Promise<void> | undefined;
  #round: Promise<void> | undefined;
  #timer: Timer | undefined;
  #epoch: number | undefined;
  #epochSinceMs = 0;
  #state: 'new' | 'running' | 'stopped' = 'new';

  constructor(parts: SharedLessorParts, limits: Partial<SharedLessorLimits> = {}) {
    this.#parts = parts;
    this.stats = parts.stats;
    this.#limits = { ...SHARED_LESSOR_LIMITS, ...limits };
  }

  // ── What the Tail tells ─────────────────────────────────────────────────────────────────────────────────────────────

  restore(records: readonly LeaseRecord[]): void {
    for (const { id, ttl } of records) this.#leases.set(id, new SharedLease(ttl));
    this.stats.leases.value = this.#leases.size;
  }

  granted(id: LeaseId, ttl: number): void {
    this.#leases.set(id, new SharedLease(ttl));
    this.stats.leases.value = this.#leases.size;
    this.stats.granted.value += 1;
    this.stats.ttlSeconds.observe(ttl);
  }

  revoked(id: LeaseId): void {
    if (!this.#leases.delete(id)) return;
    this.stats.leases.value = this.#leases.size;
    this.stats.revoked.value += 1;
  }

  /** Only logs of one process note down what is left. */
  checkpointed(): void {}

  move(key: Key, fromLease: LeaseId, toLease: LeaseId): void {
    if (fromLease !== NO_LEASE) this.#leases.get(fromLease)?.keys.delete(key);
    if (toLease !== NO_LEASE) this.#leases.get(toLease)?.keys.add(key);
  }

  // ── What decide asks ────────────────────────────────────────────────────────────────────────────────────────────────

  has(id: LeaseId): boolean {
    return this.#leases.has(id);
  }

  keys(id: LeaseId): readonly Key[] {
    const lease = this.#leases.get(id);
    return lease === undefined ? [] : [...lease.keys].sort();
  }

  // ── What clients ask ────────────────────────────────────────────────────────────────────────────────────────────────

  grantRequest(id: LeaseId, ttlSeconds: number): GrantRequest {
    const newId = () => newLeaseId(this.#parts.random, (taken) => this.#leases.has(taken));
    return grantRequest(id, ttlSeconds, this.#limits, newId);
  }

  /** Rejects with StoreError; `too-many-requests` when too many wait. */
  keepAlive(id: LeaseId): Promise<number> {
    if (this.#state === 'stopped') return Promise.reject(new StoreError('stopped'));
    if (this.#renewals.length >= this.#limits.renewalsWaitingMax) {
      return Promise.reject(new StoreError('too-many-requests'));
    }
    return new Promise((resolve, reject) => {
      this.#renewals.push({ id, resolve, reject });
      this.#renewing ??= this.#renewAll().finally(() => {
        this.#renewing = undefined;
      });
    });
  }

  async timeToLive(id: LeaseId, withKeys: boolean): Promise<LeaseStatus | undefined> {
    await this.#parts.confirm();
    const lease = this.#leases.get(id);
    if (lease === undefined) return undefined;
    const keys = withKeys ? this.keys(id) : [];
    const left = await this.#parts.log.leasesLeftMs([id]).catch(rethrow);
    const leftMs = left.get(id);
    return leftMs === undefined ? undefined : { id, grantedTtl: lease.ttl, ttl: Math.trunc(leftMs / 1000) + 0, keys };
  }

  leases(): readonly LeaseId[] {
    return [...this.#leases.keys()];
  }

  // ── Running ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  async start(): Promise<void> {
    this.#state = 'running';
    this.#schedule();
  }

  /** The duty is let go of, so that another replica goes on at once. The Writer must still run. */
  async stop(): Promise<void> {
    if (this.#state === 'stopped') return;
    this.#state = 'stopped';
    this.#timer?.cancel();
    await Promise.all([this.#round, this.#renewing]);
    if (this.#epoch === undefined) return;
    this.#epoch = undefined;
    await this.#parts.log.releaseDuty(DUTY, this.#parts.holder).catch((error: unknown) => this.#noteFailure(error));
  }

  /** All that wait, as often as any do. */
  async #renewAll(): Promise<void> {
    // What else comes in this turn shares the round trip.
    await Promise.resolve();
    while (this.#renewals.length > 0) {
      const batch = this.#renewals.splice(0, this.#limits.renewalsPerCall);
      try {
        const renewed = await this.#parts.log.renewLeases([...new Set(batch.map(({ id }) => id))]);
        // One that another replica has granted may not have come by yet.
        if ([...renewed].some((id) => !this.#leases.has(id))) await this.#parts.confirm();
        for (const { id, resolve } of batch) resolve(renewed.has(id) ? (this.#leases.get(id)?.ttl ?? 0) : 0);
        this.stats.renewed.value += renewed.size;
      } catch (error) {
        for (const { reject } of batch) reject(toStoreError(error));
      }
    }
  }

  #schedule(): void {
    if (this.#state !== 'running') return;
    this.#timer = this.#parts.clock.after(this.#limits.tickMs, () => {
      this.#round = this.#expireRound().finally(() => {
        this.#round = undefined;
        this.#schedule();
      });
    });
  }

  async #expireRound(): Promise<void> {
    const { log, holder, clock } = this.#parts;
    const { dutyHoldMs, takeoverGraceMs, expirePerRoundMax } = this.#limits;
    try {
      const epoch = await log.claimDuty(DUTY, holder, dutyHoldMs);
      const nowMs = clock.monotonicMs();
      if (epoch !== this.#epoch) this.#epochSinceMs = nowMs;
      this.#epoch = epoch;
      if (epoch === undefined || nowMs - this.#epochSinceMs < takeoverGraceMs) return;
      const ids = await log.expiredLeases(expirePerRoundMax);
      await Promise.all(ids.map((id) => this.#expire(id)));
    } catch (error) {
      this.#noteFailure(error);
    }
  }

  async #expire(id: LeaseId): Promise<void> {
    try {
      await this.#parts.submit({ kind: 'lease-expire', id });
      this.stats.expired.value += 1;
    } catch (error) {
      // Gone by another's hand, or kept alive at the last moment: both are well.
      if (error instanceof StoreError && (error.code === 'lease-not-found' || error.code === 'lease-renewed')) return;
      this.#noteFailure(error);
    }
  }

  #noteFailure(error: unknown): void {
    const reason = toStoreError(error).message;
    this.stats.failures.value += 1;
    if (this.#state === 'running') this.#parts.logger.warn('leases could not be looked after', { reason });
  }
}

const DUTY = 'expire';

class SharedLease {
  readonly ttl: number;
  readonly keys = new Set<Key>();

  constructor(ttl: number) {
    this.ttl = ttl;
  }
}

interface Renewal {
  readonly id: LeaseId;
  readonly resolve: (ttl: number) => void;
  readonly reject: (error: StoreError) => void;
}

export interface SharedLessorParts {
  readonly log: SharedLog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stats: LessorStats;
  /** 0 inclusive to 1 exclusive: for the ids that the store chooses. */
  readonly random: () => number;
  /** Names this replica in the duties' table. */
  readonly holder: string;
  /** The Writer's door. */
  readonly submit: (request: WriteRequest) => Promise<unknown>;
  /** Follower.confirm. */
  readonly confirm: () => Promise<void>;
}

export interface SharedLessorLimits extends TtlLimits {
  /** The pause between two rounds of the duty. */
  readonly tickMs: number;
  /** How long the duty is held without a further round: how soon another replica follows one that died. */
  readonly dutyHoldMs: number;
  readonly takeoverGraceMs: number;
  readonly expirePerRoundMax: number;
  readonly renewalsPerCall: number;
  readonly renewalsWaitingMax: number;
}

export const SHARED_LESSOR_LIMITS: SharedLessorLimits = {
  ttlSecondsMin: LESSOR_LIMITS.ttlSecondsMin,
  ttlSecondsMax: LESSOR_LIMITS.ttlSecondsMax,
  tickMs: 500,
  dutyHoldMs: 3000,
  takeoverGraceMs: 2000,
  expirePerRoundMax: 1000,
  renewalsPerCall: 5000,
  renewalsWaitingMax: 100_000,
};
