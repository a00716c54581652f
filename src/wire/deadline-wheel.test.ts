import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Clock, Timer } from '../base/clock.ts';
import { DeadlineWheel, type WheelEntry } from './deadline-wheel.ts';

/** Time that stands until a test moves it. */
class HandClock implements Clock {
  nowMs = 1000;
  readonly timers = new Set<{ readonly atMs: number; readonly task: () => void }>();

  wallMs(): number {
    return this.nowMs;
  }

  monotonicMs(): number {
    return this.nowMs;
  }

  after(delayMs: number, task: () => void): Timer {
    const timer = { atMs: this.nowMs + delayMs, task };
    this.timers.add(timer);
    return { cancel: () => void this.timers.delete(timer) };
  }

  advance(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const due = [...this.timers].filter((timer) => timer.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.timers.delete(due);
      this.nowMs = due.atMs;
      due.task();
    }
    this.nowMs = untilMs;
  }
}

class Entry implements WheelEntry {
  wheelSlot = -1;
  wheelNext: WheelEntry | undefined = undefined;
  wheelPrevious: WheelEntry | undefined = undefined;
  firedMs: number | undefined = undefined;
  readonly deadlineMs: number;
  readonly #clock: HandClock;

  constructor(deadlineMs: number, clock: HandClock) {
    this.deadlineMs = deadlineMs;
    this.#clock = clock;
  }

  onDeadline(): void {
    expect(this.firedMs).toBeUndefined();
    this.firedMs = this.#clock.nowMs;
  }
}

it('every entry fires once, never early, at most two ticks late; removed ones never; no timer when empty', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 20_000 }), fc.boolean()), { maxLength: 50 }), (plan) => {
      const clock = new HandClock();
      const wheel = new DeadlineWheel(clock);
      const entries = plan.map(([delayMs, stays]) => ({ entry: new Entry(clock.nowMs + delayMs, clock), stays }));
      for (const { entry } of entries) wheel.add(entry);
      for (const { entry, stays } of entries) if (!stays) wheel.remove(entry);
      clock.advance(20_030);
      for (const { entry, stays } of entries) {
        if (!stays) {
          expect(entry.firedMs).toBeUndefined();
        } else {
          expect(entry.firedMs).toBeGreaterThanOrEqual(entry.deadlineMs);
          expect(entry.firedMs).toBeLessThanOrEqual(entry.deadlineMs + 20);
        }
      }
      clock.advance(20);
      expect(clock.timers.size).toBe(0);
    }),
  );
});
