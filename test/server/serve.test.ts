import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { etcdctlProgram, mustHave } from '../support/etcd.ts';
import { type KedgeOptions, startKedge } from '../support/kedge.ts';
import { freePort } from '../support/ports.ts';
import { kedgeFile } from '../support/project.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary.ts';

const run = promisify(execFile);
const started: ServerProcess[] = [];

async function start(options: KedgeOptions = {}): Promise<ServerProcess> {
  const server = await startKedge(options);
  started.push(server);
  return server;
}

/** Runs kedge to its end. */
async function kedge(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    const done = await run(process.execPath, [kedgeFile, ...words], { timeout: 30_000 });
    return { code: 0, ...done };
  } catch (error) {
    return error as { code: number; stdout: string; stderr: string };
  }
}

afterEach(async () => {
  for (const server of started.splice(0)) await server.kill();
});

describe('kedge serve', () => {
  it('says where it listens, where the data is, the revision, and how to use it', async () => {
    const dataDir = join(temporaryFolder('banner'), 'with space');
    const server = await start({ dataDir });
    const url = `http://127.0.0.1:${server.port}`;
    await untilOutput(server, 'Ctrl-C');
    expect(server.output).toContain(`listening        ${url}`);
    expect(server.output).toContain(`sqlite://${dataDir.replace(' ', '%20')}/kedge.db`);
    expect(server.output).toContain('revision         1 (0 keys');
    expect(server.output).toContain(`etcdctl --endpoints=${url} put`);
    expect(server.output).toContain(`--etcd-servers=${url}`);
    expect(existsSync(join(dataDir, 'kedge.db'))).toBe(true);
  });

  it('logs JSON lines and nothing else when asked to', async () => {
    const server = await start({ args: ['--log-format=json', '--initial-cluster=default=http://127.0.0.1:1'] });
    await server.stop();
    const lines = server.output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      // Said where a machine is so busy that opening an empty store takes a second.
      .filter(({ msg }) => msg !== 'loaded');
    expect(lines.map(({ msg }) => msg)).toEqual([
      'flags of etcd without effect here',
      'serving',
      'stopping: calls under way may finish; a second signal ends at once',
      'stopped',
    ]);
    expect(lines[0]).toMatchObject({ level: 'info', flags: '--initial-cluster' });
    expect(lines[1]).toMatchObject({ revision: 1, listen: `http://127.0.0.1:${server.port}`, pid: server.pid });
  });

  it('logs into a file', async () => {
    const file = join(temporaryFolder('logs'), 'deep', 'kedge.log');
    const server = await start({ args: [`--log-outputs=${file}`, '--quiet'] });
    await server.stop();
    expect(server.output).toBe('');
    expect(readFileSync(file, 'utf8')).toMatch(/INFO {2}serving .*revision=1/);
  });

  it('listens at several places, a Unix socket among them, also where a killed one left its file', async () => {
    const folder = temporaryFolder('listen');
    const [port, second, metrics] = [await freePort(), await freePort(), await freePort()];
    const socketPath = join(folder, 'kedge.sock');
    const options = {
      dataDir: join(folder, 'data'),
      port,
      args: [
        `--listen-client-urls=http://127.0.0.1:${port},http://127.0.0.1:${second},unix://${socketPath}`,
        `--listen-metrics-urls=http://127.0.0.1:${metrics}`,
      ],
    };
    // Ready is said of the first place; of all of them when it tells where it listens.
    const killed = await start(options);
    await untilOutput(killed, 'Ctrl-C');
    await killed.kill();
    expect(existsSync(socketPath)).toBe(true);
    await untilOutput(await start(options), 'Ctrl-C');
    for (const place of [port, second, metrics]) {
      expect(await (await fetch(`http://127.0.0.1:${place}/readyz`)).text()).toBe('ok\n');
    }
    expect(await getOverSocket(socketPath, '/livez')).toBe('ok\n');
  });

  it('refuses a store that another process has, and names it', async () => {
    const dataDir = join(temporaryFolder('lock'), 'data');
    const server = await start({ dataDir });
    const second = await kedge('serve', '--data-dir', dataDir, '--listen-client-urls=http://127.0.0.1:0');
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(`kedge.db is in use by process ${server.pid}`);
    expect(second.stderr.trim().split('\n').length).toBe(1);
  });

  it('refuses a port that is taken, and lets go of the store', async () => {
    const folder = temporaryFolder('port');
    const server = await start();
    const words = ['serve', '--data-dir', folder, `--listen-client-urls=http://127.0.0.1:${server.port}`];
    for (let i = 0; i < 2; i++) {
      const second = await kedge(...words);
      expect(second.code).toBe(1);
      expect(second.stderr).toContain(
        `cannot listen at http://127.0.0.1:${server.port}: something listens there already`,
      );
    }
  });

  it('refuses an engine and a parameter that it does not know', async () => {
    expect(await kedge('serve', '--store=sqlit:///tmp/x.db')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no such engine'),
    });
    expect(await kedge('serve', '--store=sqlite:///tmp/x.db?synchronus=full')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('unknown parameter synchronus'),
    });
  });

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'on %s stops with code 0, closes the store, and starts again from it',
    async (signal) => {
      const dataDir = join(temporaryFolder('stop'), 'data');
      const server = await start({ dataDir });
      const idle = connect(server.port, '127.0.0.1');
      idle.on('error', () => {});
      expect(await server.stop(signal)).toBe(0);
      expect(existsSync(join(dataDir, 'kedge.db-wal'))).toBe(false);
      const again = await start({ dataDir });
      expect(again.output).not.toContain('WARN');
      idle.destroy();
    },
  );
});

