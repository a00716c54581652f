import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { systemRandom } from '../../src/base/chance.ts';
import { systemClock } from '../../src/base/clock.ts';
import { runCommandLine } from '../../src/ctl/command-line.ts';
import { resourcesCommands } from '../../src/ctl/resources.ts';
import { layOutFixture } from '../resources/machine-fixture.ts';
import { startKedge } from '../support/kedge.ts';
import { freePort } from '../support/ports.ts';
import { kedgeFile } from '../support/project.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary.ts';

/*
 * The command as it is parsed and printed, the program itself, and a running server.
 */
const run = promisify(execFile);
const server = layOutFixture('x86-64-rack-server');

/** `kedge` with these words, in this process: the tests need dozens. One below starts the program itself. */
async function kedge(
  ...words: readonly string[]
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  let [out, err] = ['', ''];
  const print = (line: string): void => {
    out += `${line}\n`;
  };
  const code = await runCommandLine(words, {
    commands: resourcesCommands({ clock: systemClock, random: systemRandom, print, columns: () => undefined }),
    version: '0',
    environment: {},
    output: {
      out: print,
      err: (text) => {
        err += text;
      },
      columns: undefined,
    },
  });
  return { code, out, err };
}

describe('this machine', () => {
  it('is shown for people', async () => {
    const { code, out } = await kedge('resources', '--resources-root', server);
    expect(code).toBe(0);
    expect(out).toMatch(/^rack-7 \(this machine\) {2}read just now$/m);
    expect(out).toMatch(/^ {2}CPU {10}Intel\(R\) Xeon\(R\) Gold 6130 CPU @ 2.10GHz, GenuineIntel$/m);
    expect(out).toMatch(/^ {15}2 sockets, 4 cores, 8 threads, up to 3700 MHz, x86-64-v4$/m);
    expect(out).toMatch(/^ {2}Memory {7}187.5 GiB, 143.1 GiB available/m);
    expect(out).toMatch(/nvme0n1 +894.3 GiB +nvme +SAMSUNG MZQLB960HAJR-00007 +S437NX0M123456$/m);
    expect(out).toMatch(/bond0 +up +10 Gbit\/s +3c:ec:ef:01:02:03 +virtual +192.0.2.17\/24/m);
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(120);
  });

  it('is told to programs as JSON and as YAML', async () => {
    const json = JSON.parse((await kedge('resources', '--json', '--resources-root', server)).out);
    expect(json).toMatchObject({ schemaVersion: 1, members: [{ state: 'current', facts: { cpu: { sockets: 2 } } }] });
    const yaml = parse((await kedge('resources', '--yaml', '--resources-root', server)).out);
    expect(yaml.members[0].facts).toEqual(json.members[0].facts);
    const flags = JSON.parse((await kedge('resources', 'cpu-flags', '--json', '--resources-root', server)).out);
    expect(flags).toMatchObject({
      isComplete: true,
      architectures: [{ architecture: 'x86_64', level: 'x86-64-v4', model: 'Skylake-Server-noTSX-IBRS' }],
    });
  });

  it('takes flags before and behind the name of the subcommand', async () => {
    const behind = await kedge('resources', 'cpu-flags', '--json', '--resources-root', server);
    const before = await kedge('resources', '--json', '--resources-root', server, 'cpu-flags');
    expect(JSON.parse(before.out).architectures[0].flags).toEqual(JSON.parse(behind.out).architectures[0].flags);
    expect(await kedge('resources', 'cpu-flgs')).toMatchObject({ code: 2 });
    expect(await kedge('resources', 'cpu-flags', 'more')).toMatchObject({ code: 2 });
  });

  it('the real one, with no right to start a process', async () => {
    // Node's permission model refuses child processes; whoever tried would be told so and fail.
    const { stdout } = await run(process.execPath, [
      process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission',
      '--allow-fs-read=*',
      kedgeFile,
      'resources',
      '--json',
    ]);
    const [member] = JSON.parse(stdout).members;
    expect(member.state).toBe('current');
    expect(member.facts.cpu.threads).toBeGreaterThan(0);
    expect(member.facts.memory.totalBytes).toBeGreaterThan(0);
    expect(member.use.uptimeSeconds).toBeGreaterThan(0);
  });

  it.runIf(hasStrace())('the real one, and no process is started for it: threads of our own alone', async () => {
    const trace = join(temporaryFolder('strace'), 'trace');
    await run('strace', [
      '-f',
      '-qq',
      '-e',
      'trace=process',
      '-o',
      trace,
      process.execPath,
      kedgeFile,
      'resources',
      '--json',
    ]);
    const calls = readFileSync(trace, 'utf8').split('\n');
    expect(calls.filter((call) => /\bexecve(at)?\(/.test(call))).toHaveLength(1);
    const begun = calls.filter((call) => /\b(fork|vfork|clone3?)\(/.test(call));
    expect(begun.length).toBeGreaterThan(0);
    expect(begun.filter((call) => !call.includes('CLONE_THREAD'))).toEqual([]);
  });

  it('mistakes are told with their remedy', async () => {
    expect(await kedge('resources', '--json', '--yaml')).toMatchObject({
      code: 2,
      err: expect.stringContaining('only one'),
    });
    expect(await kedge('resources', 'elsewhere')).toMatchObject({
      code: 2,
      err: 'error: "elsewhere" is not this machine; a running kedge knows the others: --endpoint <url>\n',
    });
    expect(await kedge('resources', '--endpoint', 'not a host')).toMatchObject({
      code: 2,
      err: expect.stringContaining('not a URL'),
    });
    expect(await kedge('resources', 'cpu-flags', '--endpoint', `http://127.0.0.1:${await freePort()}`)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^error: no kedge answers at http:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED/),
    });
    const empty = await kedge('resources', 'cpu-flags', '--resources-root', temporaryFolder('empty'));
    expect(empty.code).toBe(1);
    expect(empty.out).toMatch(/^INCOMPLETE: nothing is known of 1 member.*\n {2}local: .*no Linux machine to read/);
  });
});

