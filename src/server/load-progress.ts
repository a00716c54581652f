import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { LIMITS } from './limits.ts';

/** Says how far loading is when it takes longer than a moment; silent otherwise. */
export class LoadProgress {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #startedMs: number;
  #saidMs: number;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
    this.#startedMs = clock.monotonicMs();
    this.#saidMs = this.#startedMs;
  }

  /** Rows loaded so far, of an estimate of all. */
  note(rows: number, rowsTotal: number): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#saidMs < LIMITS.loadProgressMs) return;
    this.#saidMs = nowMs;
    const percent = rowsTotal === 0 ? 100 : Math.min(100, Math.floor((100 * rows) / rowsTotal));
    this.#logger.info('loading', {
      rows,
      rows_total: rowsTotal,
      percent,
      elapsed_ms: Math.round(nowMs - this.#startedMs),
    });
  }

  done(): void {
    const elapsedMs = Math.round(this.#clock.monotonicMs() - this.#startedMs);
    if (elapsedMs >= LIMITS.loadProgressMs) this.#logger.info('loaded', { elapsed_ms: elapsedMs });
  }
}
