import { beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../base/clock.ts';
import { lookFor, Spin } from './spin.ts';

let now: number;
const clock: Clock = {
  wallMs: () => now,
  monotonicMs: () => now,
  after: () => ({ cancel: () => {} }),
};

/** Appends of one or two changes, so many ms after one another. */
function small(spin: Spin, count: number, periodMs: number): void {
  for (let i = 0; i < count; i++) {
    now += periodMs;
    spin.noteAppend(1 + (i % 2), 0);
  }
}

describe('looking before sleeping', () => {
  let spin: Spin;
  beforeEach(() => {
    now = 1000;
    spin = new Spin(clock, true);
  });

  it('begins after some small appends that follow one another closely', () => {
    small(spin, 8, 4);
    expect(spin.goesOn).toBe(false);
    small(spin, 1, 1.5);
    expect(spin.goesOn).toBe(true);
  });

  it('ends when nothing comes, and begins anew then', () => {
    small(spin, 20, 1);
    now += 2;
    expect(spin.goesOn).toBe(true);
    now += 0.1;
    expect(spin.goesOn).toBe(false);
    small(spin, 8, 0.5);
    expect(spin.goesOn).toBe(false);
  });

  it('ends with an append that many have shared', () => {
    small(spin, 20, 1);
    spin.noteAppend(3, 0);
    expect(spin.goesOn).toBe(false);
  });

  it('never begins where clients take their time, or where it is off', () => {
    small(spin, 100, 5.1);
    expect(spin.goesOn).toBe(false);
    const off = new Spin(clock, false);
    small(off, 100, 1);
    expect(off.goesOn).toBe(false);
  });

  it('pauses where looking loses more than it wins, each time for longer', () => {
    const pauses: number[] = [];
    for (let round = 0; round < 8; round++) {
      small(spin, 10, 0.2);
      expect(spin.goesOn).toBe(true);
      loseUntilPaused(spin);
      const from = now;
      while (!spin.looks) small(spin, 1, 1);
      // The streak begins anew after the pause.
      pauses.push(Math.round((now - from - 8) / 10) * 10);
    }
    expect(pauses).toEqual([100, 200, 400, 800, 1600, 3000, 3000, 3000]);
  });

  it('forgets what it lost where looking wins as much', () => {
    for (let i = 0; i < 20; i++) {
      small(spin, 100, 0.2);
      now += 1.5;
      expect(spin.goesOn).toBe(true);
      expect(spin.looks).toBe(true);
    }
    loseUntilPaused(spin);
    small(spin, 110, 1);
    small(spin, 200, 0.2);
    expect(spin.looks).toBe(true);
    loseUntilPaused(spin);
    // As short as the first.
    small(spin, 110, 1);
    expect(spin.looks).toBe(true);
  });

  it('counts what the other end lost', () => {
    small(spin, 10, 0.2);
    for (let i = 0; i < 3; i++) {
      expect(spin.looks).toBe(true);
      spin.noteAppend(1, 4);
    }
    expect(spin.looks).toBe(false);
    expect(spin.goesOn).toBe(false);
  });
});

/** The thread stands still in the middle of its looks. */
function loseUntilPaused(spin: Spin): void {
  for (let i = 0; i < 20 && spin.looks; i++) {
    small(spin, 1, 0.2);
    now += 1.8;
    expect(spin.goesOn).toBe(spin.looks);
  }
  expect(spin.looks).toBe(false);
}

describe("the other end's look", () => {
  const steps = (...ms: number[]): Clock => ({
    ...clock,
    monotonicMs: () => {
      now += ms.shift() ?? 0.01;
      return now;
    },
  });
  const foundBy = (looks: number) => () => looks-- === 0;

  it('ends when it has found, or in vain after 2 ms', () => {
    now = 0;
    expect(lookFor(foundBy(3), steps())).toBe(0);
    expect(now).toBeCloseTo(0.05);
    expect(lookFor(foundBy(-1), steps())).toBe(0);
    expect(now).toBeCloseTo(2.07, 1);
  });

  it('tells for how long it stood still, in the last look too', () => {
    now = 0;
    expect(lookFor(foundBy(9), steps(0, 0.1, 0.7, 0.1, 0.6))).toBeCloseTo(1.3);
    expect(lookFor(foundBy(1), steps(0, 0.1, 4))).toBe(4);
    expect(lookFor(foundBy(-1), steps(0, 0.1, 4))).toBe(4);
  });
});
