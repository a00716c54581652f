import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../support/ports.ts';
import { distRoot, projectRoot } from '../support/project.ts';
import { ServerProcess } from '../support/server-process.ts';
import { removeFolder, temporaryFolder } from '../support/temporary.ts';

const run = promisify(execFile);

/** Loaded before kedge: shows a stack from deep within it when it begins to listen. */
const SHOW_STACK = `
const { Server } = require('node:net');
const { listen } = Server.prototype;
Server.prototype.listen = function (...args) {
  process.stderr.write(new Error('seen from here').stack + '\\n');
  return listen.apply(this, args);
};
`;

/*
 * What `npm pack` packs, unpacked elsewhere beside its packages, is all that kedge needs: no source, nothing to build.
 * Everything that is a file of its own at run time is used once: threads, the VFS, maps, the manifest.
 */
describe.skipIf(distRoot !== join(projectRoot, 'dist'))('the packed kedge', () => {
  const folder = temporaryFolder('package');
  const installed = join(folder, 'package');
  const program = join(installed, 'bin', 'kedge');
  const dataDir = join(folder, 'data');
  let server: ServerProcess;

  const kedge = async (...words: string[]): Promise<string> =>
    (await run(program, words, { env: { ...process.env, ETCDCTL_ENDPOINTS: server.endpoint }, timeout: 60_000 }))
      .stdout;

  beforeAll(async () => {
    const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: projectRoot });
    const [packed] = JSON.parse(stdout) as { filename: string }[];
    await run('tar', ['-xzf', join(folder, packed?.filename ?? ''), '-C', folder]);
    mkdirSync(join(folder, 'node_modules'));
    // better-sqlite3 and what it loads itself: the bundle holds all other packages.
    for (const name of ['better-sqlite3', 'bindings', 'file-uri-to-path'])
      symlinkSync(join(projectRoot, 'node_modules', name), join(folder, 'node_modules', name));
    writeFileSync(join(folder, 'show-stack.cjs'), SHOW_STACK);
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    server = new ServerProcess(
      [program, 'serve', '--data-dir', dataDir, '--listen-client-urls', url, '--advertise-client-urls', url],
      port,
      { NODE_OPTIONS: `--require=${join(folder, 'show-stack.cjs')}` },
    );
    await server.ready();
  });

  afterAll(async () => {
    await server?.stop();
    removeFolder(folder);
  });

  it('has no source and knows its version', async () => {
    expect(existsSync(join(installed, 'src'))).toBe(false);
    const { version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as { version: string };
    expect(await kedge('version')).toMatch(new RegExp(`^kedge ${version.replaceAll('.', '\\.')}\n`));
  });

  it('serves, by the threads of its store, and by its VFS where bin/prepare could make it', async () => {
    await kedge('put', 'hello', 'world');
    expect(await kedge('get', 'hello')).toBe('hello\nworld\n');
    // A value from before the newest revision is read from the file.
    await kedge('put', 'hello', 'moon');
    expect(await kedge('get', 'hello', '--rev=2')).toBe('hello\nworld\n');
    const isMade = existsSync(join(distRoot, 'src', 'log', 'sqlite', 'gathering-vfs.so'));
    const mapped = readFileSync(`/proc/${server.pid}/maps`, 'utf8');
    expect(mapped.includes(join(installed, 'dist', 'kedge', 'gathering-vfs.so'))).toBe(isMade);
  });

  it('takes snapshots', async () => {
    const backup = join(folder, 'backup.db');
    await kedge('snapshot', 'save', backup);
    expect(await kedge('snapshot', 'status', backup)).toMatch(/^[0-9a-f]+, 3, 1, /);
  });

  it('shows where it was in the sources', () => {
    const [, source = '', line = ''] =
      /seen from here[\s\S]*?\/(src\/wire\/server\.ts):(\d+):\d+/.exec(server.output) ?? [];
    const text = readFileSync(join(projectRoot, source), 'utf8').split('\n')[Number(line) - 1];
    expect(text).toContain('.listen(');
  });

  it('hashes passwords', async () => {
    await kedge('user', 'add', 'root:secret');
    await kedge('user', 'grant-role', 'root', 'root');
    await kedge('auth', 'enable');
    await expect(kedge('get', 'hello', '--user=root:wrong')).rejects.toThrow('authentication failed');
    expect(await kedge('get', 'hello', '--user=root:secret')).toBe('hello\nmoon\n');
  });
});
