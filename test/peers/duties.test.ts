import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { systemRandom } from '../../src/base/chance.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { Duties, type Duty } from '../../src/peers/duties.ts';
import { type DutyFence, MemoryDutyFence } from '../../src/peers/duty-fence.ts';
import { EXPIRE_DUTIES, expireDutyOf } from '../../src/peers/duty-names.ts';
import type { LinkedMember } from '../../src/peers/types.ts';
import { Random } from '../support/random.ts';
import { areAllLinked, startMember, stopMembers, type TestMember, until } from './member.ts';
import { SimulatedClock, StoppableClock } from './simulated-clock.ts';

afterEach(stopMembers);

const ABLE = { isAble: true, reason: '' };

/** A member as `Duties` looks at it. */
function linked(id: string): LinkedMember {
  return { id, ability: ABLE, hasSameStore: true, sitsOut: false } as LinkedMember;
}

describe('duties over real links', () => {
  /** Three members, one store (the fence), one duty each 100 ms, and who ran it. */
  async function three(run: (id: string) => Promise<void>) {
    const first = await startMember({ ip: '127.0.0.2' });
    const members = [first];
    for (const ip of ['127.0.0.3', '127.0.0.4']) members.push(await startMember({ ip, addresses: [first.address] }));
    await until(() => areAllLinked(members));
    const fence = new MemoryDutyFence(systemClock);
    const all = members.map(({ peers }) =>
      dutiesOf(peers, fence, [{ name: 'compact', everyMs: 100, run: () => run(peers.id) }]),
    );
    for (const duties of all) duties.start();
    return { members, all, fence };
  }

  it('are run by one member, and by the next one when it takes its leave', async () => {
    const ran: string[] = [];
    const { members, all } = await three(async (id) => void ran.push(id));
    await until(
      () => ran.length >= 5,
      () => ran,
    );
    const owner = ran.at(-1) ?? '';
    expect(new Set(ran)).toEqual(new Set([owner]));
    expect(all.map((duties) => duties.states()[0]?.owner)).toEqual([owner, owner, owner]);
    await stopOne(members, all, owner);
    await until(
      () => ran.at(-1) !== owner,
      () => ran,
    );
    const next = ran.at(-1);
    await until(
      () => ran.filter((id) => id === next).length >= 3,
      () => ran,
    );
  });

  it('of an owner that hangs are run by somebody else once they are overdue', async () => {
    const ran: string[] = [];
    let owner = '';
    const { all, fence } = await three(async (id) => {
      owner ||= id;
      if (id === owner) await new Promise(() => undefined);
      ran.push(id);
    });
    await until(
      () => ran.length >= 2,
      () => ran,
    );
    expect(ran).not.toContain(owner);
    expect(all.some(({ stats }) => stats.takeovers.value > 0)).toBe(true);
    expect((await fence.read())[0]?.epoch).toBeGreaterThanOrEqual(3);
  });

  it('are not run by a member whose database does not answer', async () => {
    const ran: string[] = [];
    const { members } = await three(async (id) => void ran.push(id));
    await until(() => ran.length > 0);
    const owner = ran.at(-1);
    members.find(({ peers }) => peers.id === owner)?.peers.setAbility({ isAble: false, reason: 'no database' });
    await until(
      () => ran.at(-1) !== owner,
      () => ran,
    );
    const since = ran.length;
    await until(() => ran.length > since + 3);
    expect(ran.slice(since)).not.toContain(owner);
  });

  it('are tried again when they fail, and the fence too', async () => {
    const clock = new SimulatedClock();
    const fence = new MemoryDutyFence(clock);
    let calls = 0;
    const fragile: DutyFence = {
      claim: (...claim) => (++calls % 3 === 0 ? Promise.reject(new Error('connection lost')) : fence.claim(...claim)),
      read: () => Promise.reject(new Error('connection lost')),
    };
    let runs = 0;
    const duties = new Duties({
      duties: [
        {
          name: 'check',
          everyMs: 1000,
          run: async () => void (++runs % 2 === 0 && (await Promise.reject(new Error('disk full')))),
        },
      ],
      fence: fragile,
      clock,
      random: () => 0.5,
      logger: silentLogger,
      self: () => ({ id: 'a', ability: ABLE }),
      members: () => [],
    });
    duties.start();
    await clock.pass(20_000);
    expect(runs).toBeGreaterThan(8);
    expect(duties.stats.failures.value).toBeGreaterThan(8);
    await duties.stop();
    const after = runs;
    await clock.pass(20_000);
    expect(runs).toBe(after);
  });
});

/**
 * The store's leases, several runners that see each other as chance has it, stop at any moment for any time, and a fence:
 * whatever happens, no lease is expired twice, none that lives is, no run commits once a later one was claimed, and all
 * are expired in the end.
 */
