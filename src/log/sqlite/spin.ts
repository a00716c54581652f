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
 *
 * A thread that looks uses up its share of a core. Where somebody else wants that core as well, the kernel takes it
 * away for some milliseconds, in the middle of a write, while one that slept would be given it as soon as it is woken.
 * An end that finds it stood still while it looked tells how long. When that is more than looking has won, nobody looks
 * for a pause, and for twice that when the next look is as bad.
 */

/** More are of several clients, who keep the threads awake by themselves. */
const CHANGES_MAX = 2;

/** Longest time from one append to the next of a streak. */
const PERIOD_MS_MAX = 5;
/** This many, one after the other, before anybody looks instead of sleeping. */
const STREAK_MIN = 8;
/** Longest look. Where disk and client take longer, what a waking costs hardly counts. */
const LOOK_MS_MAX = 2;

/** Between two looks are some µs, at the main end a turn of its event loop. After that long, it stood still. */
const STILL_MS_MIN = 0.5;
/** What an append without wakings wins. */
const WON_MS = 0.08;
/** So much more lost than won, and there is a pause. */
const LOST_MS_MAX = 10;
const PAUSE_MS_MIN = 100;
const PAUSE_MS_MAX = 3000;

/** The main thread's end: when to look, for both. */
export class Spin {
  readonly #clock: Clock;
  readonly #isOn: boolean;
  #streak = 0;
  #lastAppendMs = Number.NEGATIVE_INFINITY;
  #lastLookMs = Number.NEGATIVE_INFINITY;
  /** Lost less won, 0 to LOST_MS_MAX. */
  #lostMs = 0;
  #pauseMs = PAUSE_MS_MIN;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;

  /** `isOn` false: it never spins, as is right where there is one core for both ends. */
  constructor(clock: Clock, isOn: boolean) {
    this.#clock = clock;
    this.#isOn = isOn;
  }

  /** An append of so many changes is about to go; the other end stood still for so long since the last one. */
  noteAppend(changes: number, otherStillMs: number): void {
    const now = this.#clock.monotonicMs();
    if (this.looks) this.#win();
    if (otherStillMs > 0) this.#lose(otherStillMs, now);
    const periodMsMax = this.#streak < STREAK_MIN ? PERIOD_MS_MAX : LOOK_MS_MAX;
    const isNext = changes <= CHANGES_MAX && now - this.#lastAppendMs <= periodMsMax && now >= this.#pausedUntilMs;
    this.#streak = isNext ? this.#streak + 1 : 0;
    this.#lastAppendMs = now;
    this.#lastLookMs = now;
  }

  /** Whether both ends are to look, from this append to the next. */
  get looks(): boolean {
    return this.#isOn && this.#streak >= STREAK_MIN;
  }

  /** Whether to look once more instead of sleeping; asked after each look, the last one too. */
  get goesOn(): boolean {
    if (!this.looks) return false;
    const now = this.#clock.monotonicMs();
    const stillMs = now - this.#lastLookMs;
    this.#lastLookMs = now;
    if (stillMs >= STILL_MS_MIN) this.#lose(stillMs, now);
    return this.looks && now - this.#lastAppendMs <= LOOK_MS_MAX;
  }

  #win(): void {
    if (this.#lostMs === 0) return;
    this.#lostMs = Math.max(0, this.#lostMs - WON_MS);
    if (this.#lostMs === 0) this.#pauseMs = PAUSE_MS_MIN;
  }

  #lose(stillMs: number, now: number): void {
    // Of a look before the pause.
    if (now < this.#pausedUntilMs) return;
    this.#lostMs += stillMs;
    if (this.#lostMs < LOST_MS_MAX) return;
    this.#streak = 0;
    this.#lostMs = LOST_MS_MAX / 2;
    this.#pausedUntilMs = now + this.#pauseMs;
    this.#pauseMs = Math.min(PAUSE_MS_MAX, 2 * this.#pauseMs);
  }
}

/** The other end's look, until it is `found`, LOOK_MS_MAX at most. Returns for how many ms it stood still. */
export function lookFor(found: () => boolean, clock: Clock): number {
  const startMs = clock.monotonicMs();
  let stillMs = 0;
  for (let lastMs = startMs; ; ) {
    const isFound = found();
    const now = clock.monotonicMs();
    if (now - lastMs >= STILL_MS_MIN) stillMs += now - lastMs;
    if (isFound || now - startMs > LOOK_MS_MAX) return stillMs;
    lastMs = now;
  }
}
