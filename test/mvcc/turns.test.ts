import { describe, expect, it } from 'vitest';
import { Turns } from '../../src/mvcc/turns.ts';
import type { CommitId } from '../../src/mvcc/types.ts';
import { ManualClock } from '../lease/manual-clock.ts';

describe('turns', () => {
  /** Replicas with the tags 1, 2, 3, …, each of which hears of every commit at once. */
  function replicas(count: number) {
    const clock = new ManualClock();
    const announced: CommitId[] = [];
    const log = { announce: async (commit: CommitId) => void announced.push(commit) };
    const all = Array.from({ length: count }, (_, i) => new Turns(log, clock, () => (i + 1.5) / 2 ** 20));
    const commit = (i: number): void => {
      clock.nowMs += 10;
      const id = all[i]?.newCommitId() ?? 0;
      all.forEach((turns, other) => {
        if (other === i) turns.committed(10);
        else turns.saw(id);
      });
    };
    const rests = () => all.map(({ restMs }) => Math.round(restMs));
    return { clock, announced, all, commit, rests };
  }

  it('are nobody’s as long as one writes alone', () => {
    const { all, commit } = replicas(2);
    for (let i = 0; i < 20; i += 1) commit(0);
    expect(all[0]).toMatchObject({ areTaken: false, restMs: 0 });
  });

  it('go round: after a commit it is the next one’s, and a turn that is not taken passes', async () => {
    const { clock, all, commit, rests } = replicas(3);
    for (let i = 0; i < 60; i += 1) commit(i % 3);
    expect(all.map(({ areTaken }) => areTaken)).toEqual([true, true, true]);
    const [first, , third] = rests();
    expect(rests()).toEqual([0, expect.any(Number), expect.any(Number)]);
    expect(first).toBe(0);
    expect(third).toBeGreaterThan(0);
    await clock.pass(1000);
    expect(rests()).toEqual([0, 0, 0]);
  });

  it('wake who waits, when the one before has committed or its time is over', async () => {
    const { clock, all, commit } = replicas(2);
    for (let i = 0; i < 20; i += 1) commit(i % 2);
    const woken: boolean[] = [];
    all[1]?.await((isKnown) => woken.push(isKnown));
    commit(0);
    expect(woken).toEqual([true]);
    all[0]?.await((isKnown) => woken.push(isKnown));
    await clock.pass(1000);
    expect(woken).toEqual([true, false]);
  });

  it('come after another’s batch for the one behind it in the ring, who is woken when it is there ahead', () => {
    const { all, commit } = replicas(3);
    const [first, second] = all;
    expect(second?.isOursAfter(first?.newCommitId() ?? 0)).toBe(false);
    for (let i = 0; i < 60; i += 1) commit(i % 3);
    const id = first?.newCommitId() ?? 0;
    expect(all.map((turns) => turns.isOursAfter(id))).toEqual([false, true, false]);
    // Somebody who has never committed stands nowhere.
    expect(second?.isOursAfter(9 * 2 ** 33)).toBe(false);
    const woken: boolean[] = [];
    second?.await((isKnown) => woken.push(isKnown));
    second?.sawAhead();
    expect(woken).toEqual([true]);
  });

  it('forget who commits no more', () => {
    const { all, commit } = replicas(2);
    for (let i = 0; i < 10; i += 1) commit(i % 2);
    for (let i = 0; i < 20; i += 1) commit(0);
    expect(all[0]?.areTaken).toBe(false);
  });

  it('are asked for by a commit of nothing when one was too late three times in a row', async () => {
    const { announced, all } = replicas(1);
    for (let times = 1; times <= 7; times += 1) await all[0]?.moved(times);
    expect(announced).toHaveLength(2);
    expect(new Set(announced.map((id) => Math.floor(id / 2 ** 33)))).toEqual(new Set([1]));
  });

  it('give every commit a name of its own', () => {
    const { all } = replicas(2);
    const ids = Array.from({ length: 1000 }, (_, i) => all[i % 2]?.newCommitId());
    expect(new Set(ids).size).toBe(1000);
    expect(ids.every((id) => Number.isSafeInteger(id) && (id ?? 0) > 0)).toBe(true);
  });
});
