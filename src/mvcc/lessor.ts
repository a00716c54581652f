import type { Clock, Timer } from '../base/clock.ts';
import { type Logger, silentLogger } from '../base/logger.ts';
import { type GrantRequest, grantRequest, type LeaseService, newLeaseId, type TtlLimits } from './lease-service.ts';
import { Deadlines } from './lessor-deadlines.ts';
import { LessorStats } from './lessor-stats.ts';
import { type LeaseStatus, StoreError, type WriteRequest } from './requests.ts';
import { type Key, type LeaseId, type LeaseRecord, NO_LEASE } from './types.ts';

/**
 * The Lessor knows the leases, their keys and their deadlines, and ends those whose time is over.
 *
 *              grant, revoke, checkpoint
 *   clients ─────────────────────────────▶ Writer ─▶ Log ─▶ Tail ─┐ restore, granted, revoked, checkpointed, move
 *      │                                     ▲                    ▼
 *      └── keepAlive, timeToLive ──▶ Lessor ─┴─ submit: revoke those expired, checkpoint those long under way
 *
 * What is durable (that a lease exists, its TTL, what was left of it when last noted down) changes by the log alone and
 * reaches the Lessor through the Tail. What is not durable is the deadline: it lives here, on the monotonic clock. So
 *  - keepAlive costs a look-up and an addition, and no write;
 *  - after a restart a lease lives for what was left of it when last noted down, and a second more, as in etcd;
 *  - what is left is noted down (*checkpointed*) every five minutes for leases that are not kept alive, and at stop;
 *  - a lease that was noted down and is then kept alive is noted down as full first, or a restart would cut it short;
 *  - an expired lease exists until the log says otherwise: keepAlive waits for that, as etcd's does.
 *
 * Source of the numbers: etcd's server/lease/lessor.go and server/etcdserver/server.go.
 */
export class Lessor implements LeaseService {
  readonly stats: LessorStats;
  readonly duties: readonly never[] = [];
  readonly #clock: Clock;
  readonly #submit: (request: WriteRequest) => Promise<unknown>;
  readonly #random: () => number;
  readonly #logger: Logger;
  readonly #limits: LessorLimits;
  readonly #leases = new Map<LeaseId, Lease>();
  readonly #expiries = new Deadlines<Lease>((lease) => Math.max(lease.deadlineMs, lease.retryMs));
  readonly #checkpoints = new Deadlines<Lease>((lease) => lease.checkpointMs);
  readonly #underWay = new Set<Promise<void>>();
  #timer: Timer | undefined;
  #timerMs = Number.POSITIVE_INFINITY;
  /** When something was submitted last. */
  #lastTickMs = Number.NEGATIVE_INFINITY;
  #state: 'new' | 'running' | 'stopped' = 'new';

  constructor(options: LessorOptions) {
    this.stats = options.stats ?? new LessorStats();
    this.#clock = options.clock;
    this.#submit = options.submit;
    this.#random = options.random;
    this.#logger = options.logger ?? silentLogger;
    this.#limits = { ...LESSOR_LIMITS, ...options.limits };
  }

  // ── What the Tail tells ─────────────────────────────────────────────────────────────────────────────────────────────

