import { once } from 'node:events';
import { connect } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import type { FrameChannel } from '../../src/peers/frame-channel.ts';
import { PEER_ALPN, shakeHands } from '../../src/peers/handshake.ts';
import { loadIdentity } from '../../src/peers/identity.ts';
import { peersReport } from '../../src/peers/peers-report.ts';
import { loopbackTrust } from '../../src/peers/trust.ts';
import type { Hello } from '../../src/peers/types.ts';
import { freePort } from '../support/ports.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { areAllLinked, type MemberOptions, pause, startMember, stopMembers, type TestMember, until } from './member.ts';
import { Door } from './partition.ts';

const doors: Door[] = [];

afterEach(async () => {
  await stopMembers();
  for (const door of doors.splice(0)) door.close();
});

const show = (members: readonly TestMember[]) => () => members.map(({ peers }) => peersReport(peers));

async function pair(options: MemberOptions = {}): Promise<[TestMember, TestMember]> {
  const first = await startMember({ ip: '127.0.0.2', ...options });
  const second = await startMember({ ip: '127.0.0.3', ...options, addresses: [first.address] });
  await until(() => areAllLinked([first, second]), show([first, second]));
  return [first, second];
}

describe('a link', () => {
  it('is one per pair, however often both dial at the same moment', async () => {
    for (let round = 0; round < 8; round++) {
      const ports = [await freePort(), await freePort()];
      const addresses = [`127.0.0.2:${ports[0]}`, `127.0.0.3:${ports[1]}`];
      const members = await Promise.all([
        startMember({ ip: '127.0.0.2', port: ports[0] as number, addresses }),
        startMember({ ip: '127.0.0.3', port: ports[1] as number, addresses }),
      ]);
      await until(() => areAllLinked(members), show(members));
      await pause(600);
      expect(areAllLinked(members)).toBe(true);
      const [a, b] = members.map(({ peers }) => peers.members()[0]?.side);
      // The two ends of one link, not one end each of two.
      expect([a, b].sort()).toEqual(['acceptor', 'dialler']);
      for (const { peers, log } of members) {
        expect(peers.stats.broken.value).toBe(0);
        expect(log.filter(({ event }) => event === 'member lost' || event === 'member left')).toEqual([]);
      }
      await stopMembers();
    }
  });

  it('carries hints, the newest only, repeated ones never, to members of the same store', async () => {
    const [first, second] = await pair();
    const other = await startMember({ ip: '127.0.0.4', store: 'another', addresses: [first.address, second.address] });
    await until(() => areAllLinked([first, second, other]), show([first, second, other]));
    const heard: number[] = [];
    second.peers.onHint((revision) => heard.push(revision));
    other.peers.onHint(() => heard.push(-1));
    for (let revision = 2; revision <= 1000; revision++) first.peers.hint(revision);
    await until(
      () => heard.at(-1) === 1000,
      () => heard,
    );
    first.peers.hint(1000);
    first.peers.hint(7);
    await pause(100);
    expect(heard.at(-1)).toBe(1000);
    expect(heard).toEqual([...new Set(heard)].sort((a, b) => a - b));
    // A thousand commits in a moment are a handful of hints.
    expect(heard.length).toBeLessThan(100);
  });

  it('carries messages to those who are meant, long ones whole, and says from whom', async () => {
    const [first, second] = await pair();
    const third = await startMember({ ip: '127.0.0.4', addresses: [first.address, second.address] });
    await until(() => areAllLinked([first, second, third]), show([first, second, third]));
    const heard: { readonly by: string; readonly from: string; readonly bytes: Buffer }[] = [];
    for (const { peers } of [second, third]) {
      peers.onMessage('drop', (bytes, { id }) => heard.push({ by: peers.id, from: id, bytes }));
    }
    const long = Buffer.from(Array.from({ length: 900_000 }, (_, i) => i * 7));
    first.peers.tell(
      'drop',
      () => long,
      ({ id }) => id === second.peers.id,
    );
    await until(() => heard.length === 1);
    first.peers.tell('other', () => Buffer.of(1));
    first.peers.tell('drop', () => Buffer.of(2));
    await until(() => heard.length === 3);
    const [secondId, thirdId] = [second.peers.id, third.peers.id];
    const said = heard.map(({ by, from, bytes }) => ({ by, from, length: bytes.length }));
    expect(said.filter(({ by }) => by === secondId).map(({ length }) => length)).toEqual([long.length, 1]);
    expect(said.filter(({ by }) => by === thirdId).map(({ length }) => length)).toEqual([1]);
    expect(new Set(said.map(({ from }) => from))).toEqual(new Set([first.peers.id]));
    expect(heard.find(({ bytes }) => bytes.length > 1)?.bytes.equals(long)).toBe(true);
    let made = 0;
    const make = () => {
      made += 1;
      return Buffer.alloc(1 << 20);
    };
    first.peers.tell('drop', make, () => false);
    expect(made).toBe(0);
    expect(() => first.peers.tell('drop', make)).toThrow('a message of 1048576 bytes');
  });

  it('asks and answers: bytes, reasons, limits', async () => {
    const [first, second] = await pair();
    const ask = (kind: string, body = Buffer.alloc(0), timeoutMs = 5000) =>
      first.peers.request(second.peers.id, kind, body, { timeoutMs });
    const code = (asked: Promise<unknown>) =>
      asked.then(
        () => 'answered',
        (error: { code?: string }) => error.code,
      );
    second.peers.handle('reverse', async (body) => Buffer.from(body).reverse());
    second.peers.handle('fail', () => Promise.reject(new Error('no disk')));
    second.peers.handle('huge', async () => Buffer.alloc(2 ** 21));
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    second.peers.handle('hold', async () => {
      await held;
      return Buffer.from('done');
    });
    expect((await ask('reverse', Buffer.from('abc'))).toString()).toBe('cba');
    const large = Buffer.alloc(900_000, 'x');
    expect((await ask('reverse', large)).equals(large)).toBe(true);
    await expect(ask('fail')).rejects.toMatchObject({ code: 'failed', message: 'no disk' });
    expect(await code(ask('unheard-of'))).toBe('unknown-kind');
    expect(await code(ask('huge'))).toBe('too-large');
    expect(await code(ask('reverse', Buffer.alloc(2 ** 21)))).toBe('too-large');
    expect(await code(ask('hold', undefined, 50))).toBe('timeout');
    expect(await code(first.peers.request('00', 'reverse', large))).toBe('not-linked');
    const many = Array.from({ length: 40 }, () => code(ask('hold')));
    expect((await Promise.race([Promise.all(many.slice(32)), pause(5000)])) ?? []).toEqual(Array(8).fill('busy'));
    release();
    const answers = await Promise.all(many);
    expect(answers.filter((answer) => answer === 'answered').length).toBeGreaterThanOrEqual(31);
    second.peers.handle('never', () => new Promise(() => undefined));
    const lost = code(ask('never', undefined, 30_000));
    await second.peers.stop();
    expect(await lost).toBe('lost');
  });

  it('says how able a member is, and goodbye when it leaves', async () => {
    const [first, second] = await pair();
    let changes = 0;
    first.peers.onChange(() => changes++);
    second.peers.setAbility({ isAble: false, reason: 'its database does not answer' });
    await until(() => first.peers.members()[0]?.ability.isAble === false);
    expect(first.peers.members()[0]?.ability.reason).toBe('its database does not answer');
    expect(changes).toBe(1);
    await second.peers.stop();
    await until(() => first.peers.members().length === 0, show([first]));
    expect(first.log.find(({ event }) => event === 'member left')?.fields).toMatchObject({ reason: 'draining' });
    expect(first.peers.stats.broken.value).toBe(0);
  });

  it('comes back by itself after a restart, at once able, for the leave was taken', async () => {
    const [first, second] = await pair();
    await second.peers.stop();
    const again = await startMember({ ip: '127.0.0.3', folder: second.folder, addresses: [first.address] });
    await until(() => areAllLinked([first, again]), show([first, again]));
    expect(first.peers.members()).toMatchObject([{ id: second.peers.id, sitsOut: false }]);
  });

  it('bears a member that sends nonsense once it is linked: that link breaks, no other', async () => {
    const [first, second] = await pair();
    // A hint of two bytes; a message whose topic is longer than it; an ability that is none; a frame of two gigabytes.
    for (const [kind, body] of [
      [7, Buffer.alloc(2)],
      [12, Buffer.alloc(0)],
      [8, Buffer.from('{"isAble":1}')],
      [9, Buffer.from('{"address":"\u001b[2J"}')],
    ] as const) {
      const channel = await linkByHand(first.address);
      await until(() => first.peers.members().length === 2, show([first]));
      const before = first.peers.stats.broken.value;
      channel.send(kind, body);
      await until(() => first.peers.stats.broken.value > before, show([first]));
    }
    // What is only unknown breaks nothing; an introduction of nobody is nobody's.
    const channel = await linkByHand(first.address);
    channel.send(200, Buffer.alloc(10));
    channel.send(9, Buffer.from('{"address":"nowhere"}'));
    await pause(300);
    expect(first.peers.members()).toHaveLength(2);
    expect(second.peers.stats.broken.value).toBe(0);
    channel.socket.destroy();
  });
});

