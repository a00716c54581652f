/** A pending timer. */
export interface Timer {
  cancel(): void;
}

/** The only door to time. Rooms take a Clock; nothing but this file calls Date, performance or setTimeout. */
export interface Clock {
  /** Milliseconds since the Unix epoch. May jump; for people and logs only. */
  wallMs(): number;
  /** Milliseconds since an arbitrary start. Never goes back; for deadlines and durations. Fractional. */
  monotonicMs(): number;
  /** Runs `task` once after `delayMs`. Does not keep the process alive. */
  after(delayMs: number, task: () => void): Timer;
}

/** setTimeout's limit: a longer delay would fire at once. */
const TIMER_DELAY_MS_MAX = 2 ** 31 - 1;

/** The machine's clock. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, Math.min(Math.max(delayMs, 0), TIMER_DELAY_MS_MAX));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};
