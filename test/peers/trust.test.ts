import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, statSync, writeFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { PEER_ALPN } from '../../src/peers/handshake.ts';
import { type Identity, identityFromFiles, loadIdentity } from '../../src/peers/identity.ts';
import { KnownMembers, MemoryMemberTable } from '../../src/peers/member-table.ts';
import { peersReport } from '../../src/peers/peers-report.ts';
import type { RefusalCode } from '../../src/peers/refused.ts';
import { caTrust, secretTrust, storeTrust, type Trust } from '../../src/peers/trust.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { areAllLinked, pause, startMember, stopMembers, type TestMember, until } from './member.ts';

const SECRET = 'correct horse battery staple';
const closers: (() => void)[] = [];

afterEach(async () => {
  await stopMembers();
  for (const close of closers.splice(0)) close();
});

function secretFile(text: string, mode = 0o600): string {
  const file = join(temporaryFolder('secret'), 'secret');
  writeFileSync(file, text, { mode });
  chmodSync(file, mode);
  return file;
}

const secret = (text: string): Trust => secretTrust(secretFile(text));
const refusals = ({ peers }: TestMember, code: RefusalCode): number => peers.stats.refused.get(code)?.value ?? 0;
const show = (members: readonly TestMember[]) => () => members.map(({ peers }) => peersReport(peers));

describe('trust by secret', () => {
  it('links who knows it', async () => {
    const first = await startMember({ trust: secret(`${SECRET}\n`) });
    const second = await startMember({ trust: secret(SECRET), addresses: [first.address] });
    await until(() => areAllLinked([first, second]), show([first, second]));
  });

  it('refuses who does not, says so on both sides, and shows the secret to neither', async () => {
    const first = await startMember({ ip: '127.0.0.2', trust: secret(SECRET) });
    const second = await startMember({
      ip: '127.0.0.3',
      trust: secret('another secret, as long'),
      addresses: [first.address],
    });
    await until(
      () => refusals(first, 'wrong-secret') > 0 && refusals(second, 'wrong-secret') > 0,
      show([first, second]),
    );
    expect(peersReport(second.peers).addresses).toMatchObject([{ state: 'refused', code: 'wrong-secret' }]);
    expect(peersReport(first.peers).refusals).toMatchObject([{ remote: '127.0.0.3', code: 'wrong-secret', by: 'us' }]);
    for (const { log, peers } of [first, second]) {
      expect(peers.members()).toEqual([]);
      expect(JSON.stringify([log, peersReport(peers)])).not.toMatch(/horse|another secret/);
    }
  });

  it('changes from one secret to the next without a moment apart', async () => {
    const [old, next] = ['the old secret, long enough', 'the next secret, long enough'] as const;
    const first = await startMember({ trust: secret(old) });
    const second = await startMember({ trust: secret(`${old}\n${next}\n`), addresses: [first.address] });
    await until(() => areAllLinked([first, second]), show([first, second]));
    await first.peers.stop();
    const third = await startMember({ trust: secret(`${next}\n${old}\n`), addresses: [second.address] });
    await until(() => areAllLinked([second, third]), show([second, third]));
  });

  it('is not fooled by a man in the middle who relays every byte', async () => {
    const victim = await startMember({ ip: '127.0.0.2', trust: secret(SECRET) });
    const relay = await startRelay(victim.address);
    const dialler = await startMember({ ip: '127.0.0.3', trust: secret(SECRET), addresses: [relay.address] });
    await until(
      () => refusals(victim, 'wrong-secret') > 0 && refusals(dialler, 'wrong-secret') > 0,
      show([victim, dialler]),
    );
    expect(relay.relayedBytes()).toBeGreaterThan(32);
    expect([victim, dialler].map(({ peers }) => peers.members())).toEqual([[], []]);
    // The relay is what is wrong: without it the two are linked at once.
    const direct = await startMember({ trust: secret(SECRET), addresses: [victim.address] });
    await until(() => areAllLinked([victim, direct]), show([victim, direct]));
  });

  it('is not fooled by its own proof sent back', async () => {
    const mirror = await startTls((socket) => socket.on('data', (bytes) => socket.write(bytes)));
    const member = await startMember({ trust: secret(SECRET), addresses: [mirror] });
    await until(() => refusals(member, 'wrong-secret') > 0, show([member]));
    expect(member.peers.members()).toEqual([]);
  });

  it('tells a stranger nothing: no hello, no name, before the proof', async () => {
    const member = await startMember({ trust: secret(SECRET), name: 'a-name-to-hide' });
    const seen = await knock(member.address, frame(1, Buffer.alloc(32)));
    expect(seen.toString()).toContain('wrong-secret');
    expect(seen.toString()).not.toContain('a-name-to-hide');
    expect(seen.toString()).not.toContain('cluster');
  });

  it.each([
    ['a short secret', 'short\n', 0o600, 'shorter than 16'],
    ['no secret', '\n', 0o600, 'is empty'],
    ['a secret that everybody may read', SECRET, 0o644, 'chmod 600'],
  ])('does not start with %s', (_, text, mode, words) => {
    expect(() => secretTrust(secretFile(text, mode))).toThrow(words);
  });
});

