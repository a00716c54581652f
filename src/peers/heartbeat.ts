import type { Clock, Timer } from '../base/clock.ts';
import type { Link } from './link.ts';

/**
 * One timer for all links: pings every heartbeat, gives up on who has been silent for too long. A process that was
 * stopped (SIGSTOP, a sleeping laptop, a host that swaps) must not take its own absence for everybody else's: when the
 * timer comes late, all are excused once, and what they sent meanwhile is read first.
 */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #timer: Timer | undefined;
  #lookedAtMs = 0;
  #pingedAtMs = 0;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  start(): void {
    this.#lookedAtMs = this.#options.clock.monotonicMs();
    this.#pingedAtMs = this.#lookedAtMs;
    this.#again();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #again(): void {
    this.#timer = this.#options.clock.after(this.#options.heartbeatMs / LOOKS_PER_HEARTBEAT, () => {
      this.#look();
      this.#again();
    });
  }

  #look(): void {
    const { clock, heartbeatMs, deadAfterMs, links, onPause } = this.#options;
    const nowMs = clock.monotonicMs();
    const sinceMs = nowMs - this.#lookedAtMs;
    this.#lookedAtMs = nowMs;
    const isPaused = sinceMs > heartbeatMs;
    if (isPaused) onPause(sinceMs);
    const isPingDue = nowMs - this.#pingedAtMs >= heartbeatMs * PING_SHARE;
    if (isPingDue) this.#pingedAtMs = nowMs;
    for (const link of links()) {
      if (isPaused) link.excuse(nowMs);
      else if (nowMs - link.heardAtMs > deadAfterMs) link.break(`silent for ${Math.round(nowMs - link.heardAtMs)} ms`);
      if (isPingDue) link.ping();
    }
  }
}

export interface HeartbeatOptions {
  readonly clock: Clock;
  readonly heartbeatMs: number;
  readonly deadAfterMs: number;
  links(): readonly Link[];
  /** The timer came late by more than a heartbeat. */
  onPause(pausedMs: number): void;
}

const LOOKS_PER_HEARTBEAT = 4;
/** A timer's earliness is no reason to wait for another look. */
const PING_SHARE = 0.9;
