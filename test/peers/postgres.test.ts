import { execFileSync } from 'node:child_process';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PeersReport } from '../../src/peers/report.ts';
import { secretTrust } from '../../src/peers/trust.ts';
import { layOutFixture } from '../resources/machine-fixture.ts';
import { EtcdClient } from '../support/client.ts';
import { freePort, freePorts } from '../support/ports.ts';
import { hasPostgres, PostgresServer } from '../support/postgres.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { removeFolder, temporaryFolder } from '../support/temporary.ts';
import { Dnsmasq, mustHaveDnsmasq } from './dnsmasq.ts';
import { pause, startMember, stopMembers, until } from './member.ts';
import { startPatiently } from './patient-kedge.ts';

const NAME = 'replicas.example';
const COUNT = 3;
const CERTIFICATE_NAME = 'peer.kedge.example';

/** As in Kubernetes: one database, one headless name whose records come and go, three replicas. */
describe.runIf(hasPostgres() && mustHaveDnsmasq())(
  'replicas on one PostgreSQL, found by DNS',
  {
    timeout: 150_000,
  },
  () => {
    const folder = temporaryFolder('replicas');
    const replicas: ServerProcess[] = [];
    const ips = Array.from({ length: COUNT }, (_, i) => `127.0.7.${i + 1}`);
    const machines: string[] = [];
    let database: PostgresServer;
    let dns: Dnsmasq;
    let peerPort = 0;
    let ports: readonly number[] = [];
    let url = '';

    beforeAll(async () => {
      database = await PostgresServer.start();
      dns = await Dnsmasq.start([]);
      peerPort = await freePort();
      ports = await freePorts(COUNT);
      url = database.url(database.freshDatabase());
      writeFileSync(join(folder, 'secret'), 'a secret of this test, long enough\n', { mode: 0o600 });
      makeCertificates(folder, COUNT);
      for (let i = 0; i < COUNT; i++) {
        const root = join(folder, `machine-${i}`);
        cpSync(layOutFixture('x86-64-rack-server'), root, { recursive: true });
        machines.push(root);
      }
    }, 120_000);

    afterAll(async () => {
      await Promise.all(replicas.map((replica) => replica.kill()));
      await dns?.stop();
      await database?.dispose();
      removeFolder(folder);
    });

    const trustFlags = (trust: string, i: number): readonly string[] => {
      if (trust === 'secret') return [`--peer-secret-file=${join(folder, 'secret')}`];
      if (trust === 'store') return [];
      return [
        `--peer-trusted-ca-file=${join(folder, 'ca.crt')}`,
        `--peer-cert-file=${join(folder, `peer-${i}.crt`)}`,
        `--peer-key-file=${join(folder, `peer-${i}.key`)}`,
        `--peer-cert-allowed-hostname=${CERTIFICATE_NAME}`,
      ];
    };

    async function start(i: number, trust: string): Promise<void> {
      replicas[i] = await startPatiently(join(folder, `data-${i}`), ports[i] ?? 0, [
        `--name=replica-${i}`,
        `--store=${url}`,
        `--peer-listen=${ips[i]}:${peerPort}`,
        `--peer-dns=${NAME}:${peerPort}`,
        `--peer-dns-server=127.0.0.1:${dns.port}`,
        `--peer-trust=${trust}`,
        ...trustFlags(trust, i),
        `--resources-root=${machines[i]}`,
        ...['--peer-heartbeat=1s', '--peer-dead-after=5s'],
      ]);
    }

    const list = (count: number): void => dns.setRecords(ips.slice(0, count).map((ip) => `${ip} ${NAME}`));
    const reports = (): Promise<PeersReport[]> => Promise.all(replicas.map(report));
    const areLinked = async (): Promise<boolean> => (await reports()).every(({ linked }) => linked === COUNT - 1);

    it.each(['ca', 'store', 'secret'])(
      'trust %s: link as the name gets records, stay when it loses them',
      async (trust) => {
        for (const replica of replicas.splice(0)) await replica.stop();
        // Nobody has an address yet: each serves all the same.
        list(0);
        await start(0, trust);
        list(1);
        await Promise.all([start(1, trust), start(2, trust)]);
        await untilTrue(areLinked);
        list(COUNT);
        await untilTrue(async () =>
          (await reports()).every(({ members }) => members.every(({ sources }) => sources.includes('dns'))),
        );
        list(0);
        await untilTrue(async () => (await reports()).every(({ dns: [state] }) => state?.failure !== ''));
        const seen = await reports();
        expect(seen.map(({ linked, listed, self }) => [linked, listed, self.trust])).toEqual(
          ips.map(() => [COUNT - 1, COUNT, trust]),
        );
        expect(seen.map(({ members }) => members.map(({ hasSameStore }) => hasSameStore))).toEqual(
          ips.map(() => [true, true]),
        );
        expect(new Set(seen.map(({ viewHash }) => viewHash)).size).toBe(1);
      },
    );

    it('are one member list, each with an id and a client URL of its own', async () => {
      const client = new EtcdClient(replicas[1]?.endpoint ?? '');
      try {
        const { members = [] } = await client.call('Cluster/MemberList', {});
        expect(members.map(({ name }) => name).sort()).toEqual(['replica-0', 'replica-1', 'replica-2']);
        expect(new Set(members.map(({ ID }) => ID)).size).toBe(COUNT);
        expect(members.flatMap(({ clientURLs }) => clientURLs).sort()).toEqual(
          ports.map((port) => `http://127.0.0.1:${port}`).sort(),
        );
      } finally {
        client.close();
      }
    });

    it('hear of a commit by the database, have its batch from a peer, and need not ask', async () => {
      const [a, b] = replicas as [ServerProcess, ServerProcess];
      const [writer, watcher] = [new EtcdClient(a.endpoint), new EtcdClient(b.endpoint)];
      try {
        const stream = watcher.stream('Watch/Watch');
        stream.send({ create_request: { key: Buffer.from('k') } });
        await stream.take();
        const before = await counters(b);
        const writes = 60;
        for (let i = 0; i < writes; i++) {
          const { header } = await writer.call('KV/Put', { key: Buffer.from('k'), value: Buffer.from(`value ${i}`) });
          const { events = [] } = await stream.take();
          expect(events[0]?.kv?.mod_revision).toBe(header?.revision);
          await pause(20);
        }
        const after = await counters(b);
        // Now and then, for the case that the database's word was lost.
        expect(after.hints - before.hints).toBeGreaterThanOrEqual(writes * 0.1);
        expect(after.ahead - before.ahead).toBe(writes);
        expect(after.applied - before.applied).toBeGreaterThanOrEqual(writes * 0.9);
        // What it asks by itself, now and then, and where a batch was late.
        expect(after.asked - before.asked).toBeLessThan(writes * 0.5);
      } finally {
        writer.close();
        watcher.close();
      }
    });

    it('send batches to replicas alone, and take them from nobody else', async () => {
      const [a, b] = replicas as [ServerProcess, ServerProcess];
      const writer = new EtcdClient(a.endpoint);
      // It has the secret and says that it has the store. It does not stand in the store's table.
      const [{ self }] = (await reports()) as [PeersReport];
      const store = self.cluster;
      const stranger = await startMember({
        ...{ ip: '127.0.7.9', cluster: store, store, trust: secretTrust(join(folder, 'secret')) },
        addresses: ips.map((ip) => `${ip}:${peerPort}`),
      });
      try {
        await until(() => stranger.peers.members().length === COUNT);
        let heard = 0;
        stranger.peers.onMessage('batch', () => {
          heard += 1;
        });
        const before = await counters(b);
        for (let i = 0; i < 20; i++) {
          await writer.call('KV/Put', { key: Buffer.from('k'), value: Buffer.from(`secret ${i}`) });
          stranger.peers.tell('batch', () => Buffer.from('not even a batch'));
        }
        await untilTrue(async () => (await counters(b)).applied - before.applied >= 18);
        expect(heard).toBe(0);
        expect((await counters(b)).ahead - before.ahead).toBe(20);
        expect(b.output).not.toContain('no batch');
      } finally {
        writer.close();
        await stopMembers();
      }
    });

    it('tell each other that a machine has changed, and that it has started anew', async () => {
      const [a, b] = replicas as [ServerProcess, ServerProcess];
      const memoryOf = async (asked: ServerProcess, query = ''): Promise<number | undefined> => {
        const answer = (await (await fetch(`http://${asked.endpoint}/resources${query}`)).json()) as ResourcesPage;
        return answer.members.find(({ name }) => name === 'replica-0' || (asked === a && name === 'rack-7'))?.facts
          ?.memory.totalBytes;
      };
      const setMemory = (kib: number): void =>
        writeFileSync(join(machines[0] ?? '', 'proc/meminfo'), `MemTotal: ${kib} kB\nMemAvailable: 1 kB\n`);
      setMemory(1000);
      await memoryOf(a, '?refresh=true');
      expect(await memoryOf(b, '?refresh=true')).toBe(1000 * 1024);
      // Kept for a day: nobody has looked.
      setMemory(2000);
      expect(await memoryOf(b)).toBe(1000 * 1024);
      // Its owner looks, and says that something is new.
      await memoryOf(a, '?refresh=true');
      await untilTrue(async () => (await memoryOf(b)) === 2000 * 1024);
      // A machine that was switched off: its kedge says by itself that this is another start.
      setMemory(3000);
      writeFileSync(
        join(machines[0] ?? '', 'proc/sys/kernel/random/boot_id'),
        '11111111-2222-4333-8444-555555555555\n',
      );
      await a.stop();
      await start(0, 'secret');
      await untilTrue(areLinked);
      expect(await memoryOf(b)).toBe(3000 * 1024);
    });
  },
);

