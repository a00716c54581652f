import { describe, expect, it } from 'vitest';
import { Forgetting } from '../../src/log/shared/forgetting.ts';
import { ManualClock } from '../lease/manual-clock.ts';

describe('forgetting', () => {
  it('takes bite after bite with pauses between, until nothing is left', async () => {
    const { clock, bites, forgetting } = rig([true, true, false]);
    forgetting.start();
    forgetting.start();
    await clock.pass(0);
    expect(bites).toEqual([clock.nowMs]);
    const began = clock.nowMs;
    await clock.pass(1_000);
    // A bite takes 10 ms, the pause four times as long.
    expect(bites.map((atMs) => atMs - began)).toEqual([0, 50, 100]);
    await clock.pass(1_000);
    expect(bites).toHaveLength(3);
  });

  it('that fails is told of, and done the next time', async () => {
    const { clock, bites, warnings, forgetting } = rig([new Error('the database is away'), false]);
    forgetting.start();
    await clock.pass(1_000);
    expect(warnings).toEqual(['the database is away']);
    forgetting.start();
    await clock.pass(1_000);
    expect(bites).toHaveLength(2);
  });

  it('ends with the log', async () => {
    const { clock, bites, forgetting } = rig([true, true, true]);
    forgetting.start();
    await clock.pass(20);
    forgetting.close();
    forgetting.start();
    await clock.pass(1_000);
    expect(bites).toHaveLength(1);
    expect(clock.timers).toBe(0);
  });
});

/** What each bite comes to. Each takes 10 ms. */
function rig(outcomes: (boolean | Error)[]) {
  const clock = new ManualClock();
  const bites: number[] = [];
  const warnings: unknown[] = [];
  const logger = {
    debug() {},
    info() {},
    warn: (_: string, fields?: { readonly reason?: unknown }) => void warnings.push(fields?.reason),
    error() {},
  };
  const bite = async (): Promise<boolean> => {
    bites.push(clock.nowMs);
    await new Promise<void>((resolve) => clock.after(10, resolve));
    const outcome = outcomes.shift();
    if (outcome instanceof Error) throw outcome;
    return outcome === true;
  };
  return { clock, bites, warnings, forgetting: new Forgetting(bite, { clock, logger }) };
}