describe('a running kedge', () => {
  let running: ServerProcess;
  let dataDir: string;
  let metricsPort: number;

  beforeAll(async () => {
    dataDir = join(temporaryFolder('data'), 'data');
    metricsPort = await freePort();
    running = await startKedge({
      dataDir,
      args: [`--resources-root=${server}`, `--listen-metrics-urls=http://127.0.0.1:${metricsPort}`],
    });
  });
  afterAll(async () => {
    await running.stop();
  });

  const ask = (path: string, method = 'GET'): Promise<Response> =>
    fetch(`http://${running.endpoint}${path}`, { method, headers: { origin: 'http://elsewhere.example' } });

  it('answers over HTTP, and no page of another origin', async () => {
    const response = await ask('/resources');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
    const { members } = (await response.json()) as { members: { memberId: string; isSelf: boolean }[] };
    expect(members).toMatchObject([{ name: 'rack-7', isSelf: true, state: 'current', facts: { cpu: { threads: 8 } } }]);
    expect(existsSync(join(dataDir, 'resources', `${members[0]?.memberId}.json`))).toBe(true);
    const flags = await (await ask('/resources/cpu-flags?refresh=true')).json();
    expect(flags).toMatchObject({
      isComplete: true,
      architectures: [{ level: 'x86-64-v4', members: [{ name: 'rack-7' }] }],
    });
  });

  it('says what it does not have', async () => {
    expect((await ask('/resources?member=rack-7')).status).toBe(200);
    const unknown = await ask('/resources?member=rack-8');
    expect(unknown.status).toBe(404);
    expect(await unknown.json()).toEqual({
      error: expect.stringMatching(/^"rack-8" is no member; there are: \w+ \(rack-7\)$/),
    });
    for (const path of ['/resources/', '/resources/x', '/resources/cpu-flags/x'])
      expect((await ask(path)).status).toBe(404);
    const posted = await ask('/resources', 'POST');
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET']);
    // The port for probes has probes alone.
    expect((await fetch(`http://127.0.0.1:${metricsPort}/resources`)).status).toBe(404);
    expect((await fetch(`http://127.0.0.1:${metricsPort}/livez`)).status).toBe(200);
  });

  it('is asked by the command', async () => {
    const endpoint = `http://${running.endpoint}`;
    const { code, out } = await kedge('resources', 'rack-7', '--endpoint', endpoint);
    expect(code).toBe(0);
    expect(out).toMatch(/^rack-7 {2}read /);
    expect(out).toMatch(/^ {2}Member {7}[0-9a-f]+$/m);
    const flags = await kedge('resources', 'cpu-flags', '--endpoint', endpoint);
    expect(flags.out).toMatch(/^x86_64: \d+ flags on all of 8 threads of 1 member; /);
    expect(await kedge('resources', 'rack-8', '--endpoint', endpoint)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^error: "rack-8" is no member; there are/),
    });
  });

  it('is told from another server', async () => {
    const answer = await kedge('resources', '--endpoint', `http://127.0.0.1:${metricsPort}`);
    expect(answer).toMatchObject({ code: 1, err: expect.stringContaining('is no kedge that has resources') });
  });
});

/** In CI nothing may be missing. */
function hasStrace(): boolean {
  if (spawnSync('strace', ['-V']).status === 0) return true;
  if (process.env['CI'] !== undefined) throw new Error('no strace: bin/test installs it');
  return false;
}
