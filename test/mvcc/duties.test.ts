import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import { Duties } from '../../src/mvcc/duties.ts';
import type { Duty, DutyRule } from '../../src/mvcc/duty.ts';
import { type DutyFence, MemoryDutyFence } from '../../src/mvcc/duty-fence.ts';
import { DutyStats } from '../../src/mvcc/duty-stats.ts';
import { LogError } from '../../src/mvcc/log.ts';
import { SimulatedClock, StoppableClock } from '../peers/simulated-clock.ts';
import { Random } from '../support/random.ts';

/** Replicas that run duties together, in time that passes when told so. */
class Replicas {
  readonly clock = new SimulatedClock();
  readonly fence = new MemoryDutyFence(this.clock);
  readonly runs: { readonly by: string; readonly part: string; readonly atMs: number }[] = [];
  readonly #chance: Random;

  constructor(seed: number) {
    this.#chance = new Random(seed);
  }

  add(name: string, duty: Partial<Duty>, rule?: Partial<DutyRule>, fence: DutyFence = this.fence) {
    const clock = new StoppableClock(this.clock);
    const random = (): number => this.#chance.uint32() / 2 ** 32;
    const duties = new Duties(name, { fence, clock, random, logger: silentLogger, stats: new DutyStats() });
    duties.add({
      parts: ['work'],
      everyMs: 500,
      run: async (claims) => {
        for (const { duty: part } of claims) this.runs.push({ by: name, part, atMs: this.clock.monotonicMs() });
        return 'done';
      },
      ...duty,
    });
    if (rule !== undefined) {
      const { isAble = true, ownerOf = () => name } = rule;
      duties.useRule({ self: name, isAble, ownerOf, ...rule });
    }
    duties.start();
    return { clock, duties };
  }

  async pass(ms: number): Promise<void> {
    // What was set off before comes first.
    await new Promise((resolve) => setImmediate(resolve));
    await this.clock.pass(ms);
    await new Promise((resolve) => setImmediate(resolve));
  }

  runsOf(name: string): number {
    return this.runs.filter(({ by }) => by === name).length;
  }

  /** The longest time that a part was left undone since. */
  gapMs(sinceMs: number): number {
    const times = [sinceMs, ...this.runs.map(({ atMs }) => atMs).filter((atMs) => atMs > sinceMs)];
    return Math.max(...times.map((atMs, i) => (times[i + 1] ?? this.clock.monotonicMs()) - atMs));
  }
}

describe('duties of replicas that know of no others', () => {
  it('are run by one of them, once an interval, and by another soon after that one is gone', async () => {
    const replicas = new Replicas(1);
    const all = ['a', 'b', 'c'].map((name) => ({ name, ...replicas.add(name, {}) }));
    await replicas.pass(60_000);
    const [first] = replicas.runs;
    expect(replicas.runsOf(first?.by ?? '')).toBe(replicas.runs.length);
    expect(replicas.runs.length).toBeGreaterThan(60_000 / 550 - 2);
    expect(replicas.runs.length).toBeLessThanOrEqual(60_000 / 500 + 1);
    // The others ask now and then.
    for (const { name, duties } of all) {
      if (name !== first?.by) expect(duties.stats.denied.value).toBeLessThan(60_000 / 1000);
    }
    all.find(({ name }) => name === first?.by)?.clock.stop();
    const stoppedMs = replicas.clock.monotonicMs();
    await replicas.pass(10_000);
    expect(replicas.gapMs(stoppedMs)).toBeLessThan(2_500);
    expect(new Set(replicas.runs.map(({ by }) => by)).size).toBe(2);
    for (const { duties } of all) await duties.stop();
  });

  it('cost nothing while there is nothing to do, and are run at once when there is', async () => {
    const replicas = new Replicas(2);
    let isWanted = false;
    let tell = (): void => undefined;
    const { duties } = replicas.add('a', {
      everyMs: 10_000,
      isWanted: () => isWanted,
      onWanted: (listener) => {
        tell = listener;
      },
    });
    await replicas.pass(100_000);
    expect(await replicas.fence.readDuties()).toEqual([]);
    isWanted = true;
    tell();
    await replicas.pass(1);
    expect(replicas.runs).toHaveLength(1);
    await duties.stop();
  });

  it('that are run seldom are not put off by restarts, nor done again by each', async () => {
    const replicas = new Replicas(3);
    const hourly = { everyMs: 3_600_000 };
    for (let i = 0; i < 20; i += 1) {
      const { duties } = replicas.add(`start-${i}`, hourly);
      await replicas.pass(1_800_000);
      await duties.stop();
    }
    // In ten hours.
    expect(replicas.runs.length).toBeGreaterThanOrEqual(9);
    expect(replicas.runs.length).toBeLessThanOrEqual(11);
  });

  it('that fail are tried again sooner, and so are claims that the fence does not answer', async () => {
    const replicas = new Replicas(4);
    let calls = 0;
    const fragile: DutyFence = {
      claimDuties: (...asked) =>
        ++calls % 3 === 0
          ? Promise.reject(new LogError('unavailable', 'connection lost'))
          : replicas.fence.claimDuties(...asked),
      readDuties: () => Promise.reject(new LogError('unavailable', 'connection lost')),
    };
    let runs = 0;
    const run = async () => (++runs < 4 ? ('failed' as const) : ('done' as const));
    const { duties } = replicas.add('a', { everyMs: 60_000, retryMs: 5_000, run }, undefined, fragile);
    await replicas.pass(25_000);
    expect(runs).toBe(4);
    expect(duties.stats.failures.value).toBeGreaterThan(3);
    await replicas.pass(600_000);
    expect(runs).toBeGreaterThanOrEqual(11);
    await duties.stop();
    const after = runs;
    await replicas.pass(600_000);
    expect(runs).toBe(after);
  });
});

