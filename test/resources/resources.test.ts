import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import { type FactsCache, fileCache, memoryCache } from '../../src/resources/facts-cache.ts';
import { openLocalSource } from '../../src/resources/local-source.ts';
import { answerResourceRequest, remoteSource } from '../../src/resources/remote-source.ts';
import type { ResourceSource } from '../../src/resources/resource-source.ts';
import { Resources } from '../../src/resources/resources.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { layOutFixture } from './machine-fixture.ts';
import { DAY_MS, ResourceClock } from './resource-clock.ts';

/*
 * Members are real: each one's machine is read from a tree and goes as bytes through the request and the answer that a
 * link carries. Only the link is missing, and time is the test's.
 */
const server = layOutFixture('x86-64-rack-server');
const container = layOutFixture('x86-64-container');
const laptop = layOutFixture('x86-64-cpus-offline');
const mainframe = layOutFixture('s390x-lpar');
const SERVER_BOOT = '0a1b2c3d-1111-4222-8333-444455556666';

/** What a link to a member does. */
interface Link {
  asked: number;
  /** silent: takes the question and never answers. refused: no link at all. */
  state: 'answers' | 'silent' | 'refused';
}

async function remote(
  memberId: string,
  root: string,
  bootId: string | undefined = undefined,
): Promise<{ readonly source: ResourceSource; readonly link: Link }> {
  const own = await openLocalSource({ memberId, root });
  const link: Link = { asked: 0, state: 'answers' };
  const source = remoteSource({
    memberId,
    bootId,
    exchange: async (request, signal) => {
      link.asked += 1;
      if (link.state === 'refused') throw new Error('no link to it');
      if (link.state === 'silent') return await new Promise(() => {});
      return await answerResourceRequest(request, own, signal);
    },
  });
  return { source, link };
}

function resourcesOf(
  sources: readonly ResourceSource[],
  clock: ResourceClock,
  cache: FactsCache = memoryCache(),
  random = (): number => 0,
): Resources {
  return new Resources({ sources: () => sources, cache, clock, random, logger: silentLogger });
}

const asIs = { refresh: false };
const anew = { refresh: true };

