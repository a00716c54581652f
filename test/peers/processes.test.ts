import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PeersReport } from '../../src/peers/report.ts';
import { etcdctlProgram, mustHave } from '../support/etcd.ts';
import { startKedge } from '../support/kedge.ts';
import { freePort } from '../support/ports.ts';
import { kedgeFile } from '../support/project.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { removeFolder, temporaryFolder } from '../support/temporary.ts';
import { pause } from './member.ts';
import { startPatiently } from './patient-kedge.ts';

const run = promisify(execFile);
const COUNT = 9;

/** One of several kedges on copies of one store, each with a loopback address of its own for peers. */
interface Process {
  readonly index: number;
  readonly dataDir: string;
  readonly port: number;
  server: ServerProcess;
}

describe('several kedges', { timeout: 150_000 }, () => {
  const folder = temporaryFolder('fleet');
  const fleet: Process[] = [];
  let peerPort = 0;

  /** Waits for nobody but itself; patiently, for nine that start together share the machine. */
  async function start(index: number, dataDir: string, port: number): Promise<ServerProcess> {
    const all = Array.from({ length: COUNT }, (_, i) => `127.0.2.${i + 1}:${peerPort}`);
    return await startPatiently(dataDir, port, [
      `--name=kedge-${index}`,
      `--peer-listen=127.0.2.${index + 1}:${peerPort}`,
      // Itself among them; and a DNS server that is not there.
      `--peer=${all.join(',')}`,
      ...['--peer-dns=kedge.example', '--peer-dns-server=127.0.0.1:1'],
      `--peer-secret-file=${join(folder, 'secret')}`,
      ...['--peer-heartbeat=1s', '--peer-dead-after=5s', '--log-format=json'],
    ]);
  }

  const report = async ({ server }: Process): Promise<PeersReport> =>
    (await (await fetch(`http://${server.endpoint}/peers`)).json()) as PeersReport;

  const others = (process: Process): Process[] => fleet.filter((other) => other !== process);

  /** Until each of these sees exactly the others of them. */
  async function untilLinked(processes: readonly Process[], among: readonly Process[] = processes): Promise<void> {
    const names = among.map(({ index }) => `kedge-${index}`);
    await untilTrue(async () => {
      const reports = await Promise.all(processes.map(report));
      return reports.every((seen) => {
        const linked = [seen.self.name, ...seen.members.map(({ name }) => name)].sort();
        return linked.join() === [...new Set([seen.self.name, ...names])].sort().join();
      });
    });
  }

  beforeAll(async () => {
    writeFileSync(join(folder, 'secret'), 'a secret of this test, long enough\n', { mode: 0o600 });
    peerPort = await freePort();
    // One store, copied: what replicas of a shared database are to their clients.
    const origin = await startKedge({ dataDir: join(folder, 'origin') });
    await origin.stop();
    for (let index = 0; index < COUNT; index++) {
      const dataDir = join(folder, String(index));
      mkdirSync(dataDir);
      copyFileSync(join(folder, 'origin', 'kedge.db'), join(dataDir, 'kedge.db'));
    }
    // Each is ready by itself: startKedge waits for nothing else.
    const ports = await Promise.all(Array.from({ length: COUNT }, () => freePort()));
    const started = ports.map(async (port, index) => {
      const dataDir = join(folder, String(index));
      return { index, dataDir, port, server: await start(index, dataDir, port) };
    });
    fleet.push(...(await Promise.all(started)));
  }, 180_000);

  afterAll(async () => {
    await Promise.all(fleet.map(({ server }) => server.kill()));
    removeFolder(folder);
  });

  it('that start together all find each other and see the same; each with a file of its own, they share nothing out', async () => {
    await untilLinked(fleet);
    const reports = await Promise.all(fleet.map(report));
    expect(new Set(reports.map(({ viewHash }) => viewHash)).size).toBe(1);
    for (const { duties } of reports) expect(duties).toEqual([]);
    for (const seen of reports) expect(seen.dns[0]?.failure).toContain('127.0.0.1:1');
  });

  it('are all in the member list of each, with their client URLs', async () => {
    if (!mustHave('3.4')) return;
    const [first] = fleet;
    const endpoint = `--endpoints=http://${first?.server.endpoint}`;
    const { stdout } = await run(etcdctlProgram('3.4') ?? '', [endpoint, 'member', 'list'], {
      env: { ETCDCTL_API: '3' },
    });
    const rows = stdout
      .trim()
      .split('\n')
      .map((row) => row.split(', '));
    expect(rows.map(([, , name]) => name).sort()).toEqual(fleet.map(({ index }) => `kedge-${index}`));
    expect(rows.map((row) => row[4]).sort()).toEqual(fleet.map(({ server }) => `http://${server.endpoint}`).sort());
    expect(new Set(rows.map(([id]) => id)).size).toBe(COUNT);
    const health = await run(etcdctlProgram('3.4') ?? '', [endpoint, 'endpoint', 'health', '--cluster'], {
      env: { ETCDCTL_API: '3' },
    });
    expect(`${health.stdout}${health.stderr}`.match(/is healthy/g)).toHaveLength(COUNT);
  });

  it('are shown by kedge peers, as a table and as JSON, and by metrics', async () => {
    const [first] = fleet as [Process];
    const words = ['peers', '--endpoint', `http://${first.server.endpoint}`];
    const table = (await run(process.execPath, [kedgeFile, ...words])).stdout;
    expect(table).toContain('8 of 8 linked, 9 addresses listed');
    expect(table).toMatch(/^ID +NAME +ADDRESS +FROM +STATE +SINCE +RTT +ABLE +DUTIES$/m);
    for (const { index } of fleet) expect(table).toContain(` kedge-${index} `);
    const json = JSON.parse((await run(process.execPath, [kedgeFile, ...words, '--json'])).stdout) as PeersReport;
    expect(json.members).toHaveLength(8);
    const metrics = await (await fetch(`http://${first.server.endpoint}/metrics`)).text();
    expect(metrics).toMatch(/^kedge_peers_listed 9$/m);
    expect(metrics).toMatch(/^kedge_peers_linked 8$/m);
    expect(metrics).toMatch(/^kedge_peers_dns_age_seconds\{name="kedge.example:2380"\} \+Inf$/m);
    expect(metrics).toMatch(/^kedge_peers_refused_total\{reason="self"\} \d+$/m);
  });

  it('tell what the machines of all have, and who does not answer', async () => {
    const [first] = fleet as [Process];
    const asked = await fetch(`http://${first.server.endpoint}/resources`);
    expect(asked.status).toBe(200);
    const { members } = (await asked.json()) as { members: { name?: string; state: string; isSelf: boolean }[] };
    expect(members.filter(({ isSelf }) => isSelf)).toHaveLength(1);
    const told = members.filter(({ isSelf }) => !isSelf);
    expect(told.map(({ name }) => name).sort()).toEqual(others(first).map(({ index }) => `kedge-${index}`));
    expect(told.map(({ state }) => state)).toEqual(told.map(() => 'current'));
  });

  it('notice a killed one at once, and have it sit out for a while when it is back', async () => {
    const [victim, witness] = [fleet[3], fleet[0]] as [Process, Process];
    const before = await report(witness);
    await victim.server.kill();
    await untilLinked(others(victim));
    const victimId = before.members.find(({ name }) => name === 'kedge-3')?.id;
    victim.server = await start(victim.index, victim.dataDir, victim.port);
    await untilLinked(fleet);
    // It broke off and came back within half a minute.
    const back = (await report(witness)).members.find(({ name }) => name === 'kedge-3');
    expect(back).toMatchObject({ id: victimId, sitsOut: true, duties: [] });
  });

  it('give a stopped one up, and take it back when it wakes', async () => {
    const [sleeper] = fleet.slice(5) as [Process];
    process.kill(sleeper.server.pid, 'SIGSTOP');
    try {
      await untilLinked(others(sleeper));
    } finally {
      process.kill(sleeper.server.pid, 'SIGCONT');
    }
    await untilLinked(fleet);
    sleeper.server.mustBeAlive();
    expect(sleeper.server.output).toContain('this process stood still');
  });

  it('can be restarted one after the other: each takes its leave and comes back as itself', async () => {
    const ids = new Map((await Promise.all(fleet.map(report))).map(({ self }) => [self.name, self.id]));
    const [witness] = fleet as [Process];
    for (const process of fleet.slice(6)) {
      expect(await process.server.stop()).toBe(0);
      await untilLinked([witness], others(process));
      process.server = await start(process.index, process.dataDir, process.port);
      await untilLinked(fleet);
    }
    expect(witness.server.output).toContain('"msg":"member left"');
    for (const seen of await Promise.all(fleet.map(report))) expect(seen.self.id).toBe(ids.get(seen.self.name));
  });
});

