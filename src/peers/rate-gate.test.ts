import { expect, it } from 'vitest';
import { RateGate } from './rate-gate.ts';

it('a name may come so often at once, then so often a second, and one that floods costs the others nothing', () => {
  let nowMs = 0;
  const clock = { wallMs: () => nowMs, monotonicMs: () => nowMs, after: () => ({ cancel: () => undefined }) };
  const pass = (ms: number): void => {
    nowMs += ms;
  };
  const gate = new RateGate({ clock, burst: 3, perSecond: 2, namesMax: 2 });
  const times = (name: string, count: number) => Array.from({ length: count }, () => gate.admits(name));
  expect(times('a', 5)).toEqual([true, true, true, false, false]);
  expect(times('b', 1)).toEqual([true]);
  pass(1000);
  expect(times('a', 3)).toEqual([true, true, false]);
  pass(60_000);
  expect(times('a', 4)).toEqual([true, true, true, false]);
  // Names beyond the limit push out the one that was idle longest.
  gate.admits('c');
  gate.admits('d');
  expect(times('a', 4)).toEqual([true, true, true, false]);
});