describe('the cache', () => {
  it.each(['memory', 'file'] as const)(
    '%s: a fresh entry is not fetched, one of a day and a millisecond is',
    async (kind) => {
      const clock = new ResourceClock();
      const { source, link } = await remote('a1', server);
      const cache = kind === 'memory' ? memoryCache() : fileCache(temporaryFolder('facts'));
      const resources = resourcesOf([source], clock, cache);
      expect(await resources.getResources(source, asIs)).toMatchObject({ state: 'current', ageSeconds: 0 });
      clock.nowMs += DAY_MS;
      expect(await resources.getResources(source, asIs)).toMatchObject({ state: 'current', ageSeconds: 86400 });
      expect(link.asked).toBe(1);
      clock.nowMs += 1;
      expect(await resources.getResources(source, asIs)).toMatchObject({ state: 'current', ageSeconds: 0 });
      expect(link.asked).toBe(2);
      expect(await resources.getResources(source, asIs)).toMatchObject({ state: 'current' });
      expect(link.asked).toBe(2);
    },
  );

  it('chance shortens the day, and never lengthens it', async () => {
    const clock = new ResourceClock();
    const { source, link } = await remote('a1', server);
    const resources = resourcesOf([source], clock, memoryCache(), () => 0.5);
    await resources.getResources(source, asIs);
    clock.nowMs += DAY_MS - 3_600_000;
    await resources.getResources(source, asIs);
    expect(link.asked).toBe(1);
    clock.nowMs += 1;
    await resources.getResources(source, asIs);
    expect(link.asked).toBe(2);
  });

  it('a clock that went back makes an entry be of the future: fetched', async () => {
    const clock = new ResourceClock();
    const { source, link } = await remote('a1', server);
    const resources = resourcesOf([source], clock, fileCache(temporaryFolder('facts')));
    await resources.getResources(source, asIs);
    clock.wallOffsetMs -= 1;
    expect(await resources.getResources(source, asIs)).toMatchObject({ state: 'current', ageSeconds: 0 });
    expect(link.asked).toBe(2);
    // And when nobody answers, an entry of no known age is not offered as a stale one.
    clock.wallOffsetMs -= DAY_MS;
    link.state = 'refused';
    expect(await resources.getResources(source, asIs)).toMatchObject({ state: 'missing' });
  });

  it('another start of the machine is asked anew', async () => {
    const clock = new ResourceClock();
    const cache = memoryCache();
    const before = await remote('a1', server, SERVER_BOOT);
    await resourcesOf([], clock, cache).getResources(before.source, asIs);
    await resourcesOf([], clock, cache).getResources(before.source, asIs);
    expect(before.link.asked).toBe(1);
    const after = await remote('a1', laptop, '99999999-2222-4333-8444-555555555555');
    expect(await resourcesOf([], clock, cache).getResources(after.source, asIs)).toMatchObject({ name: 'bench' });
    expect(after.link.asked).toBe(1);
  });

  it('a member that tells of a change is asked anew, once, and shown as it was when it is silent', async () => {
    const clock = new ResourceClock();
    const { source, link } = await remote('a1', server);
    const resources = resourcesOf([source], clock);
    await resources.getResources(source, asIs);
    clock.nowMs += 5000;
    resources.noteChange('a1');
    resources.noteChange('of nobody');
    expect(await resources.getResources(source, asIs)).toMatchObject({ state: 'current', ageSeconds: 0 });
    await resources.getResources(source, asIs);
    expect(link.asked).toBe(2);
    resources.noteChange('a1');
    link.state = 'refused';
    expect(await resources.getResources(source, asIs)).toMatchObject({ state: 'stale', problem: expect.any(String) });
  });

  it('--refresh asks anew', async () => {
    const clock = new ResourceClock();
    const { source, link } = await remote('a1', server);
    const resources = resourcesOf([source], clock);
    await resources.getResources(source, asIs);
    await resources.getResources(source, anew);
    expect(link.asked).toBe(2);
  });

  it('that cannot be written to costs nothing but the next question', async () => {
    const { source, link } = await remote('a1', server);
    const warnings: string[] = [];
    const resources = new Resources({
      sources: () => [source],
      cache: fileCache('/dev/null/no-folder'),
      clock: new ResourceClock(),
      random: () => 0,
      logger: { ...silentLogger, warn: (event) => void warnings.push(event) },
    });
    expect(await resources.getResources(source, asIs)).toMatchObject({ state: 'current', name: 'rack-7' });
    expect(await resources.getResources(source, asIs)).toMatchObject({ state: 'current' });
    expect(link.asked).toBe(2);
    expect(warnings).toEqual(Array(2).fill('resources could not be kept in the cache'));
  });
});