interface ResourcesPage {
  readonly members: readonly {
    readonly name?: string;
    readonly facts?: { readonly memory: { readonly totalBytes?: number } };
  }[];
}

async function report(replica: ServerProcess): Promise<PeersReport> {
  return (await (await fetch(`http://${replica.endpoint}/peers`)).json()) as PeersReport;
}

async function counters(replica: ServerProcess) {
  const metrics = await (await fetch(`http://${replica.endpoint}/metrics`)).text();
  const value = (name: string): number => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(metrics)?.[1]);
  return {
    hints: value('kedge_peers_hints_received_total'),
    asked: value('kedge_news_asked_total'),
    ahead: value('kedge_batches_ahead_total'),
    applied: value('kedge_batches_ahead_applied_total'),
  };
}

/** `ca.crt`, and for each replica `peer-<i>.crt` and `.key`. */
function makeCertificates(folder: string, count: number): void {
  const file = (name: string): string => join(folder, name);
  const openssl = (...args: readonly string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' });
  const key = ['-newkey', 'ed25519', '-nodes', '-keyout'];
  openssl('req', '-x509', ...key, file('ca.key'), '-days', '2', '-subj', '/CN=ca', '-out', file('ca.crt'));
  writeFileSync(file('extensions'), `subjectAltName=DNS:${CERTIFICATE_NAME}\nextendedKeyUsage=serverAuth,clientAuth\n`);
  for (let i = 0; i < count; i++) {
    openssl('req', ...key, file(`peer-${i}.key`), '-subj', `/CN=peer-${i}`, '-out', file('csr'));
    openssl(
      ...['x509', '-req', '-days', '2', '-in', file('csr'), '-CA', file('ca.crt'), '-CAkey', file('ca.key')],
      ...['-CAcreateserial', '-extfile', file('extensions'), '-out', file(`peer-${i}.crt`)],
    );
  }
}

async function untilTrue(holds: () => Promise<boolean>, withinMs = 60_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms`);
    await pause(50);
  }
}
