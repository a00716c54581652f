import type { Clock } from '../../base/clock.ts';

/*
 * Spin, then sleep. A thread that sleeps is woken by the kernel, in 20 to 100 µs; in a virtual machine whose core was
 * handed back meanwhile, in several times that. A client that writes one thing after the other waits for two such
 * wakings in every write: the writer thread's, and then the main thread's. So both ends of the slot look out for each
 * other for a while before they sleep, but only where such a client, or a pair of them, seems to be at work:
 *
 *   append ─▶ append ─▶ … ─▶ append   a streak: each of CHANGES_MAX or fewer, each within PERIOD_MS_MAX of the last
 *                              └───── from STREAK_MIN on: look for up to LOOK_MS_MAX, then sleep
 *
 * What that may cost others is bounded: looking in vain ends the streak, so there is at most LOOK_MS_MAX of it for
 * every STREAK_MIN commits. Many clients that write at the same time share their commits, which ends it too.
 */

/** More are of several clients, who keep the threads awake by themselves. */
const CHANGES_MAX = 2;

/** Longest time from one append to the next of a streak. */
const PERIOD_MS_MAX = 5;
/** This many, one after the other, before anybody looks instead of sleeping. */
const STREAK_MIN = 8;
/** Longest look. Where disk and client take longer, what a waking costs hardly counts. */
const LOOK_MS_MAX = 2;

/** One end's view of the appends that come through the slot. */
export class Spin {
  readonly #clock: Clock;
  readonly #isOn: boolean;
  #lastMs = Number.NEGATIVE_INFINITY;
  #streak = 0;

  /** `isOn` false: it never spins, as is right where there is one core for both ends. */
  constructor(clock: Clock, isOn: boolean) {
    this.#clock = clock;
    this.#isOn = isOn;
  }

  /** An append has come, of so many changes. */
  noteAppend(changes: number): void {
    const now = this.#clock.monotonicMs();
    const periodMsMax = this.#streak < STREAK_MIN ? PERIOD_MS_MAX : LOOK_MS_MAX;
    this.#streak = changes <= CHANGES_MAX && now - this.#lastMs <= periodMsMax ? this.#streak + 1 : 0;
    this.#lastMs = now;
  }

  /** Whether to look once more instead of sleeping. */
  get goesOn(): boolean {
    return this.#isOn && this.#streak >= STREAK_MIN && this.#clock.monotonicMs() - this.#lastMs <= LOOK_MS_MAX;
  }
}
