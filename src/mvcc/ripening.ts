import type { Revision } from './types.ts';

/**
 * Which horizon is old enough for a sweep: each waits for the grace, those that come meanwhile wait for the next one
 * together. So a horizon that moves all the time is swept all the same, at most two graces late.
 */
export class Ripening {
  readonly #graceMs: number;
  #ripe: Revision = 0;
  #waiting: Revision = 0;
  #sinceMs = 0;
  #newest: Revision = 0;

  constructor(graceMs: number) {
    this.#graceMs = graceMs;
  }

  moved(horizon: Revision, nowMs: number): void {
    this.#newest = horizon;
    this.#turn(nowMs);
  }

  /** The newest one that has waited long enough; 0 before the first. */
  horizon(nowMs: number): Revision {
    this.#turn(nowMs);
    return this.#ripe;
  }

  /** How long until the next one has; 0 when none waits. */
  leftMs(nowMs: number): number {
    this.#turn(nowMs);
    return this.#waiting === this.#ripe ? 0 : Math.max(0, this.#sinceMs + this.#graceMs - nowMs);
  }

  #turn(nowMs: number): void {
    if (this.#waiting > this.#ripe && nowMs - this.#sinceMs >= this.#graceMs) this.#ripe = this.#waiting;
    if (this.#waiting > this.#ripe || this.#newest === this.#waiting) return;
    this.#waiting = this.#newest;
    this.#sinceMs = nowMs;
    if (this.#graceMs === 0) this.#ripe = this.#waiting;
  }
}
