import { beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../base/clock.ts';
import { Spin } from './spin.ts';

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
    spin.noteAppend(1 + (i % 2));
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
    spin.noteAppend(3);
    expect(spin.goesOn).toBe(false);
  });

  it('never begins where clients take their time, or where it is off', () => {
    small(spin, 100, 5.1);
    expect(spin.goesOn).toBe(false);
    const off = new Spin(clock, false);
    small(off, 100, 1);
    expect(off.goesOn).toBe(false);
  });
});