  /** The leases found at start. Their time runs from now on. */
  restore(records: readonly LeaseRecord[]): void {
    const nowMs = this.#clock.monotonicMs();
    const leases = records.map((record) => {
      const ttl = Math.max(record.ttl, this.#limits.ttlSecondsMin);
      const remainingTtl = Math.min(record.remainingTtl > 0 ? record.remainingTtl : ttl, ttl);
      return new Lease(record.id, ttl, remainingTtl, nowMs + remainingTtl * 1000 + this.#limits.restartExtensionMs);
    });
    leases.sort((a, b) => a.deadlineMs - b.deadlineMs);
    this.#spread(leases);
    for (const lease of leases) this.#add(lease, nowMs);
  }

  granted(id: LeaseId, ttl: number): void {
    const nowMs = this.#clock.monotonicMs();
    this.#add(new Lease(id, ttl, ttl, nowMs + ttl * 1000), nowMs);
    this.stats.granted.value += 1;
    this.stats.ttlSeconds.observe(ttl);
  }

  revoked(id: LeaseId): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    this.#leases.delete(id);
    lease.alive = false;
    for (const resolve of lease.waiters) resolve(0);
    lease.waiters.length = 0;
    this.stats.leases.value = this.#leases.size;
    this.stats.revoked.value += 1;
    this.#expiries.prune(this.#leases.size);
    this.#checkpoints.prune(this.#leases.size);
  }

  checkpointed(id: LeaseId, remainingTtl: number): void {
    const lease = this.#leases.get(id);
    if (lease !== undefined) lease.remainingTtl = remainingTtl > 0 ? remainingTtl : lease.ttl;
  }

  /** A key has another lease now; NO_LEASE on either side. */
  move(key: Key, fromLease: LeaseId, toLease: LeaseId): void {
    if (fromLease !== NO_LEASE) this.#leases.get(fromLease)?.keys.delete(key);
    if (toLease !== NO_LEASE) this.#leases.get(toLease)?.keys.add(key);
  }

  // ── What decide asks (LeaseView) ────────────────────────────────────────────────────────────────────────────────────

  has(id: LeaseId): boolean {
    return this.#leases.has(id);
  }

  /** The lease's keys in order: a revocation deletes them in this order, on every replica. */
  keys(id: LeaseId): readonly Key[] {
    const lease = this.#leases.get(id);
    return lease === undefined ? [] : [...lease.keys].sort();
  }

  // ── What clients ask ────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * What to submit for a grant: an id is chosen for 0n, a short TTL is raised to the least one.
   * Throws StoreError 'lease-ttl-too-large'.
   */
  grantRequest(id: LeaseId, ttlSeconds: number): GrantRequest {
    return grantRequest(id, ttlSeconds, this.#limits, () => newLeaseId(this.#random, (taken) => this.has(taken)));
  }

  /**
   * Gives the lease its whole TTL again and answers it in seconds; 0 when there is no such lease, or no longer: an
   * expired one that is not revoked yet is waited for. Rejects with what submitting failed with, or StoreError 'stopped'.
   */
  keepAlive(id: LeaseId): number | Promise<number> {
    const lease = this.#leases.get(id);
    if (lease === undefined) return 0;
    const nowMs = this.#clock.monotonicMs();
    if (lease.deadlineMs <= nowMs) return this.#end(lease);
    if (lease.remainingTtl < lease.ttl) return this.#refill(lease);
    return this.#renew(lease, nowMs);
  }

  /** undefined when there is no such lease. */
  timeToLive(id: LeaseId, withKeys: boolean): LeaseStatus | undefined {
    const lease = this.#leases.get(id);
    if (lease === undefined) return undefined;
    // Towards zero, and below it for an expired lease, as etcd has it.
    const ttl = Math.trunc((lease.deadlineMs - this.#clock.monotonicMs()) / 1000) + 0;
    return { id, grantedTtl: lease.ttl, ttl, keys: withKeys ? this.keys(id) : [] };
  }

  /** The one that ends first comes first. */
  leases(): readonly LeaseId[] {
    return [...this.#leases.values()].sort((a, b) => a.deadlineMs - b.deadlineMs).map((lease) => lease.id);
  }

  // ── Running ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Begins to revoke what has expired. */
  async start(): Promise<void> {
    this.#state = 'running';
    this.#schedule();
  }

  /** Notes down what is left of each lease, as far as that can be done. The Writer must still run. */
  async stop(): Promise<void> {
    if (this.#state === 'stopped') return;
    const wasRunning = this.#state === 'running';
    this.#state = 'stopped';
    this.#timer?.cancel();
    await Promise.all(this.#underWay);
    if (wasRunning) await this.#checkpointAll();
    for (const lease of this.#leases.values()) {
      for (const resolve of lease.waiters) resolve(Promise.reject(new StoreError('stopped')));
      lease.waiters.length = 0;
    }
  }

  #add(lease: Lease, nowMs: number): void {
    this.#leases.set(lease.id, lease);
    this.stats.leases.value = this.#leases.size;
    this.#expiries.add(lease);
    if (lease.ttl * 1000 > this.#limits.checkpointIntervalMs) {
      lease.checkpointMs = nowMs + this.#limits.checkpointIntervalMs;
      this.#checkpoints.add(lease);
    }
    this.#schedule();
  }

  /** So many leases that end at once would crowd out everybody else's writes: some end a little later. */
  #spread(leases: readonly Lease[]): void {
    const perSecond = Math.max(1, Math.floor((this.#limits.revokesPerSecond * 3) / 4));
    for (let i = perSecond; i < leases.length; i += 1) {
      const lease = leases[i];
      const earlier = leases[i - perSecond];
      if (lease !== undefined && earlier !== undefined) {
        lease.deadlineMs = Math.max(lease.deadlineMs, earlier.deadlineMs + 1000);
      }
    }
  }

  #renew(lease: Lease, nowMs: number): number {
    lease.deadlineMs = nowMs + lease.ttl * 1000;
    lease.checkpointMs = nowMs + this.#limits.checkpointIntervalMs;
    this.stats.renewed.value += 1;
    return lease.ttl;
  }

  /** Waits until an expired lease is revoked. */
  #end(lease: Lease): Promise<number> {
    if (this.#state === 'stopped') return Promise.reject(new StoreError('stopped'));
    return new Promise((resolve) => lease.waiters.push(resolve));
  }

  async #refill(lease: Lease): Promise<number> {
    await this.#submit({ kind: 'lease-checkpoint', id: lease.id, remainingTtl: lease.ttl });
    if (!lease.alive) return 0;
    const nowMs = this.#clock.monotonicMs();
    return lease.deadlineMs <= nowMs ? this.#end(lease) : this.#renew(lease, nowMs);
  }

  /** Sets the timer to the next thing due, but not more often than every tick. */
  #schedule(): void {
    if (this.#state !== 'running') return;
    const dueMs = Math.min(this.#expiries.nextMs(), this.#checkpoints.nextMs());
    const full = this.#underWay.size >= this.#limits.underWayMax;
    const pauseFromMs = full ? this.#clock.monotonicMs() : this.#lastTickMs;
    const atMs = Math.max(dueMs, pauseFromMs + this.#limits.tickMs);
    if (atMs >= this.#timerMs || atMs === Number.POSITIVE_INFINITY) return;
    this.#timer?.cancel();
    this.#timerMs = atMs;
    this.#timer = this.#clock.after(atMs - this.#clock.monotonicMs(), () => {
      this.#timerMs = Number.POSITIVE_INFINITY;
      this.#tick();
      this.#schedule();
    });
  }

  #tick(): void {
    const nowMs = this.#clock.monotonicMs();
    const perTick = Math.max(1, Math.floor((this.#limits.revokesPerSecond * this.#limits.tickMs) / 1000));
    for (let i = 0; i < perTick && this.#underWay.size < this.#limits.underWayMax; i += 1) {
      const lease = this.#expiries.take(nowMs);
      if (lease === undefined) break;
      this.#lastTickMs = nowMs;
      this.#track(this.#revoke(lease));
    }
    for (let i = 0; i < perTick && this.#underWay.size < this.#limits.underWayMax; i += 1) {
      const lease = this.#checkpoints.take(nowMs);
      if (lease === undefined) break;
      this.#lastTickMs = nowMs;
      this.#track(this.#checkpoint(lease));
    }
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#underWay.delete(tracked));
    this.#underWay.add(tracked);
  }

  async #revoke(lease: Lease): Promise<void> {
    try {
      await this.#submit({ kind: 'lease-revoke', id: lease.id });
      this.stats.expired.value += 1;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.stats.failures.value += 1;
      this.#logger.warn('lease not revoked', { error: error.message, attempts: lease.attempts + 1 });
    }
    // Gone, nearly always. If not, then later again.
    if (!lease.alive) return;
    const { retryMs, retryMsMax } = this.#limits;
    lease.retryMs = this.#clock.monotonicMs() + Math.min(retryMs * 2 ** lease.attempts, retryMsMax);
    lease.attempts += 1;
    this.#expiries.add(lease);
    this.#schedule();
  }

  async #checkpoint(lease: Lease): Promise<void> {
    const { checkpointIntervalMs } = this.#limits;
    await this.#noteDown(lease);
    if (!lease.alive || lease.deadlineMs - this.#clock.monotonicMs() <= checkpointIntervalMs) return;
    lease.checkpointMs = this.#clock.monotonicMs() + checkpointIntervalMs;
    this.#checkpoints.add(lease);
    this.#schedule();
  }

  async #noteDown(lease: Lease): Promise<void> {
    const remainingTtl = Math.ceil((lease.deadlineMs - this.#clock.monotonicMs()) / 1000);
    if (remainingTtl <= 0 || remainingTtl >= lease.remainingTtl) return;
    try {
      await this.#submit({ kind: 'lease-checkpoint', id: lease.id, remainingTtl });
      this.stats.checkpoints.value += 1;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.stats.failures.value += 1;
      this.#logger.warn('lease not checkpointed', { error: error.message });
    }
  }

  async #checkpointAll(): Promise<void> {
    const leases = [...this.#leases.values()];
    for (let i = 0; i < leases.length; i += this.#limits.underWayMax) {
      await Promise.all(leases.slice(i, i + this.#limits.underWayMax).map((lease) => this.#noteDown(lease)));
    }
  }
}

class Lease {
  readonly id: LeaseId;
  readonly ttl: number;
  /** As the log has it: what is left after a restart. */
  remainingTtl: number;
  /** Times on the monotonic clock. */
  deadlineMs: number;
  checkpointMs = Number.POSITIVE_INFINITY;
  /** Not revoked before, for a revocation failed. */
  retryMs = 0;
  attempts = 0;
  alive = true;
  readonly keys = new Set<Key>();
  /** keepAlives that wait for the revocation. */
  readonly waiters: ((ttl: number | Promise<number>) => void)[] = [];

  constructor(id: LeaseId, ttl: number, remainingTtl: number, deadlineMs: number) {
    this.id = id;
    this.ttl = ttl;
    this.remainingTtl = remainingTtl;
    this.deadlineMs = deadlineMs;
  }
}

export interface LessorOptions {
  readonly clock: Clock;
  /** The Writer's door. Resolves when the request is applied; rejects with StoreError. */
  readonly submit: (request: WriteRequest) => Promise<unknown>;
  /** 0 inclusive to 1 exclusive: for the ids that the store chooses. */
  readonly random: () => number;
  readonly logger?: Logger;
  readonly stats?: LessorStats;
  readonly limits?: Partial<LessorLimits>;
}

export interface LessorLimits extends TtlLimits {
  /** What a lease gets on top after a restart, so that its holder has time to come back: an election timeout. */
  readonly restartExtensionMs: number;
  readonly checkpointIntervalMs: number;
  /** Also the limit of checkpoints per second. */
  readonly revokesPerSecond: number;
  /** The pause between two rounds of revoking. */
  readonly tickMs: number;
  /** Revocations and checkpoints that the Writer has not answered yet. */
  readonly underWayMax: number;
  /** First pause after a failed revocation; it doubles up to the greatest. */
  readonly retryMs: number;
  readonly retryMsMax: number;
}

export const LESSOR_LIMITS: LessorLimits = {
  ttlSecondsMin: 2,
  ttlSecondsMax: 9_000_000_000,
  restartExtensionMs: 1000,
  checkpointIntervalMs: 5 * 60 * 1000,
  revokesPerSecond: 1000,
  tickMs: 500,
  underWayMax: 1000,
  retryMs: 1000,
  retryMsMax: 30_000,
};
