import type { WireLimits } from './limits.ts';

/**
 * Counts, per second and connection, what costs the server more than the peer. Each method answers false when the
 * second's allowance is used up: the caller ends the connection with ENHANCE_YOUR_CALM.
 */
export class FloodGuard {
  readonly #limits: WireLimits;
  #second = 0;
  #resets = 0;
  #settings = 0;
  #pings = 0;
  #empties = 0;
  #windowUpdates = 0;

  constructor(limits: WireLimits) {
    this.#limits = limits;
  }

  /** RST_STREAM received, or a stream that we had to reset or refuse (rapid reset, CVE-2023-44487). */
  reset(nowMs: number): boolean {
    this.#turn(nowMs);
    return ++this.#resets <= this.#limits.resetsPerSecondMax;
  }

  settings(nowMs: number): boolean {
    this.#turn(nowMs);
    return ++this.#settings <= this.#limits.settingsPerSecondMax;
  }

  ping(nowMs: number): boolean {
    this.#turn(nowMs);
    return ++this.#pings <= this.#limits.pingsPerSecondMax;
  }

  /** A frame that carries nothing. */
  empty(nowMs: number): boolean {
    this.#turn(nowMs);
    return ++this.#empties <= this.#limits.emptyFramesPerSecondMax;
  }

  windowUpdate(nowMs: number): boolean {
    this.#turn(nowMs);
    return ++this.#windowUpdates <= this.#limits.windowUpdatesPerSecondMax;
  }

  #turn(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    if (second === this.#second) return;
    this.#second = second;
    this.#resets = 0;
    this.#settings = 0;
    this.#pings = 0;
    this.#empties = 0;
    this.#windowUpdates = 0;
  }
}