describe('trust by certificate authority', () => {
  const folder = temporaryFolder('ca');
  const file = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' });

  function authority(name: string): void {
    openssl(
      'req',
      '-x509',
      '-newkey',
      'ed25519',
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      file(`${name}.key`),
      '-out',
      file(`${name}.crt`),
    );
  }

  function issue(name: string, by: string, dnsName: string): Identity {
    openssl(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      file(`${name}.key`),
      '-out',
      file(`${name}.csr`),
    );
    writeFileSync(file(`${name}.ext`), `subjectAltName=DNS:${dnsName}\nextendedKeyUsage=serverAuth,clientAuth\n`);
    openssl(
      'x509',
      '-req',
      '-days',
      '2',
      '-in',
      file(`${name}.csr`),
      '-CA',
      file(`${by}.crt`),
      '-CAkey',
      file(`${by}.key`),
      '-CAcreateserial',
      '-extfile',
      file(`${name}.ext`),
      '-out',
      file(`${name}.crt`),
    );
    return identityFromFiles(file(`${name}.crt`), file(`${name}.key`));
  }

  it('links members with the name, and neither strangers nor others of the same authority', async () => {
    authority('ours');
    authority('theirs');
    const trust = caTrust(file('ours.crt'), 'peer.kedge.example');
    const first = await startMember({ ip: '127.0.0.2', trust, identity: issue('one', 'ours', 'peer.kedge.example') });
    const second = await startMember({
      ip: '127.0.0.3',
      trust,
      identity: issue('two', 'ours', '*.kedge.example'),
      addresses: [first.address],
    });
    const client = await startMember({
      ip: '127.0.0.4',
      trust,
      identity: issue('client', 'ours', 'apiserver.example.org'),
      addresses: [first.address],
    });
    const stranger = await startMember({
      ip: '127.0.0.5',
      trust: caTrust(file('theirs.crt'), 'peer.kedge.example'),
      identity: issue('stranger', 'theirs', 'peer.kedge.example'),
      addresses: [first.address],
    });
    const selfSigned = await startMember({
      ip: '127.0.0.6',
      trust,
      identity: loadIdentity(temporaryFolder('x')),
      addresses: [first.address],
    });
    await until(() => areAllLinked([first, second]), show([first, second]));
    await until(
      () => refusals(first, 'certificate-name') > 0 && refusals(first, 'untrusted-certificate') > 1,
      show([first]),
    );
    expect([client, stranger, selfSigned].map(({ peers }) => peers.members())).toEqual([[], [], []]);
    const told = peersReport(first.peers).refusals.map(({ remote, code }) => `${remote} ${code}`);
    expect(told).toContain('127.0.0.4 certificate-name');
    expect(told).toContain('127.0.0.5 untrusted-certificate');
    expect(told).toContain('127.0.0.6 untrusted-certificate');
  });

  it('names the file that is wrong', () => {
    expect(() => caTrust(file('missing.crt'), 'x')).toThrow('missing.crt');
    expect(() => identityFromFiles(file('one.crt'), file('two.key'))).toThrow('two.key is not the key of');
    expect(() => identityFromFiles(file('one.ext'), file('two.key'))).toThrow('one.ext is not in PEM');
  });
});

