import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { askDns, DnsFailure } from '../../src/peers/dns-client.ts';
import { lookUp } from '../../src/peers/dns-lookup.ts';
import { peersReport } from '../../src/peers/peers-report.ts';
import { freePort } from '../support/ports.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { Dnsmasq, mustHaveDnsmasq } from './dnsmasq.ts';
import { areAllLinked, pause, startMember, stopMembers, type TestMember, until } from './member.ts';

const NAME = 'members.example';
const servers: Dnsmasq[] = [];

async function dnsmasq(records: readonly string[], txt: readonly string[] = [], port?: number): Promise<Dnsmasq> {
  const server = await Dnsmasq.start(records, txt, port);
  servers.push(server);
  return server;
}

afterEach(async () => {
  await stopMembers();
  for (const server of servers.splice(0)) await server.stop();
});

/** Members on 127.0.0.2 and so on, all on one port, as pods are. */
async function startOn(
  port: number,
  ips: readonly string[],
  dnsServer: { readonly ip: string; readonly port: number },
): Promise<TestMember[]> {
  const dns = [{ host: { host: NAME, port }, source: 'dns' as const }];
  return await Promise.all(ips.map((ip) => startMember({ ip, port, dns, dnsServer })));
}

const linkedOf = ({ peers }: TestMember): string[] => peers.members().map(({ address }) => address);
const show = (members: readonly TestMember[]) => () => members.map((member) => peersReport(member.peers));

