import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Duty } from './duty.ts';
import type { DutyClaim } from './duty-fence.ts';
import { EXPIRE_DUTIES, leasePartOf } from './duty-names.ts';
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
 *   keepAlive, on any replica ─▶ all of the moment in one renewLeases ─▶ deadline = the database's now + TTL;
 *                                of one that is over, as in etcd, again until the lease is gone
 *   a part of the duty expire ─▶ expiredLeases ─▶ lease-expire through the Writer ─▶ deletes keys and lease at one
 *   (duty.ts), on one replica                     revision, if the deadline is past in that very commit
 *
 * So no replica's clock matters, a lease that was kept alive anywhere is never ended, and two replicas that both
 * believe to have the duty do no harm: the second one's commit finds the lease gone, or renewed.
 *
 * When nobody has run the duty for a while by the database's clock, all replicas or the database were away, and nobody
 * could renew: leases get their whole TTL again, as from a new leader of etcd's.
 */
export class SharedLessor implements LeaseService {
  readonly stats: LessorStats;
  /** To end the leases of each of the sixteen parts. */
  readonly duties: readonly Duty[];
  readonly #parts: SharedLessorParts;
  readonly #limits: SharedLessorLimits;
  readonly #leases = new Map<LeaseId, SharedLease>();
  #renewals: Renewal[] = [];
  #renewing: Promise<void> | undefined;
  /** Renewals of leases that are over. */
  #awaitingEnd = 0;
  /** Leases of each part. */
  readonly #counts = new Map<string, number>();
  #state: 'new' | 'running' | 'stopped' = 'new';

  constructor(parts: SharedLessorParts, limits: Partial<SharedLessorLimits> = {}) {
    this.#parts = parts;
    this.stats = parts.stats;
    this.#limits = { ...SHARED_LESSOR_LIMITS, ...limits };
    this.duties = [
      {
        parts: EXPIRE_DUTIES,
        everyMs: this.#limits.expireEveryMs,
        isWanted: (part) => (this.#counts.get(part) ?? 0) > 0,
        run: (claims) => this.#expireRound(claims),
      },
    ];
  }

  // ── What the Tail tells ─────────────────────────────────────────────────────────────────────────────────────────────

  restore(records: readonly LeaseRecord[]): void {
    for (const { id, ttl } of records) this.#add(id, ttl);
  }

  granted(id: LeaseId, ttl: number): void {
    this.#add(id, ttl);
    this.stats.granted.value += 1;
    this.stats.ttlSeconds.observe(ttl);
  }

  revoked(id: LeaseId): void {
    if (!this.#leases.delete(id)) return;
    this.#count(id, -1);
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
    return new Promise((resolve, reject) => this.#renew({ id, tries: 0, resolve, reject }));
  }

  #renew(renewal: Renewal): void {
    if (this.#state === 'stopped') renewal.reject(new StoreError('stopped'));
    else if (this.#renewals.length + this.#awaitingEnd >= this.#limits.renewalsWaitingMax) {
      renewal.reject(new StoreError('too-many-requests'));
    } else {
      this.#renewals.push(renewal);
      this.#renewing ??= this.#renewAll().finally(() => {
        this.#renewing = undefined;
      });
    }
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
  }

  async stop(): Promise<void> {
    this.#state = 'stopped';
    await this.#renewing;
  }

  #add(id: LeaseId, ttl: number): void {
    const isNew = !this.#leases.has(id);
    this.#leases.set(id, new SharedLease(ttl));
    if (isNew) this.#count(id, 1);
  }

  #count(id: LeaseId, difference: number): void {
    const part = EXPIRE_DUTIES[leasePartOf(id)] ?? '';
    this.#counts.set(part, (this.#counts.get(part) ?? 0) + difference);
    this.stats.leases.value = this.#leases.size;
  }

  /** All that wait, as often as any do. */
  async #renewAll(): Promise<void> {
    // What else comes in this turn shares the round trip.
    await Promise.resolve();
    while (this.#renewals.length > 0) {
      const batch = this.#renewals.splice(0, this.#limits.renewalsPerCall);
      try {
        const renewed = await this.#parts.log.renewLeases([...new Set(batch.map(({ id }) => id))]);
        // One that another replica has granted, or ended, may not have come by yet.
        if (batch.some(({ id }) => renewed.has(id) !== this.#leases.has(id))) await this.#parts.confirm();
        for (const renewal of batch) {
          const { id, resolve } = renewal;
          const lease = this.#leases.get(id);
          if (lease === undefined) resolve(0);
          else if (renewed.has(id)) resolve(lease.ttl);
          else this.#awaitEnd(renewal);
        }
        this.stats.renewed.value += renewed.size;
      } catch (error) {
        for (const { reject } of batch) reject(toStoreError(error));
      }
    }
  }

  /** Of a lease that is over but there: it is ended soon, or, when nobody could renew, lives on. */
  #awaitEnd({ id, tries, resolve, reject }: Renewal): void {
    if (tries >= this.#limits.endTriesMax) {
      reject(new StoreError('unavailable', 'the lease is over and not ended yet'));
      return;
    }
    this.#awaitingEnd += 1;
    this.#parts.clock.after(this.#limits.endRetryMs, () => {
      this.#awaitingEnd -= 1;
      this.#renew({ id, tries: tries + 1, resolve, reject });
    });
  }

  async #expireRound(claims: readonly DutyClaim[]): Promise<'done' | 'failed'> {
    const { log } = this.#parts;
    const { awayMs, expirePerRoundMax } = this.#limits;
    try {
      const away = claims.filter(({ ageMs }) => ageMs > awayMs);
      if (away.length > 0) await log.refreshLeases(partsOf(away));
      const ids = await log.expiredLeases(expirePerRoundMax, partsOf(claims));
      await Promise.all(ids.map((id) => this.#expire(id)));
      return 'done';
    } catch (error) {
      this.#noteFailure(error);
      return 'failed';
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

function partsOf(claims: readonly DutyClaim[]): number[] {
  return claims.map(({ duty }) => EXPIRE_DUTIES.indexOf(duty));
}

class SharedLease {
  readonly ttl: number;
  readonly keys = new Set<Key>();

  constructor(ttl: number) {
    this.ttl = ttl;
  }
}

interface Renewal {
  readonly id: LeaseId;
  readonly tries: number;
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
  /** The Writer's door. */
  readonly submit: (request: WriteRequest) => Promise<unknown>;
  /** Follower.confirm. */
  readonly confirm: () => Promise<void>;
}

export interface SharedLessorLimits extends TtlLimits {
  /** Between two rounds of the duty, for each part. */
  readonly expireEveryMs: number;
  /** When nobody has looked after a part for longer than this, its leases get their whole time again. */
  readonly awayMs: number;
  readonly expirePerRoundMax: number;
  readonly renewalsPerCall: number;
  readonly renewalsWaitingMax: number;
  /** A renewal of a lease that is over but not ended is tried again so often, after so long each. */
  readonly endTriesMax: number;
  readonly endRetryMs: number;
}

export const SHARED_LESSOR_LIMITS: SharedLessorLimits = {
  ttlSecondsMin: LESSOR_LIMITS.ttlSecondsMin,
  ttlSecondsMax: LESSOR_LIMITS.ttlSecondsMax,
  expireEveryMs: 500,
  awayMs: 5000,
  expirePerRoundMax: 1000,
  renewalsPerCall: 5000,
  renewalsWaitingMax: 100_000,
  endTriesMax: 50,
  endRetryMs: 200,
};