describe('trust by the store', () => {
  it('links who is in the table, and takes a newcomer in as soon as it is', async () => {
    const table = new MemoryMemberTable();
    const known = () => new KnownMembers(table, systemClock, silentLogger);
    const start = (ip: string, more: object) => {
      const members = known();
      return startMember({ ip, trust: storeTrust(members), table: members, ...more });
    };
    const first = await start('127.0.0.2', {});
    // Finds the first by the table alone.
    const second = await start('127.0.0.3', {});
    await until(() => areAllLinked([first, second]), show([first, second]));
    expect(peersReport(second.peers).members[0]?.sources).toContain('table');
    expect((await table.list()).map(({ id }) => id).sort()).toEqual([first.peers.id, second.peers.id].sort());
    const impostor = await startMember({ ip: '127.0.0.4', trust: storeTrust(known()), addresses: [first.address] });
    await until(() => refusals(impostor, 'not-in-table') > 0, show([first, impostor]));
    await until(() => refusals(first, 'not-in-table') > 0, show([first]));
    expect(first.peers.members()).toHaveLength(1);
    // It was the table that kept it out.
    await table.put({ id: impostor.peers.id, name: 'no impostor after all', addresses: [], startedMs: 0 });
    await until(() => areAllLinked([first, impostor]), show([first, impostor]));
  });

  it('does not trust more, nor less, while the database does not answer', async () => {
    const table = new MemoryMemberTable();
    let isAway = false;
    const fragile = {
      list: () => (isAway ? Promise.reject(new Error('away')) : table.list()),
      put: (self: Parameters<MemoryMemberTable['put']>[0]) =>
        isAway ? Promise.reject(new Error('away')) : table.put(self),
    };
    const start = (ip: string, more: object) => {
      const members = new KnownMembers(fragile, systemClock, silentLogger);
      return startMember({ ip, trust: storeTrust(members), table: members, ...more });
    };
    const first = await start('127.0.0.2', {});
    const second = await start('127.0.0.3', { folder: temporaryFolder('second') });
    await until(() => areAllLinked([first, second]), show([first, second]));
    isAway = true;
    const late = await start('127.0.0.4', { addresses: [first.address] });
    await until(() => refusals(first, 'not-in-table') + refusals(late, 'not-in-table') > 0, show([first, late]));
    expect(areAllLinked([first, second])).toBe(true);
  });
});

describe('who is refused whatever the trust', () => {
  it("another cluster's member, by name", async () => {
    const first = await startMember({ ip: '127.0.0.2', cluster: 'north', name: 'store-north' });
    const second = await startMember({
      ip: '127.0.0.3',
      cluster: 'south',
      name: 'store-south',
      addresses: [first.address],
    });
    await until(() => refusals(second, 'wrong-cluster') > 0, show([first, second]));
    const [{ reason = '' } = {}] = peersReport(second.peers).addresses;
    expect(reason).toContain('they (store-north) belong to cluster north, we to south');
    expect(first.peers.members()).toEqual([]);
  });

  it('a copy of our own data folder', async () => {
    const folder = temporaryFolder('copied');
    const first = await startMember({ ip: '127.0.0.2', folder });
    const second = await startMember({ ip: '127.0.0.3', folder, addresses: [first.address] });
    await until(() => refusals(second, 'same-identity') > 0, show([second]));
    expect(peersReport(second.peers).addresses[0]?.reason).toContain('data folder was copied');
  });

  it('garbage, silence, large frames, another protocol: and an honest member links meanwhile', async () => {
    const member = await startMember({ ip: '127.0.0.2' });
    const [host = '', port = ''] = member.address.split(':');
    const silent = Array.from({ length: 100 }, () => connectSocket(Number(port), host));
    for (const socket of silent) socket.on('error', () => socket.destroy());
    closers.push(() => {
      for (const socket of silent) socket.destroy();
    });
    await until(() => refusals(member, 'rate') > 0, show([member]));
    const honest = await startMember({ ip: '127.0.0.3', addresses: [member.address] });
    await until(() => areAllLinked([member, honest]), show([member, honest]));
    // Those that were let in, and said nothing, are gone after three seconds.
    await until(() => silent.every((socket) => socket.destroyed), show([member]));

    const plain = connectSocket({ port: Number(port), host, localAddress: '127.0.0.4' });
    plain.on('error', () => plain.destroy());
    plain.write('GET / HTTP/1.1\r\n\r\n');
    await until(() => refusals(member, 'tls') > 0, show([member]));
    const large = frame(1, Buffer.alloc(16));
    large.writeUInt32BE(2 ** 31, 0);
    expect((await knock(member.address, large)).toString()).toBe('');
    await until(() => refusals(member, 'bad-frame') === 1, show([member]));
    expect((await knock(member.address, frame(7, Buffer.alloc(8)))).toString()).toContain('bad-frame');
    expect(
      (await knock(member.address, Buffer.concat([frame(1, Buffer.alloc(0)), frame(2, Buffer.from('{}'))]))).toString(),
    ).toContain('malformed');
    const future = Buffer.from(JSON.stringify({ protocol: 2 }));
    expect(
      (await knock(member.address, Buffer.concat([frame(1, Buffer.alloc(0)), frame(2, future)]))).toString(),
    ).toContain('protocol-version');
    expect(areAllLinked([member, honest])).toBe(true);
  });

  it('nobody from beyond loopback when trust is loopback', async () => {
    const member = await startMember({ ip: '127.0.0.2' });
    const foreign = { remoteIp: '10.0.0.1', localIp: '127.0.0.1' };
    const { loopbackTrust } = await import('../../src/peers/trust.ts');
    const certificate = { publicKey: { asymmetricKeyType: 'ed25519' } } as never;
    await expect(
      loopbackTrust.checkPeer({ id: member.peers.id, certificate, chainError: undefined, ...foreign }),
    ).rejects.toThrow('another machine');
  });
});

