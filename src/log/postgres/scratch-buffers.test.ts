import { expect, test } from 'vitest';
import { ScratchBuffers } from './scratch-buffers.ts';

test('memory goes round, but not to two at a time', () => {
  const scratch = new ScratchBuffers();
  const [first, second] = [scratch.take(100), scratch.take(100)];
  expect(first.buffer).not.toBe(second.buffer);
  scratch.giveBack(first);
  const third = scratch.take(50_000);
  expect(third.length).toBe(50_000);
  expect(third.buffer).toBe(first.buffer);
  expect(scratch.take(1).buffer).not.toBe(third.buffer);
});

test('what is too short for the next one, too long, or too much is let go of', () => {
  const scratch = new ScratchBuffers();
  const short = scratch.take(1);
  scratch.giveBack(short);
  expect(scratch.take(100_000).buffer).not.toBe(short.buffer);
  const long = scratch.take(2 ** 20 + 1);
  expect(long.length).toBe(2 ** 20 + 1);
  scratch.giveBack(long);
  expect(scratch.take(2 ** 20).buffer).not.toBe(long.buffer);
  const many = Array.from({ length: 10 }, () => scratch.take(10));
  for (const each of many) scratch.giveBack(each);
  const again = Array.from({ length: 10 }, () => scratch.take(10));
  expect(again.filter(({ buffer }) => many.some((each) => each.buffer === buffer))).toHaveLength(4);
});
