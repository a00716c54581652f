import type { Clock, Timer } from '../../src/base/clock.ts';

/** Time that stands still until the test moves it. */
export class ManualClock implements Clock {
  nowMs = 1_000_000;
  readonly #timers = new Set<{ readonly atMs: number; readonly task: () => void }>();

  wallMs(): number {
    return this.nowMs;
  }

  monotonicMs(): number {
    return this.nowMs;
  }

  after(delayMs: number, task: () => void): Timer {
    const timer = { atMs: this.nowMs + Math.max(0, delayMs), task };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** Lets time pass, timer by timer, and lets promises settle after each. */
  async pass(ms: number): Promise<void> {
    const end = this.nowMs + ms;
    for (;;) {
      await settled();
      const next = [...this.#timers].sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined || next.atMs > end) break;
      this.#timers.delete(next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.task();
    }
    this.nowMs = end;
    await settled();
  }
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
