import { describe, expect, it } from 'vitest';
import { encodeBatch } from './batch-codec.ts';
import { BatchesAhead } from './batches-ahead.ts';
import { type AppendBatch, cursorAfter } from './log.ts';
import type { Cursor } from './types.ts';

const START: Cursor = { revision: 1, notes: 0, commit: 10 };
const NONE = 0;

function putAfter(expected: Cursor, commit: number, valueBytes = 1): AppendBatch {
  const revision = expected.revision + 1;
  const value = new Uint8Array(valueBytes);
  const put = {
    kind: 'put' as const,
    key: 'k',
    revision,
    sub: 0,
    createRevision: revision,
    version: 1,
    lease: 0n,
    value,
  };
  return { expected, commit, changes: [put], notes: [] };
}

describe('batches that came ahead', () => {
  it('are found once, by the commit that they become', () => {
    const ahead = new BatchesAhead(1e6);
    const batch = putAfter(START, 11);
    ahead.add(encodeBatch(batch), NONE);
    expect(ahead.take(START, { ...START, commit: 12 })).toBeUndefined();
    expect(ahead.take(START, cursorAfter(batch))?.commit).toBe(11);
    expect(ahead.take(START, cursorAfter(batch))).toBeUndefined();
    expect(ahead.bytes).toBe(0);
  });

  it('are nothing for a commit that begins or ends elsewhere, though it has the name', () => {
    for (const wrong of [{ revision: 2 }, { notes: 1 }, { commit: 9 }]) {
      const ahead = new BatchesAhead(1e6);
      const batch = putAfter(START, 11);
      ahead.add(encodeBatch(batch), NONE);
      expect(ahead.take({ ...START, ...wrong }, cursorAfter(batch))).toBeUndefined();
    }
    for (const wrong of [{ revision: 3 }, { notes: 1 }]) {
      const ahead = new BatchesAhead(1e6);
      const batch = putAfter(START, 11);
      ahead.add(encodeBatch(batch), NONE);
      expect(ahead.take(START, { ...cursorAfter(batch), ...wrong })).toBeUndefined();
    }
  });

  it('lead from one place to another, one upon the other, or not at all', () => {
    const first = putAfter(START, 11);
    const second = putAfter(cursorAfter(first), 12);
    const third = putAfter(cursorAfter(second), 13);
    const all = [third, putAfter(cursorAfter(first), 14), first, second];
    const filled = (batches: readonly AppendBatch[]): BatchesAhead => {
      const ahead = new BatchesAhead(1e6);
      for (const batch of batches) ahead.add(encodeBatch(batch), NONE);
      return ahead;
    };
    const toThird = { upon: second.commit, cursor: cursorAfter(third) };
    const ahead = filled(all);
    expect(ahead.takeAll(START, toThird)?.map(({ commit }) => commit)).toEqual([11, 12, 13]);
    expect(ahead.bytes).toBe(encodeBatch(first).length);
    for (const missing of [first, second, third]) {
      const broken = filled(all.filter((batch) => batch !== missing));
      expect(broken.takeAll(START, toThird)).toBeUndefined();
      expect(broken.bytes).toBe(encodeBatch(first).length * 3);
    }
    for (const wrong of [{ revision: 9 }, { notes: 1 }, { commit: 9 }]) {
      expect(filled(all).takeAll({ ...START, ...wrong }, toThird)).toBeUndefined();
      expect(filled(all).takeAll(START, { ...toThird, cursor: { ...toThird.cursor, ...wrong } })).toBeUndefined();
    }
    expect(filled(all).takeAll(START, { ...toThird, upon: first.commit })).toBeUndefined();
    expect(filled(all).takeAll(START, { upon: 9, cursor: START })).toEqual([]);
    // A batch that stands upon itself leads nowhere.
    const circle = { expected: START, commit: START.commit, changes: [], notes: [] };
    expect(filled([circle]).takeAll({ ...START, commit: 9 }, { upon: START.commit, cursor: START })).toBeUndefined();
  });

  it('are there to stand on, the newest that wants to be committed upon a place', () => {
    const ahead = new BatchesAhead(1e6);
    const [batch, again] = [putAfter(START, 11), putAfter(START, 12)];
    expect(ahead.add(encodeBatch(batch), NONE)).toBe(11);
    expect(ahead.upon(START)?.commit).toBe(11);
    expect(ahead.add(encodeBatch(again), NONE)).toBe(12);
    expect(ahead.upon(START)?.commit).toBe(12);
    expect(ahead.upon({ ...START, commit: 9 })).toBeUndefined();
    expect(ahead.upon(cursorAfter(batch))).toBeUndefined();
    expect(ahead.take(START, cursorAfter(again))?.commit).toBe(12);
    expect(ahead.upon(START)?.commit).toBe(11);
  });

  it('are not more than so many, however small', () => {
    const ahead = new BatchesAhead(1e9);
    for (let commit = 1; commit <= 1000; commit += 1) ahead.add(encodeBatch(putAfter(START, commit)), NONE);
    expect(ahead.bytes).toBe(encodeBatch(putAfter(START, 1)).length * 256);
  });

  it('take no more room than they may: the first ones go', () => {
    const one = encodeBatch(putAfter(START, 11, 1000));
    const ahead = new BatchesAhead(one.length * 3);
    for (let commit = 11; commit < 31; commit += 1) ahead.add(encodeBatch(putAfter(START, commit, 1000)), NONE);
    expect(ahead.bytes).toBe(one.length * 3);
    expect(ahead.take(START, cursorAfter(putAfter(START, 27)))).toBeUndefined();
    expect(ahead.take(START, cursorAfter(putAfter(START, 28)))).toBeDefined();
    ahead.add(encodeBatch(putAfter(START, 40, 4000)), NONE);
    expect(ahead.take(START, cursorAfter(putAfter(START, 40)))).toBeUndefined();
    ahead.add(one, NONE);
    ahead.add(one, NONE);
    expect(ahead.bytes).toBe(one.length * 3);
  });

  it('go when the log has passed them', () => {
    const ahead = new BatchesAhead(1e6);
    ahead.add(encodeBatch(putAfter(START, 11)), NONE);
    const later = putAfter({ revision: 9, notes: 0, commit: 20 }, 21);
    ahead.add(encodeBatch(later), 9);
    expect(ahead.bytes).toBe(encodeBatch(later).length);
    ahead.add(encodeBatch(putAfter(START, 12)), 9);
    expect(ahead.bytes).toBe(encodeBatch(later).length);
  });

  it('are awaited from those alone who have sent some, and have not failed to', () => {
    const ahead = new BatchesAhead(1e6);
    const ours = 5 * 2 ** 33;
    expect(ahead.isAwaited(ours + 2)).toBe(false);
    ahead.add(encodeBatch(putAfter(START, ours + 1)), NONE);
    expect(ahead.isAwaited(ours + 2)).toBe(true);
    expect(ahead.isAwaited(6 * 2 ** 33 + 2)).toBe(false);
    ahead.giveUp(ours + 2);
    expect(ahead.isAwaited(ours + 3)).toBe(false);
  });
});
