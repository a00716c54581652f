import type { Clock, Timer } from '../../src/base/clock.ts';

/** Time that passes when told so; everything that its timers set off is done before it passes on. */
export class SimulatedClock implements Clock {
  #nowMs = 0;
  #number = 0;
  readonly #timers = new Map<number, { readonly atMs: number; readonly task: () => void }>();

  wallMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, task: () => void): Timer {
    const number = this.#number++;
    this.#timers.set(number, { atMs: this.#nowMs + Math.max(delayMs, 0), task });
    return { cancel: () => this.#timers.delete(number) };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  async pass(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      let next: [number, { readonly atMs: number; readonly task: () => void }] | undefined;
      for (const entry of this.#timers) if (next === undefined || entry[1].atMs < next[1].atMs) next = entry;
      if (next === undefined || next[1].atMs > untilMs) break;
      this.#timers.delete(next[0]);
      this.#nowMs = Math.max(this.#nowMs, next[1].atMs);
      next[1].task();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#nowMs = untilMs;
  }
}

/** The same time for a process that can be stopped: its timers fire when it goes on. */
export class StoppableClock implements Clock {
  readonly #clock: Clock;
  #held: (() => void)[] | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  wallMs(): number {
    return this.#clock.wallMs();
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  after(delayMs: number, task: () => void): Timer {
    let isCancelled = false;
    const timer = this.#clock.after(delayMs, () => {
      const fire = () => {
        if (!isCancelled) task();
      };
      if (this.#held === undefined) fire();
      else this.#held.push(fire);
    });
    return {
      cancel: () => {
        isCancelled = true;
        timer.cancel();
      },
    };
  }

  get isStopped(): boolean {
    return this.#held !== undefined;
  }

  stop(): void {
    this.#held ??= [];
  }

  goOn(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const fire of held) fire();
  }
}