describe('kedge with flags about peers', () => {
  const kedge = async (...words: string[]): Promise<string> => {
    try {
      const { stdout } = await run(process.execPath, [kedgeFile, ...words], { timeout: 120_000 });
      return `0 ${stdout}`;
    } catch (error) {
      const { code, stderr } = error as { code: number; stderr: string };
      return `${code} ${stderr}`;
    }
  };

  it.each([
    [['--peer-listen=127.0.0.1:0'], '--peer-secret-file: needed with --peer-trust secret'],
    [['--peer-listen=127.0.0.1:0', '--peer-trust=store'], 'only a shared database has a table of members'],
  ])('%s', async (flags, words) => {
    const answer = await kedge(
      'serve',
      `--data-dir=${temporaryFolder('flags')}`,
      '--listen-client-urls=http://127.0.0.1:0',
      ...flags,
    );
    expect(answer).toMatch(/^2 /);
    expect(answer).toContain(words);
  });

  it('says what is in the way of listening, and lets go of the store', async () => {
    const dataDir = temporaryFolder('taken');
    const first = await startKedge({ dataDir: join(dataDir, 'a') });
    const flags = [`--peer-listen=127.0.0.1:${first.port}`, '--peer-trust=loopback'];
    const answer = await kedge(
      'serve',
      `--data-dir=${join(dataDir, 'b')}`,
      '--listen-client-urls=http://127.0.0.1:0',
      ...flags,
    );
    expect(answer).toMatch(/^1 /);
    expect(answer).toContain(
      `error: cannot listen for peers at 127.0.0.1:${first.port}: something listens there already`,
    );
    await first.kill();
  });

  it('has no peers unless asked, and kedge peers says so', async () => {
    const server = await startKedge();
    expect(await kedge('peers', '--endpoint', server.endpoint)).toContain(
      'has no peers: it runs without --peer-listen',
    );
    await server.stop();
    expect(await kedge('peers', '--endpoint', server.endpoint)).toMatch(
      /^1 error: no kedge answers at http:\/\/127\.0\.0\.1:\d+: connect ECONNREFUSED/,
    );
  });
});

async function untilTrue(holds: () => Promise<boolean>, withinMs = 55_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms`);
    await pause(50);
  }
}