describe('asking', () => {
  it('two callers, one fetch', async () => {
    const { source, link } = await remote('a1', server);
    const resources = resourcesOf([source], new ResourceClock());
    const answers = await Promise.all([
      resources.getResources(source, asIs),
      resources.getResources(source, asIs),
      resources.resources({ member: 'a1', refresh: false }),
      resources.cpuFlags(asIs),
    ]);
    expect(answers[0]).toEqual(answers[1]);
    // The facts once, and its use for the one that shows it.
    expect(link.asked).toBe(2);
  });

  it('one dead member of five: the others at once, the answer within its time, the dead one named', async () => {
    const clock = new ResourceClock();
    const own = await openLocalSource({ memberId: 'own', root: server });
    const others = await Promise.all(['b1', 'c1', 'd1', 'e1'].map((id) => remote(id, container)));
    const dead = others[2];
    if (dead === undefined) throw new Error('there are four');
    dead.link.state = 'silent';
    const resources = resourcesOf([own, ...others.map(({ source }) => source)], clock);
    const answer = resources.cpuFlags(asIs);
    while (clock.timers !== 1) await clock.pass(0); // All have answered but the dead one, whose time runs.
    expect(others.map(({ link }) => link.asked)).toEqual([1, 1, 1, 1]);
    await clock.pass(3000);
    const { isComplete, missing, architectures } = await answer;
    expect(isComplete).toBe(false);
    expect(missing).toEqual([{ memberId: 'd1', name: undefined, problem: 'did not answer within 3 s' }]);
    // The own machine is counted with the others.
    expect(architectures[0]?.members.map(({ memberId }) => memberId)).toEqual(['own', 'b1', 'c1', 'e1']);
  });

  it('a failure is remembered for 30 s', async () => {
    const clock = new ResourceClock();
    const { source, link } = await remote('a1', server);
    const resources = resourcesOf([source], clock);
    link.state = 'refused';
    expect(await resources.getResources(source, asIs)).toEqual({
      memberId: 'a1',
      name: undefined,
      isSelf: false,
      state: 'missing',
      problem: 'could not be asked: no link to it',
    });
    link.state = 'answers';
    clock.nowMs += 29_000;
    expect(await resources.getResources(source, asIs)).toMatchObject({
      state: 'missing',
      problem: 'could not be asked: no link to it (29 s ago; --refresh asks anew)',
    });
    expect(link.asked).toBe(1);
    clock.nowMs += 1000;
    expect(await resources.getResources(source, asIs)).toMatchObject({ state: 'current' });
    expect(link.asked).toBe(2);
  });

  it('--refresh asks who failed, too', async () => {
    const { source, link } = await remote('a1', server);
    const resources = resourcesOf([source], new ResourceClock());
    link.state = 'refused';
    await resources.getResources(source, asIs);
    link.state = 'answers';
    expect(await resources.getResources(source, anew)).toMatchObject({ state: 'current' });
  });

  it('a silent member is shown as it last was, with the age of that, and said so', async () => {
    const clock = new ResourceClock();
    const { source, link } = await remote('a1', server);
    const resources = resourcesOf([source], clock);
    await resources.getResources(source, asIs);
    link.state = 'refused';
    clock.nowMs += 3 * DAY_MS;
    const stale = { state: 'stale', ageSeconds: 259200, problem: 'could not be asked: no link to it' };
    expect(await resources.getResources(source, asIs)).toMatchObject({ ...stale, name: 'rack-7' });
    expect((await resources.cpuFlags(asIs)).architectures[0]).toMatchObject({
      oldestAgeSeconds: 259200,
      members: [{ memberId: 'a1', isStale: true, ageSeconds: 259200 }],
    });
  });

  it('facts of today and a member that is silent now: facts without use, and why', async () => {
    const clock = new ResourceClock();
    const { source, link } = await remote('a1', server);
    const resources = resourcesOf([source], clock);
    expect((await resources.resources(asIs)).members[0]?.use?.load).toEqual([0.42, 0.36, 0.3]);
    link.state = 'refused';
    const [member] = (await resources.resources(asIs)).members;
    expect(member).toMatchObject({ state: 'current', problem: 'could not be asked: no link to it' });
    expect(member?.facts).toBeDefined();
    expect(member?.use).toBeUndefined();
  });

  it('what answers nonsense is a failure like any other', async () => {
    for (const answer of ['', 'nonsense', '{}', '[]', '{"schemaVersion":1}', '{"schemaVersion":1,"facts":{}}']) {
      const source = remoteSource({ memberId: 'a1', bootId: undefined, exchange: async () => Buffer.from(answer) });
      const found = await resourcesOf([source], new ResourceClock()).getResources(source, asIs);
      expect(found, answer).toMatchObject({ state: 'missing', problem: expect.stringMatching(/its answer/) });
    }
    const huge = remoteSource({
      memberId: 'a1',
      bootId: undefined,
      exchange: async () => Buffer.alloc(5_000_000, ' '),
    });
    const found = await resourcesOf([huge], new ResourceClock()).getResources(huge, asIs);
    expect(found.problem).toMatch(/5000000 bytes, more than/);
  });

  it('another version is named as the reason', async () => {
    const own = await openLocalSource({ memberId: 'a1', root: server });
    const { signal } = new AbortController();
    const ask = async (request: string): Promise<unknown> =>
      JSON.parse(Buffer.from(await answerResourceRequest(Buffer.from(request), own, signal)).toString());
    expect(await ask('{"schemaVersion":2,"want":"facts"}')).toMatchObject({
      problem: expect.stringContaining('version 2'),
    });
    expect(await ask('{"schemaVersion":1,"want":"secrets"}')).toMatchObject({
      problem: expect.stringContaining('want'),
    });
    expect(await ask('')).toMatchObject({ problem: 'the request is no JSON' });
    expect(await ask(' '.repeat(2000))).toMatchObject({ problem: 'it was asked with too long a message' });
    const newer = remoteSource({
      memberId: 'a1',
      bootId: undefined,
      exchange: async () => Buffer.from('{"schemaVersion":2,"facts":{"everything":"else"}}'),
    });
    const found = await resourcesOf([newer], new ResourceClock()).getResources(newer, asIs);
    expect(found.problem).toMatch(/version 2 of the resources' schema/);
  });

  it('finds a member by id, name or the beginning of its id', async () => {
    const [own, other] = [await openLocalSource({ memberId: 'abc1', root: server }), await remote('abd2', container)];
    const resources = resourcesOf([own, other.source], new ResourceClock());
    const idOf = async (member: string) =>
      (await resources.resources({ member, refresh: false })).members.map(({ memberId }) => memberId);
    expect(await idOf('abc1')).toEqual(['abc1']);
    expect(await idOf('rack-7')).toEqual(['abc1']);
    expect(await idOf('abd')).toEqual(['abd2']);
    await expect(idOf('ab')).rejects.toThrow(
      '"ab" is the beginning of several members; there are: abc1 (rack-7), abd2',
    );
    await expect(idOf('x')).rejects.toThrow('"x" is no member');
    await expect(idOf('')).rejects.toThrow('is no member');
  });
});

describe('common CPU flags', () => {
  it('are what every core of every member has, by architecture', async () => {
    const sources = [
      await openLocalSource({ memberId: 'own', root: server }),
      (await remote('b1', laptop)).source,
      (await remote('c1', mainframe)).source,
    ];
    const { isComplete, architectures } = await resourcesOf(sources, new ResourceClock()).cpuFlags(asIs);
    expect(isComplete).toBe(true);
    expect(architectures).toMatchObject([
      { architecture: 's390x', level: 'z15', model: undefined, members: [{ memberId: 'c1', threads: 4 }] },
      { architecture: 'x86_64', level: 'x86-64-v3', model: 'Skylake-Client-noTSX-IBRS', members: [{}, {}] },
    ]);
    // The laptop has no AVX-512.
    expect(architectures[1]?.flags).not.toContain('avx512f');
    expect(architectures[1]?.flags).toContain('avx2');
  });

  it('of two vendors have a model that both satisfy', async () => {
    const sources = [(await remote('a1', server)).source, (await remote('b1', container)).source];
    const [x86] = (await resourcesOf(sources, new ResourceClock()).cpuFlags(asIs)).architectures;
    expect(x86).toMatchObject({ level: 'x86-64-v3', model: 'SandyBridge' });
    expect(x86?.flags).not.toContain('sse4a');
    expect(x86?.flags).not.toContain('invpcid');
  });

  it('of nobody are none', async () => {
    expect(await resourcesOf([], new ResourceClock()).cpuFlags(asIs)).toEqual({
      schemaVersion: 1,
      isComplete: true,
      architectures: [],
      missing: [],
    });
  });
});
