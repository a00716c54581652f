import type { Clock } from '../base/clock.ts';

const TICK_MS = 10;
const SLOTS = 512;

/** Something with a deadline. The links belong to the wheel. */
export interface WheelEntry {
  readonly deadlineMs: number | undefined;
  wheelSlot: number;
  wheelNext: WheelEntry | undefined;
  wheelPrevious: WheelEntry | undefined;
  onDeadline(): void;
}

/**
 * Deadlines of all calls behind one coarse timer: a ring of slots, ten milliseconds each, entries chained in their
 * slot so that adding and removing cost the same few writes whatever the number. Later rounds stay in their slot.
 * The timer runs only while there are entries. A deadline fires up to two ticks late, never early.
 */
export class DeadlineWheel {
  readonly #clock: Clock;
  readonly #slots = new Array<WheelEntry | undefined>(SLOTS).fill(undefined);
  #size = 0;
  #tick = 0;
  #armed = false;
  readonly #run = (): void => {
    this.#armed = false;
    this.#advance(this.#clock.monotonicMs());
    this.#arm();
  };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(entry: WheelEntry): void {
    if (entry.deadlineMs === undefined || entry.wheelSlot >= 0) return;
    if (this.#size === 0) this.#tick = Math.floor(this.#clock.monotonicMs() / TICK_MS);
    const slot = Math.max(Math.ceil(entry.deadlineMs / TICK_MS), this.#tick + 1) % SLOTS;
    const head = this.#slots[slot];
    entry.wheelSlot = slot;
    entry.wheelPrevious = undefined;
    entry.wheelNext = head;
    if (head !== undefined) head.wheelPrevious = entry;
    this.#slots[slot] = entry;
    this.#size++;
    this.#arm();
  }

  remove(entry: WheelEntry): void {
    if (entry.wheelSlot < 0) return;
    if (entry.wheelNext !== undefined) entry.wheelNext.wheelPrevious = entry.wheelPrevious;
    if (entry.wheelPrevious !== undefined) entry.wheelPrevious.wheelNext = entry.wheelNext;
    else this.#slots[entry.wheelSlot] = entry.wheelNext;
    entry.wheelSlot = -1;
    entry.wheelNext = undefined;
    entry.wheelPrevious = undefined;
    this.#size--;
  }

  #arm(): void {
    if (this.#armed || this.#size === 0) return;
    this.#armed = true;
    this.#clock.after(TICK_MS, this.#run);
  }

  #advance(nowMs: number): void {
    const until = Math.floor(nowMs / TICK_MS);
    const from = Math.max(this.#tick + 1, until - SLOTS + 1);
    for (let tick = from; tick <= until; tick++) {
      this.#tick = tick;
      const due: WheelEntry[] = [];
      for (let entry = this.#slots[tick % SLOTS]; entry !== undefined; entry = entry.wheelNext) {
        if ((entry.deadlineMs ?? 0) <= nowMs) due.push(entry);
      }
      for (const entry of due) {
        if (entry.wheelSlot < 0) continue;
        this.remove(entry);
        entry.onDeadline();
      }
    }
    this.#tick = Math.max(this.#tick, until);
  }
}