describe('a silent partition', () => {
  it('is noticed by both sides, and heals', async () => {
    const ports = [await freePort(), await freePort()];
    const real = [`127.0.0.2:${ports[0]}`, `127.0.0.3:${ports[1]}`];
    const [doorA, doorB] = [
      await Door.open('127.0.0.4', 0, () => real[0] ?? ''),
      await Door.open('127.0.0.5', 0, () => real[1] ?? ''),
    ];
    doors.push(doorA, doorB);
    const start = (ip: string, port: number, advertise: Door, other: Door) =>
      startMember({ ip, port, advertise: [advertise.address], addresses: [other.address] });
    const first = await start('127.0.0.2', ports[0] as number, doorA, doorB);
    const second = await start('127.0.0.3', ports[1] as number, doorB, doorA);
    await until(() => areAllLinked([first, second]), show([first, second]));
    await until(() => first.peers.members()[0]?.roundTripMs !== undefined);
    doorA.shut();
    doorB.shut();
    await until(() => first.peers.members().length + second.peers.members().length === 0, show([first, second]));
    expect(
      first.log.some(
        ({ event, fields }) => event === 'member lost' && String(fields?.['reason']).startsWith('silent for'),
      ),
    ).toBe(true);
    doorA.reopen();
    doorB.reopen();
    await until(() => areAllLinked([first, second]), show([first, second]));
    // It broke and came back: no duties for a while.
    expect([first, second].map(({ peers }) => peers.members()[0]?.sitsOut)).toEqual([true, true]);
  });
});