describe.runIf(mustHaveDnsmasq())('discovery by DNS', () => {
  it('links everybody that the name lists, finds itself among them, and says how old the answer is', async () => {
    const port = await freePort();
    const ips = ['127.0.0.2', '127.0.0.3', '127.0.0.4'];
    const { server } = await dnsmasq(ips.map((ip) => `${ip} ${NAME}`));
    const members = await startOn(port, ips, server);
    await until(() => areAllLinked(members), show(members));
    const [first] = members.map(({ peers }) => peersReport(peers));
    expect(first).toMatchObject({ listed: 3, linked: 2, wanted: 2, addresses: [{ state: 'self' }] });
    expect(first?.dns).toMatchObject([{ name: `${NAME}:${port}`, addresses: 3, failure: '' }]);
    expect(first?.members.map(({ sources }) => sources[0])).toEqual(['dns', 'dns']);
    expect(new Set(members.map(({ peers }) => peersReport(peers).viewHash)).size).toBe(1);
  });

  it('goes past the first listed addresses when they are dead', async () => {
    const port = await freePort();
    const dead = Array.from({ length: 12 }, (_, i) => `127.0.0.${20 + i}`);
    const ips = ['127.0.0.201', '127.0.0.202'];
    const { server } = await dnsmasq([...dead, ...ips].map((ip) => `${ip} ${NAME}`));
    const members = await startOn(port, ips, server);
    await until(() => areAllLinked(members), show(members));
    expect(peersReport((members[0] as TestMember).peers)).toMatchObject({ listed: 14, linked: 1, wanted: 13 });
  });

  it('takes a newcomer in, and does not let go of a live member that DNS forgets', async () => {
    const port = await freePort();
    const dns = await dnsmasq([`127.0.0.2 ${NAME}`]);
    const [first] = await startOn(port, ['127.0.0.2'], dns.server);
    dns.setRecords([`127.0.0.2 ${NAME}`, `127.0.0.3 ${NAME}`]);
    const [second] = await startOn(port, ['127.0.0.3'], dns.server);
    const members = [first as TestMember, second as TestMember];
    await until(() => areAllLinked(members), show(members));
    const since = members[0]?.peers.members()[0]?.sinceMs;
    dns.setRecords([`127.0.0.2 ${NAME}`]);
    await until(() => peersReport((members[0] as TestMember).peers).listed === 1, show(members));
    expect(members[0]?.peers.members()[0]?.sinceMs).toBe(since);
    // And whoever is gone as well is not dialled for ever: the address lives as long as its link's memory.
    expect(linkedOf(members[0] as TestMember)).toEqual([`127.0.0.3:${port}`]);
  });

  it('keeps its members when the name becomes empty, and when the server dies; finds new ones when it is back', async () => {
    const port = await freePort();
    const dns = await dnsmasq([`127.0.0.2 ${NAME}`, `127.0.0.3 ${NAME}`]);
    const members = await startOn(port, ['127.0.0.2', '127.0.0.3'], dns.server);
    await until(() => areAllLinked(members), show(members));
    dns.setRecords([]);
    const failure = () => peersReport((members[0] as TestMember).peers).dns[0]?.failure ?? '';
    await until(() => failure() !== '', show(members));
    await dns.stop();
    await until(() => failure().includes('127.0.0.1:'), show(members));
    expect(areAllLinked(members)).toBe(true);
    expect(peersReport((members[0] as TestMember).peers).listed).toBe(2);
    await dnsmasq([`127.0.0.2 ${NAME}`, `127.0.0.3 ${NAME}`, `127.0.0.4 ${NAME}`], [], dns.port);
    await until(() => failure() === '', show(members));
    const [third] = await startOn(port, ['127.0.0.4'], dns.server);
    await until(() => areAllLinked([...members, third as TestMember]), show(members));
  });

  it('starts alone at once with DNS dead, and links when it comes to life', async () => {
    const port = await freePort();
    const dnsPort = await freePort();
    const members = await startOn(port, ['127.0.0.2', '127.0.0.3'], { ip: '127.0.0.1', port: dnsPort });
    await until(() => members.every(({ log }) => log.some(({ event }) => event.startsWith('DNS has no answer'))));
    expect(members.map(linkedOf)).toEqual([[], []]);
    await dnsmasq([`127.0.0.2 ${NAME}`, `127.0.0.3 ${NAME}`], [], dnsPort);
    await until(() => areAllLinked(members), show(members));
  });

  it('takes one family without records for no failure, and IPv6 for as good as IPv4', async () => {
    const { server } = await dnsmasq([
      `127.0.0.2 four.example`,
      `::1 six.example`,
      '127.0.0.3 both.example',
      '::1 both.example',
    ]);
    expect(await lookUp('four.example', server, systemClock)).toMatchObject({ ips: ['127.0.0.2'], ttlSeconds: 1 });
    expect(await lookUp('six.example', server, systemClock)).toMatchObject({ ips: ['::1'] });
    expect(await lookUp('both.example', server, systemClock)).toMatchObject({ ips: ['127.0.0.3', '::1'] });
    await expect(lookUp('none.example', server, systemClock)).rejects.toThrow('none.example does not exist');
  });

  it('reads an answer that is too large for a datagram over TCP', async () => {
    const ips = Array.from({ length: 200 }, (_, i) => `10.1.${i >> 8}.${i & 255}`);
    const { server } = await dnsmasq(ips.map((ip) => `${ip} ${NAME}`));
    const reply = await askDns(NAME, 'A', [server], systemClock);
    expect([...reply.records].sort()).toEqual([...ips].sort());
  });

  it('lets TXT narrow whom an address may be, either way, and never widen it', async () => {
    const port = await freePort();
    const wrong = 'ab'.repeat(32);
    const { server } = await dnsmasq(
      [`127.0.0.2 ${NAME}`, `127.0.0.3 ${NAME}`],
      [`${NAME},v=1;a=127.0.0.3:${port};k=${wrong}`, `${NAME},v=9;a=127.0.0.2:${port};k=${wrong}`, `${NAME},hello`],
    );
    const members = await startOn(port, ['127.0.0.2', '127.0.0.3'], server);
    const [first] = members as [TestMember, TestMember];
    await until(() => (first.peers.stats.refused.get('key-mismatch')?.value ?? 0) > 0, show(members));
    await pause(500);
    expect(members.map(linkedOf)).toEqual([[], []]);
    const report = peersReport(first.peers);
    expect(report.addresses.find(({ address }) => address === `127.0.0.3:${port}`)).toMatchObject({
      code: 'key-mismatch',
    });
  });
});