describe('duties by a rule', () => {
  it('are run by whom it names, and by the next one as soon as that one is gone', async () => {
    const replicas = new Replicas(5);
    let owner = 'a';
    const all = ['a', 'b', 'c'].map((name) => ({ name, ...replicas.add(name, {}, { ownerOf: () => owner }) }));
    await replicas.pass(10_000);
    expect(replicas.runsOf('a')).toBe(replicas.runs.length);
    for (let round = 0; round < 20; round += 1) {
      await replicas.pass(37 * round);
      const gone = owner;
      owner = gone === 'a' ? 'b' : gone === 'b' ? 'c' : 'a';
      const last = replicas.runs.at(-1)?.atMs ?? 0;
      for (const { name, duties } of all) if (name !== gone) duties.changed();
      await replicas.pass(1_000);
      const next = replicas.runs.find(({ by, atMs }) => by === owner && atMs > last);
      expect((next?.atMs ?? Number.POSITIVE_INFINITY) - last).toBeLessThanOrEqual(550);
    }
    for (const { duties } of all) await duties.stop();
  });

  it('of an owner that hangs are run by somebody else once they are overdue, as long as it hangs', async () => {
    const replicas = new Replicas(6);
    const hang = { run: () => new Promise<'done'>(() => undefined) };
    const stuck = replicas.add('a', hang, { ownerOf: () => 'a' });
    const { duties } = replicas.add('b', {}, { ownerOf: () => 'a' });
    await replicas.pass(30_000);
    expect(replicas.runsOf('b')).toBeGreaterThan(10);
    expect(replicas.gapMs(2_500)).toBeLessThan(2_600);
    expect(duties.stats.takeovers.value).toBe(1);
    expect(duties.states()).toMatchObject([{ name: 'work', holder: 'b', isOurs: true, owner: 'a' }]);
    expect(stuck.duties.states()).toMatchObject([{ owner: 'a' }]);
    await duties.stop();
  });

  it('are not run by a replica that is not able to', async () => {
    const replicas = new Replicas(7);
    const rule = { self: 'a', isAble: true, ownerOf: () => 'a' };
    const { duties } = replicas.add('a', {});
    duties.useRule(rule);
    await replicas.pass(2_000);
    const before = replicas.runs.length;
    expect(before).toBeGreaterThan(2);
    rule.isAble = false;
    await replicas.pass(60_000);
    expect(replicas.runs).toHaveLength(before);
    expect(duties.states()[0]?.lateMs).toBeGreaterThan(50_000);
    rule.isAble = true;
    duties.changed();
    await replicas.pass(100);
    expect(replicas.runs).toHaveLength(before + 1);
    await duties.stop();
  });

  it('stay where they are when somebody comes who sees nobody yet', async () => {
    const replicas = new Replicas(8);
    const { duties } = replicas.add('a', {}, { ownerOf: () => 'a' });
    for (let i = 0; i < 10; i += 1) {
      await replicas.pass(2_000 + 53 * i);
      let owner = `new-${i}`;
      const newcomer = replicas.add(owner, {}, { ownerOf: () => owner });
      newcomer.duties.changed();
      await replicas.pass(1_500);
      owner = 'a';
      newcomer.duties.changed();
      await replicas.pass(1_500);
      await newcomer.duties.stop();
    }
    expect(replicas.runs.length).toBeGreaterThan(50);
    expect(replicas.runsOf('a')).toBe(replicas.runs.length);
    await duties.stop();
  });

  it('are run about once an interval whatever each sees, while one that is named goes on', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const replicas = new Replicas(seed);
        const chance = new Random(seed);
        const names = ['a', 'b', 'c', 'd'];
        const all = names.map((name) => {
          let view = names;
          const ownerOf = () => view[0];
          const { clock, duties } = replicas.add(name, {}, { ownerOf });
          const look = () => {
            if (clock.isStopped) return;
            view = names.filter((other) => other === name || chance.chance(60));
            duties.changed();
          };
          return { clock, duties, look };
        });
        for (let step = 0; step < 100; step += 1) {
          const { clock, look } = chance.pick(all);
          if (chance.chance(50)) look();
          else if (chance.chance(40)) clock.stop();
          else clock.goOn();
          await replicas.pass(chance.between(10, 250));
        }
        for (const { clock } of all) clock.goOn();
        const sinceMs = replicas.clock.monotonicMs();
        await replicas.pass(10_000);
        expect(replicas.gapMs(sinceMs)).toBeLessThan(2_600);
        for (const { duties } of all) await duties.stop();
        // Never more often than the fence allows, and each epoch once.
        const times = replicas.runs.map(({ atMs }) => atMs);
        for (const [i, atMs] of times.entries())
          if (i > 0) expect(atMs - (times[i - 1] ?? 0)).toBeGreaterThanOrEqual(400);
        expect((await replicas.fence.readDuties())[0]?.epoch).toBe(replicas.runs.length);
      }),
      { numRuns: 25 },
    );
  });
});
