import type { Clock, Timer } from '../base/clock.ts';

/**
 * "Revision N exists", to one member: at once when the last hint is a while ago, else when that while is over, with the
 * newest revision by then. A hint says nothing but a number, so one that was left out is in the next one.
 */
export class HintSender {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #send: (revision: number) => void;
  #newest = 0;
  #sent = 0;
  #sentAtMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;

  constructor(clock: Clock, intervalMs: number, send: (revision: number) => void) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#send = send;
  }

  hint(revision: number): void {
    if (revision <= this.#newest) return;
    this.#newest = revision;
    if (this.#timer !== undefined) return;
    const waitMs = this.#sentAtMs + this.#intervalMs - this.#clock.monotonicMs();
    if (waitMs <= 0) this.#flush();
    else this.#timer = this.#clock.after(waitMs, () => this.#flush());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #flush(): void {
    this.#timer = undefined;
    if (this.#sent === this.#newest) return;
    this.#sent = this.#newest;
    this.#sentAtMs = this.#clock.monotonicMs();
    this.#send(this.#newest);
  }
}