describe.skipIf(!mustHave('3.5'))('with etcdctl', () => {
  const etcdctl = async (server: ServerProcess, ...words: string[]) =>
    (await run(etcdctlProgram('3.5') ?? 'etcdctl', [`--endpoints=${server.endpoint}`, ...words])).stdout;

  it('tells watchers to go elsewhere when it stops, and does not wait for them', async () => {
    const server = await start({ args: ['--shutdown-grace=30s'] });
    const watching = execFile(etcdctlProgram('3.5') ?? 'etcdctl', [
      `--endpoints=${server.endpoint}`,
      'watch',
      '--prefix',
      'a',
    ]);
    let seen = '';
    watching.stdout?.on('data', (data: string) => (seen += data));
    while (!seen.includes('a1')) {
      await etcdctl(server, 'put', 'a1', 'v');
    }
    expect(await server.stop()).toBe(0);
    watching.kill();
  });

  it('snapshot save, restore, serve: the same keys at the same revision', async () => {
    const folder = temporaryFolder('restore');
    const server = await start();
    for (let i = 0; i < 5; i++) await etcdctl(server, 'put', `key${i}`, `value${i}`);
    await etcdctl(server, 'del', 'key0');
    const backup = join(folder, 'backup.db');
    await etcdctl(server, 'snapshot', 'save', backup);
    const before = await etcdctl(server, 'get', '', '--prefix', '-w', 'json');

    const dataDir = join(folder, 'new');
    const restored = await kedge('snapshot', 'restore', backup, '--data-dir', dataDir);
    expect(restored).toMatchObject({ code: 0, stdout: expect.stringContaining('revision 7') });
    const copy = await start({ dataDir });
    expect(await etcdctl(copy, 'get', '', '--prefix', '-w', 'json')).toBe(before);
    await etcdctl(copy, 'put', 'more', 'x');
    await copy.stop();

    // Never over a store that is there.
    expect(await kedge('snapshot', 'restore', backup, '--data-dir', dataDir)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is already there'),
    });
  });

  it('restore refuses what is damaged, cut short, or no snapshot', async () => {
    const folder = temporaryFolder('damaged');
    const server = await start();
    await etcdctl(server, 'put', 'a', 'b');
    const backup = join(folder, 'backup.db');
    await etcdctl(server, 'snapshot', 'save', backup);
    const bytes = readFileSync(backup);
    const files: [name: string, content: Uint8Array, complaint: string][] = [
      ['flipped', Uint8Array.from(bytes, (byte, i) => (i === 9000 ? byte ^ 1 : byte)), 'digest does not match'],
      ['short', bytes.subarray(0, bytes.length - 32), 'has no digest'],
      ['text', Buffer.from('hello world, this is not a snapshot at all'), 'is not a snapshot'],
    ];
    for (const [name, content, complaint] of files) {
      const file = join(folder, name);
      writeFileSync(file, content);
      const refused = await kedge('snapshot', 'restore', file, '--data-dir', join(folder, `${name}-data`));
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining(complaint) });
      expect(existsSync(join(folder, `${name}-data`, 'kedge.db'))).toBe(false);
    }
    // Without its digest it is a plain copy: taken when asked to.
    const plain = await kedge(
      'snapshot',
      'restore',
      join(folder, 'short'),
      '--skip-hash-check',
      '--data-dir',
      join(folder, 'plain'),
    );
    expect(plain.code).toBe(0);
  });
});

async function untilOutput(server: ServerProcess, text: string): Promise<void> {
  while (!server.output.includes(text) && server.alive) await new Promise((resolve) => setTimeout(resolve, 10));
}

function getOverSocket(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.on('end', () => resolve(body));
    });
    asked.on('error', reject).end();
  });
}
