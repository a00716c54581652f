import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { CallRecord } from '../etcd/call-guard.ts';
import { LIMITS } from './limits.ts';

/** Says which requests were slow, and where their time went. When all are, a few a second are enough to know. */
export class SlowRequests {
  readonly thresholdMs: number;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #secondBeganMs = Number.NEGATIVE_INFINITY;
  #linesThisSecond = 0;
  #unsaid = 0;

  constructor(thresholdMs: number, clock: Clock, logger: Logger) {
    this.thresholdMs = thresholdMs;
    this.#clock = clock;
    this.#logger = logger;
  }

  note({ path, who, facts, elapsedMs, stages }: CallRecord): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#secondBeganMs >= 1000) {
      this.#secondBeganMs = nowMs;
      this.#linesThisSecond = 0;
    }
    if (this.#linesThisSecond >= LIMITS.slowRequestLinesPerSecond) {
      this.#unsaid++;
      return;
    }
    this.#linesThisSecond++;
    this.#logger.warn('slow request', {
      method: path,
      who,
      elapsed_ms: rounded(elapsedMs),
      handle_ms: rounded(stages?.handleMs ?? 0),
      store_ms: rounded(stages?.storeMs ?? 0),
      send_ms: rounded(stages?.sendMs ?? 0),
      ...(this.#unsaid > 0 ? { more_not_shown: this.#unsaid } : {}),
    });
    this.#unsaid = 0;
    this.#logger.debug('slow request', { method: path, request: JSON.stringify(facts) });
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}
