import type { Clock } from '../base/clock.ts';

/** A bucket of tokens per name: so many at once, then so many per second. Remembers the most recent names only. */
export class RateGate {
  readonly #clock: Clock;
  readonly #burst: number;
  readonly #perSecond: number;
  readonly #namesMax: number;
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();

  constructor(options: {
    readonly clock: Clock;
    readonly burst: number;
    readonly perSecond: number;
    readonly namesMax: number;
  }) {
    this.#clock = options.clock;
    this.#burst = options.burst;
    this.#perSecond = options.perSecond;
    this.#namesMax = options.namesMax;
  }

  /** Takes a token; false: there is none. */
  admits(name: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    const bucket = this.#buckets.get(name) ?? { tokens: this.#burst, atMs: nowMs };
    bucket.tokens = Math.min(this.#burst, bucket.tokens + ((nowMs - bucket.atMs) / 1000) * this.#perSecond);
    bucket.atMs = nowMs;
    this.#buckets.delete(name);
    this.#buckets.set(name, bucket);
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > this.#namesMax && oldest !== undefined) this.#buckets.delete(oldest);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }
}
