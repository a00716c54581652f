import { expect, it } from 'vitest';
import type { Clock } from '../base/clock.ts';
import { HintSender } from './hint-sender.ts';

/** One timer at most is what it needs. */
function manualClock() {
  let nowMs = 1000;
  let timer: { atMs: number; task: () => void } | undefined;
  const clock: Clock = {
    wallMs: () => nowMs,
    monotonicMs: () => nowMs,
    after(delayMs, task) {
      timer = { atMs: nowMs + delayMs, task };
      return { cancel: () => (timer = undefined) };
    },
  };
  const pass = (ms: number): void => {
    nowMs += ms;
    const due = timer;
    if (due === undefined || due.atMs > nowMs) return;
    timer = undefined;
    due.task();
  };
  return { clock, pass };
}

it('a hint goes at once, those that follow closely as one, and none twice', () => {
  const { clock, pass } = manualClock();
  const sent: number[] = [];
  const hints = new HintSender(clock, 2, (revision) => sent.push(revision));
  hints.hint(2);
  expect(sent).toEqual([2]);
  for (let revision = 3; revision < 50; revision++) hints.hint(revision);
  expect(sent).toEqual([2]);
  pass(2);
  expect(sent).toEqual([2, 49]);
  hints.hint(49);
  hints.hint(12);
  pass(10);
  expect(sent).toEqual([2, 49]);
  hints.hint(50);
  expect(sent).toEqual([2, 49, 50]);
  hints.hint(51);
  hints.stop();
  pass(10);
  expect(sent).toEqual([2, 49, 50]);
});