describe('the identity', () => {
  it('is made once, kept, and readable by its owner only', () => {
    const folder = join(temporaryFolder('identity'), 'peers');
    const first = loadIdentity(folder);
    expect(first.id).toMatch(/^[0-9a-f]{64}$/);
    expect(statSync(join(folder, 'identity.key')).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(loadIdentity(folder).id).toBe(first.id);
    expect(loadIdentity(temporaryFolder('other')).id).not.toBe(first.id);
    chmodSync(join(folder, 'identity.key'), 0o644);
    expect(() => loadIdentity(folder)).toThrow('chmod 600');
    chmodSync(join(folder, 'identity.key'), 0o600);
    writeFileSync(join(folder, 'identity.key'), 'nonsense');
    expect(() => loadIdentity(folder)).toThrow('is not in PEM, or is damaged');
    expect(existsSync(join(folder, 'identity.key'))).toBe(true);
  });
});

/** A TLS server with a key of its own, as a stranger would set one up. */
async function startTls(onSocket: (socket: TLSSocket) => void): Promise<string> {
  const { privateKey, certificate } = loadIdentity(temporaryFolder('stranger'));
  const server = createServer(
    { key: privateKey, cert: certificate, requestCert: true, rejectUnauthorized: false, ALPNProtocols: [PEER_ALPN] },
    (socket) => {
      socket.on('error', () => socket.destroy());
      onSocket(socket);
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.9', resolve));
  closers.push(() => server.close());
  return `127.0.0.9:${(server.address() as { port: number }).port}`;
}

/** Two TLS sessions and everything from one in the other. */
async function startRelay(to: string): Promise<{ readonly address: string; relayedBytes(): number }> {
  let bytes = 0;
  const address = await startTls((socket) => {
    const onward = dial(to);
    onward.on('error', () => socket.destroy());
    onward.on('data', (data) => {
      bytes += data.length;
    });
    socket.on('data', (data) => {
      bytes += data.length;
    });
    socket.pipe(onward).pipe(socket);
  });
  return { address, relayedBytes: () => bytes };
}

function dial(to: string): TLSSocket {
  const { privateKey, certificate } = loadIdentity(temporaryFolder('stranger'));
  const [host = '', port = ''] = to.split(':');
  return connect({
    host,
    port: Number(port),
    key: privateKey,
    cert: certificate,
    rejectUnauthorized: false,
    ALPNProtocols: [PEER_ALPN],
  });
}

/** Sends bytes over TLS and answers with everything that comes until the other side closes. */
async function knock(to: string, bytes: Buffer): Promise<Buffer> {
  await pause(100);
  const socket = dial(to);
  const seen: Buffer[] = [];
  socket.on('data', (data: Buffer) => seen.push(data));
  socket.write(bytes);
  await new Promise<void>((resolve) => {
    socket.once('error', () => resolve());
    socket.once('close', () => resolve());
  });
  return Buffer.concat(seen);
}

function frame(kind: number, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length + 1, 0);
  head[4] = kind;
  return Buffer.concat([head, body]);
}