describe('a member with its address behind a wildcard', () => {
  it('is known by the address it dials from', async () => {
    const first = await startMember({ ip: '127.0.0.2' });
    const second = await startMember({ ip: '0.0.0.0', folder: temporaryFolder('wild'), addresses: [first.address] });
    await until(() => areAllLinked([first, second]), show([first, second]));
    const [seen] = first.peers.members();
    expect(seen?.address).toMatch(/^127\.0\.0\.\d+:\d+$/);
    expect(seen?.address.endsWith(second.address.slice(second.address.lastIndexOf(':')))).toBe(true);
  });
});

/** A link whose other end is this test. */
async function linkByHand(to: string): Promise<FrameChannel> {
  const identity = loadIdentity(temporaryFolder('by-hand'));
  const [host = '', port = ''] = to.split(':');
  const socket = connect({
    host,
    port: Number(port),
    key: identity.privateKey,
    cert: identity.certificate,
    rejectUnauthorized: false,
    ALPNProtocols: [PEER_ALPN],
  });
  await once(socket, 'secureConnect');
  const hello: Hello = {
    ...{
      protocol: 1,
      cluster: 'c1',
      store: 'c1',
      id: identity.id,
      incarnation: '0123456789abcdef',
      version: '',
      name: 'by hand',
    },
    ...{ addresses: [], port: 0, clientUrls: [], etcdMemberId: '1', ability: { isAble: true, reason: '' } },
  };
  const context = { identity, trust: loopbackTrust, clock: systemClock, hello: () => hello, admit: () => undefined };
  const { channel } = await shakeHands(socket, 'dialler', context);
  channel.handOver(
    () => undefined,
    () => undefined,
  );
  return channel;
}
