import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PeersReport } from '../../src/peers/report.ts';
import { kedgeFile } from '../support/project.ts';
import { ServerProcess } from '../support/server-process.ts';
import { removeFolder, temporaryFolder } from '../support/temporary.ts';
import { pause } from './member.ts';
import { type Host, hasNamespaces, Network } from './network.ts';

const COUNT = 3;
/** More than can be tried again within the longest pause between two tries: whoever took turns in order would never get past them. */
const BLACK_HOLES = 160;
const address = (i: number): string => `10.99.0.${200 + i}`;
const HOSTS = ['127.0.0.1 localhost', ...Array.from({ length: COUNT }, (_, i) => `${address(i)} node-${i}`)].join('\n');

/** Hosts that know each other by /etc/hosts, and whose network loses packets without a word. */
describe.runIf(hasNamespaces())('kedges on hosts of their own', { timeout: 150_000 }, () => {
  const folder = temporaryFolder('hosts');
  const members: Member[] = [];
  let network: Network;

  beforeAll(async () => {
    network = new Network('peers');
    writeFileSync(join(folder, 'secret'), 'a secret of this test, long enough\n', { mode: 0o600 });
    for (let i = 0; i < COUNT; i++) members.push(new Member(i, folder, network.host(200 + i, HOSTS)));
    await Promise.all(members.map((member) => member.start()));
  }, 120_000);

  afterAll(async () => {
    await Promise.all(members.map((member) => member.kill()));
    network?.remove();
    removeFolder(folder);
  });

  const linked = (some: readonly Member[]): Promise<void> =>
    untilTrue(async () => {
      const names = some.map(({ name }) => name).join();
      return (await Promise.all(some.map((member) => member.sees()))).every((seen) => seen.join() === names);
    });

  it('find each other by the names in /etc/hosts, and themselves among them, while DNS is silent', async () => {
    await linked(members);
    const { addresses, listed, dns } = await (members[0] as Member).report();
    expect(listed).toBe(COUNT);
    expect(addresses).toMatchObject([{ address: `${address(0)}:2380`, state: 'self' }]);
    expect(dns.map(({ name, failure }) => [name, failure])).toEqual(members.map(({ name }) => [`${name}:2380`, '']));
  });

  it('notice a silent partition on both sides, serve through it, and heal', async () => {
    const [first, second, third] = members as [Member, Member, Member];
    third.host.pull();
    await Promise.all([linked([first, second]), linked([third])]);
    expect(first.output).toContain('silent for');
    expect(third.output).toContain('silent for');
    // No link but those over the cable; and nobody is less ready.
    expect(first.output).not.toMatch(
      /"member":"node-1"[^}]*"msg":"member lost"|"msg":"member lost"[^}]*"member":"node-1"/,
    );
    for (const member of members) expect((await member.get('/readyz')).status).toBe(200);
    third.host.plugIn();
    await linked(members);
  });

  it('link past any number of addresses that swallow what is sent to them', async () => {
    const holes = Array.from({ length: BLACK_HOLES }, (_, i) => `10.99.0.${10 + i}`);
    const newcomer = new Member(COUNT, folder, network.host(200 + COUNT, HOSTS), [
      `--peer=${[...holes, address(0)].join(',')}`,
      // With more addresses than that a member takes its own order, and may come upon a live one by chance.
      '--peer-max=512',
    ]);
    for (const hole of holes) newcomer.host.blackHole(hole);
    try {
      await newcomer.start();
      await linked([...members, newcomer]);
      expect((await newcomer.report()).listed).toBe(BLACK_HOLES + COUNT);
    } finally {
      await newcomer.stop();
    }
    await linked(members);
  });

  it('can all be restarted, one after the other: each takes its leave, and comes back as itself', async () => {
    const ids = await Promise.all(members.map(async (member) => (await member.report()).self.id));
    for (const member of members) {
      const others = members.filter((other) => other !== member);
      expect(await member.stop()).toBe(0);
      await linked(others);
      for (const other of others) expect((await other.get('/readyz')).status).toBe(200);
      await member.start();
      await linked(members);
      const last = (await (others[0] as Member).report()).members.find(({ name }) => name === member.name);
      expect(last?.sitsOut).toBe(false);
    }
    expect(await Promise.all(members.map(async (member) => (await member.report()).self.id))).toEqual(ids);
  });
});

/** A kedge on a host; it is asked over a socket in the file system, which all hosts share. */
class Member {
  readonly name: string;
  readonly host: Host;
  readonly #folder: string;
  readonly #flags: readonly string[];
  #server: ServerProcess | undefined;

  constructor(i: number, folder: string, host: Host, flags: readonly string[] = []) {
    this.name = `node-${i}`;
    this.host = host;
    this.#folder = folder;
    this.#flags = flags;
  }

  async start(): Promise<void> {
    this.#server = new ServerProcess(
      [
        ...this.host.inside,
        ...[process.execPath, kedgeFile, 'serve', `--name=${this.name}`],
        `--data-dir=${join(this.#folder, this.name)}`,
        `--listen-client-urls=unix://${this.#socket}`,
        ...[`--peer-listen=${this.host.ip}:2380`, '--peer-cluster=test', '--log-format=json'],
        `--peer=${Array.from({ length: COUNT }, (_, i) => `node-${i}`).join(',')}`,
        `--peer-secret-file=${join(this.#folder, 'secret')}`,
        ...this.#flags,
      ],
      0,
    );
    await untilTrue(async () => {
      this.#server?.mustBeAlive();
      return (await this.get('/readyz').catch(() => undefined))?.status === 200;
    }, 120_000);
  }

  get output(): string {
    return this.#server?.output ?? '';
  }

  async stop(): Promise<number | null> {
    return (await this.#server?.stop()) ?? null;
  }

  async kill(): Promise<void> {
    await this.#server?.kill();
  }

  async report(): Promise<PeersReport> {
    return JSON.parse((await this.get('/peers')).body) as PeersReport;
  }

  /** Names of all that it is linked to, and its own. */
  async sees(): Promise<string[]> {
    const { self, members } = await this.report();
    return [self.name, ...members.map(({ name }) => name)].sort();
  }

  get(path: string): Promise<{ readonly status: number; readonly body: string }> {
    return new Promise((resolve, reject) => {
      const asked = request({ socketPath: this.#socket, path }, (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => {
          body += chunk.toString();
        });
        response.once('end', () => resolve({ status: response.statusCode ?? 0, body }));
      });
      asked.once('error', reject).end();
    });
  }

  get #socket(): string {
    return join(this.#folder, `${this.name}.sock`);
  }
}

async function untilTrue(holds: () => Promise<boolean>, withinMs = 60_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms`);
    await pause(50);
  }
}
