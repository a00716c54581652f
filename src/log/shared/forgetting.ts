import type { Clock, Timer } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';

/**
 * Takes old commits, and the notes that led to them, out of the database: in the background, a bite at a time, with a
 * pause after each that is longer than the bite, so that writes hardly feel it. What fails now is done the next time.
 */
export class Forgetting {
  readonly #bite: () => Promise<boolean>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #isRunning = false;
  #isClosed = false;
  #timer: Timer | undefined;
  #wake: (() => void) | undefined;

  /** `bite` resolves with whether there may be more. */
  constructor(bite: () => Promise<boolean>, { clock, logger }: { readonly clock: Clock; readonly logger: Logger }) {
    this.#bite = bite;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Begins, unless it is under way. */
  start(): void {
    if (this.#isRunning || this.#isClosed) return;
    this.#isRunning = true;
    this.#run()
      .catch((error: unknown) => {
        if (this.#isClosed) return;
        const reason = error instanceof Error ? error.message : String(error);
        this.#logger.warn('old commits are not forgotten yet', { reason });
      })
      .finally(() => {
        this.#isRunning = false;
      });
  }

  /** Begins no other bite. The one under way is for the engine to wait for. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#wake?.();
  }

  async #run(): Promise<void> {
    for (;;) {
      const beganMs = this.#clock.monotonicMs();
      if (!(await this.#bite()) || this.#isClosed) return;
      await this.#pause(PAUSE_PER_BITE * (this.#clock.monotonicMs() - beganMs));
      if (this.#isClosed) return;
    }
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.#timer = this.#clock.after(delayMs, resolve);
    });
  }
}

/** The pause after a bite, as a multiple of what it took. */
const PAUSE_PER_BITE = 4;