describe('random views, random pauses and the fence', () => {
  it('expire every lease once, none too early, and never by a stale runner', async () => {
    let staleRollbacks = 0;
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const result = await simulate(seed, true);
        expect(result.wrong).toEqual([]);
        expect(result.left).toBe(0);
        staleRollbacks += result.staleRollbacks;
      }),
      { numRuns: 25 },
    );
    // Else the pauses were too tame to prove anything.
    expect(staleRollbacks).toBeGreaterThan(10);
  });

  it('would not, were the work to forget the fence', async () => {
    const wrong: string[] = [];
    for (let seed = 1; seed <= 25; seed++) wrong.push(...(await simulate(seed, false)).wrong);
    expect(wrong.length).toBeGreaterThan(0);
  });
});

async function simulate(seed: number, asksFence: boolean) {
  const chance = new Random(seed);
  const random = (): number => chance.uint32() / 2 ** 32;
  const between = (min: number, max: number): number => chance.between(min, max);
  const clock = new SimulatedClock();
  const fence = new MemoryDutyFence(clock);
  const leases = new Map<bigint, { deadlineMs: number; expired: number }>();
  const lastCommitted = new Map<string, number>();
  const wrong: string[] = [];
  let staleRollbacks = 0;
  const names = EXPIRE_DUTIES.slice(0, 4);
  for (let i = 0; i < 40; i++) {
    const id = BigInt(between(0, 2 ** 30) * 16 + between(0, 3));
    leases.set(id, { deadlineMs: between(0, 8000), expired: 0 });
  }

  const ids = Array.from({ length: between(2, 5) }, (_, i) => `member-${i}`);
  const members = ids.map((id) => {
    const ownClock = new StoppableClock(clock);
    let view = ids.filter((other) => other !== id).map(linked);
    const duties = new Duties({
      duties: names.map((name): Duty => ({ name, everyMs: 500, run: ({ epoch }) => expire(name, epoch, ownClock) })),
      fence,
      clock: ownClock,
      random,
      logger: silentLogger,
      self: () => ({ id, ability: ABLE }),
      members: () => view,
    });
    return {
      ownClock,
      duties,
      look: () => {
        if (ownClock.isStopped) return;
        view = ids.filter((other) => other !== id && random() < 0.6).map(linked);
        duties.changed();
      },
    };
  });

  /** Looks for what has expired, is interrupted, and commits lease by lease if what it saw still holds. */
  async function expire(duty: string, epoch: number, ownClock: StoppableClock): Promise<void> {
    const due = [...leases].filter(
      ([id, { deadlineMs, expired }]) =>
        expireDutyOf(id) === duty && expired === 0 && deadlineMs <= clock.monotonicMs(),
    );
    for (const [id, lease] of due) {
      await new Promise<void>((resolve) => ownClock.after(between(0, 150), resolve));
      // From here on without interruption: a transaction.
      if (asksFence && !fence.holds(duty, epoch)) {
        staleRollbacks++;
        return;
      }
      const isDue = lease.deadlineMs <= clock.monotonicMs() && lease.expired === 0;
      if (asksFence && !isDue) continue;
      if ((lastCommitted.get(duty) ?? 0) > epoch) wrong.push(`${duty}: epoch ${epoch} committed after a later one`);
      lastCommitted.set(duty, Math.max(epoch, lastCommitted.get(duty) ?? 0));
      if (lease.deadlineMs > clock.monotonicMs()) wrong.push(`lease ${id} was alive`);
      if (++lease.expired > 1) wrong.push(`lease ${id} expired twice`);
    }
  }

  for (const { duties } of members) duties.start();
  for (let step = 0; step < 120; step++) {
    const member = members[between(0, members.length - 1)];
    const choice = random();
    if (choice < 0.25) member?.look();
    else if (choice < 0.45) member?.ownClock.stop();
    else if (choice < 0.7) member?.ownClock.goOn();
    // A keepalive: what was about to expire lives on.
    else
      for (const lease of leases.values())
        if (lease.expired === 0 && random() < 0.1) lease.deadlineMs = clock.monotonicMs() + between(200, 2000);
    await clock.pass(between(10, 250));
  }
  for (const { ownClock } of members) ownClock.goOn();
  await clock.pass(15_000);
  for (const { duties } of members) await duties.stop();
  return { wrong, staleRollbacks, left: [...leases.values()].filter(({ expired }) => expired === 0).length };
}

function dutiesOf(peers: TestMember['peers'], fence: DutyFence, list: readonly Duty[]): Duties {
  const duties = new Duties({
    duties: list,
    fence,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    self: () => ({ id: peers.id, ability: peers.ability }),
    members: () => peers.members(),
  });
  peers.onChange(() => duties.changed());
  return duties;
}

async function stopOne(members: readonly TestMember[], all: readonly Duties[], id: string): Promise<void> {
  const index = members.findIndex(({ peers }) => peers.id === id);
  await all[index]?.stop();
  await members[index]?.peers.stop();
}