describe('discovery without DNS', () => {
  it('gives up on a silent server within seconds, and starts alone meanwhile', async () => {
    const silent = createSocket('udp4');
    await new Promise<void>((resolve) => silent.bind(0, '127.0.0.1', resolve));
    const server = { ip: '127.0.0.1', port: silent.address().port };
    try {
      const member = await startMember({ dns: [{ host: { host: NAME, port: 1 }, source: 'dns' }], dnsServer: server });
      await expect(askDns(NAME, 'A', [server], systemClock)).rejects.toThrow(DnsFailure);
      await until(() => member.log.some(({ fields }) => String(fields?.['reason']).includes('no answer within')));
    } finally {
      silent.close();
    }
  });

  it('does not believe an answer to another question', async () => {
    const liar = createSocket('udp4');
    liar.on('message', (query, from) => {
      const answer = Buffer.from(query);
      answer[2] = 0x84;
      answer.writeUInt16BE(answer.readUInt16BE(0) ^ 1, 0);
      liar.send(answer, from.port, from.address);
      liar.send(Buffer.from('nonsense'), from.port, from.address);
    });
    await new Promise<void>((resolve) => liar.bind(0, '127.0.0.1', resolve));
    try {
      const asked = askDns(NAME, 'A', [{ ip: '127.0.0.1', port: liar.address().port }], systemClock);
      await expect(asked).rejects.toThrow('no answer within');
    } finally {
      liar.close();
    }
  });

  it('finds the others by an introduction when its own list has only one of them', async () => {
    const first = await startMember({ ip: '127.0.0.2' });
    const second = await startMember({ ip: '127.0.0.3', addresses: [first.address] });
    const third = await startMember({ ip: '127.0.0.4', addresses: [first.address] });
    const members = [first, second, third];
    await until(() => areAllLinked(members), show(members));
    expect(first.peers.book.listed).toBe(0);
  });

  it('finds the members of last time by the file, with nothing else to go by', async () => {
    const [portA, portB] = [await freePort(), await freePort()];
    const folders = [temporaryFolder('a'), temporaryFolder('b')] as const;
    const first = await startMember({ port: portA, folder: folders[0] });
    const second = await startMember({ port: portB, folder: folders[1], addresses: [first.address] });
    await until(() => areAllLinked([first, second]));
    await stopMembers();
    expect(JSON.parse(readFileSync(join(folders[0], 'peers', 'last-known.json'), 'utf8'))).toEqual({
      version: 1,
      addresses: [second.address],
    });
    const again = [
      await startMember({ port: portA, folder: folders[0] }),
      await startMember({ port: portB, folder: folders[1] }),
    ];
    expect(again.map(({ peers }) => peers.id)).toEqual([first.peers.id, second.peers.id]);
    await until(() => areAllLinked(again), show(again));
  });

  it('is one member under several names, and dials itself no more than once', async () => {
    const other = await startMember({ ip: '127.0.0.3' });
    // Two ways to one member: a plain forwarder is another name for it.
    const door = createServer((socket) => {
      const inner = createConnection(other.address);
      socket.on('error', () => inner.destroy());
      inner.on('error', () => socket.destroy());
      socket.pipe(inner).pipe(socket);
    });
    await new Promise<void>((resolve) => door.listen(0, '127.0.0.9', resolve));
    const doorAddress = `127.0.0.9:${(door.address() as { port: number }).port}`;
    const port = await freePort();
    const member = await startMember({
      ip: '127.0.0.2',
      port,
      addresses: [`127.0.0.2:${port}`, doorAddress, other.address],
    });
    await until(() => linkedOf(member).length === 1, show([member]));
    await until(() => peersReport(member.peers).addresses.some(({ state }) => state === 'self'), show([member]));
    await pause(600);
    expect(member.peers.members()).toHaveLength(1);
    expect(other.peers.members()).toHaveLength(1);
    // Once from each end of the one connection.
    expect(member.peers.stats.refused.get('self')?.value).toBe(2);
    door.close();
  });

  it('dials no more members than it wants, and takes those that want it', async () => {
    const many = await Promise.all(Array.from({ length: 6 }, (_, i) => startMember({ ip: `127.0.1.${i + 1}` })));
    const addresses = many.map(({ address }) => address);
    const member = await startMember({ linksMax: 3, addresses });
    await until(() => member.peers.members().length === 3, show([member]));
    await pause(500);
    expect(peersReport(member.peers)).toMatchObject({ linked: 3, wanted: 3, listed: 6 });
  });
});

function createConnection(address: string) {
  const [host = '', port = ''] = address.split(':');
  return connect(Number(port), host);
}
