import { execFile, spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { etcdctlProgram, mustHave } from '../support/etcd.ts';
import { startKedge } from '../support/kedge.ts';
import { freePorts } from '../support/ports.ts';
import { kedgeFile } from '../support/project.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary.ts';

const run = promisify(execFile);

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function outcome(program: string, ...args: string[]): Promise<Outcome> {
  const env = { PATH: process.env['PATH'], ETCDCTL_API: '3' };
  try {
    return { code: 0, ...(await run(program, args, { env, timeout: 30_000 })) };
  } catch (error) {
    return error as Outcome;
  }
}

const kedgeCommand = (...words: string[]): Promise<Outcome> => outcome(process.execPath, kedgeFile, ...words);

let folder: string;
const at = (name: string): string => join(folder, name);
const HOSTS = '--hosts=localhost,127.0.0.1';

beforeAll(async () => {
  folder = temporaryFolder('certs');
  const made = await kedgeCommand('certs', '--dir', folder, HOSTS, '--clients=alice,bob');
  expect(made.stderr).toBe('');
  const other = await kedgeCommand('certs', '--dir', at('other'), HOSTS);
  expect(other.code).toBe(0);
}, 60_000);

const started: ServerProcess[] = [];
afterEach(async () => {
  for (const server of started.splice(0)) await server.kill();
});

/** A kedge that listens in plain text, which the tests ask whether it is there, and with TLS. */
async function start(...args: string[]): Promise<{ server: ServerProcess; port: number }> {
  const [plain = 0, port = 0] = await freePorts(2);
  const server = await startKedge({
    port: plain,
    args: [
      `--listen-client-urls=http://127.0.0.1:${plain},https://127.0.0.1:${port}`,
      `--cert-file=${at('server.crt')}`,
      `--key-file=${at('server.key')}`,
      ...args,
    ],
  });
  started.push(server);
  return { server, port };
}

const mutual = (): string[] => ['--client-cert-auth', `--trusted-ca-file=${at('ca.crt')}`];

async function as(client: string | undefined, port: number, more: ConnectionOptions = {}): Promise<ConnectionOptions> {
  const [ca, cert, key] = await Promise.all(
    [at('ca.crt'), client && at(`${client}.crt`), client && at(`${client}.key`)].map((path) =>
      path === undefined ? undefined : readFile(path),
    ),
  );
  return { host: '127.0.0.1', port, ca, cert, key, ALPNProtocols: ['http/1.1'], ...more };
}

function open(options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect(options, () => resolve(socket));
    socket.once('error', reject);
  });
}

/** Asks for /version on a connection: what TLS 1.3 refuses the client learns only then. */
async function asks(socket: TLSSocket): Promise<boolean> {
  socket.write('GET /version HTTP/1.1\r\nhost: localhost\r\n\r\n');
  return await new Promise((resolve) => {
    socket.on('error', () => resolve(false));
    socket.once('close', () => resolve(false));
    socket.once('data', (data) => resolve(data.toString().startsWith('HTTP/1.1 200')));
  });
}

async function letsIn(options: ConnectionOptions): Promise<boolean> {
  const socket = await open(options).catch(() => undefined);
  if (socket === undefined) return false;
  const isIn = await asks(socket);
  socket.destroy();
  return isIn;
}

describe('who is let in', () => {
  it('without --client-cert-auth everybody; with it those of the authority', async () => {
    const everybody = await start();
    expect(await letsIn(await as(undefined, everybody.port))).toBe(true);
    const known = await start(...mutual());
    expect(await letsIn(await as('alice', known.port))).toBe(true);
    expect(await letsIn(await as(undefined, known.port))).toBe(false);
    const { ca } = await as('alice', known.port);
    expect(await letsIn({ ...(await as('other/root', known.port)), ca })).toBe(false);
    // A server's certificate is no client's.
    expect(await letsIn(await as('server', known.port))).toBe(false);
  }, 60_000);

  it('--client-cert-allowed-cn, --client-cert-allowed-hostname', async () => {
    const names = await start(...mutual(), '--client-cert-allowed-cn=carol,alice');
    expect(await letsIn(await as('alice', names.port))).toBe(true);
    expect(await letsIn(await as('bob', names.port))).toBe(false);
    const hosts = await start(...mutual(), '--client-cert-allowed-hostname=client.example');
    expect(await letsIn(await as('alice', hosts.port))).toBe(false);
  }, 60_000);

  it('clients on the list of revoked ones are not, from the moment they are on it', async () => {
    await authority();
    await revoke();
    const { port } = await start(...mutual(), `--client-crl-file=${at('crl.pem')}`);
    expect(await letsIn(await as('alice', port))).toBe(true);
    expect(await letsIn(await as('bob', port))).toBe(true);
    await revoke('bob');
    expect(await letsIn(await as('alice', port))).toBe(true);
    expect(await letsIn(await as('bob', port))).toBe(false);
    const der = await start(...mutual(), `--client-crl-file=${at('crl.der')}`);
    expect(await letsIn(await as('alice', der.port))).toBe(true);
    expect(await letsIn(await as('bob', der.port))).toBe(false);
  }, 60_000);

  it('a ticket from before does not bring a revoked client back', async () => {
    await authority();
    await writeFile(at('index.txt'), '');
    await revoke();
    const { port } = await start(...mutual(), `--client-crl-file=${at('crl.pem')}`);
    const options = await as('alice', port);
    const first = await open(options);
    const ticket = new Promise<Buffer>((resolve) => first.once('session', resolve));
    expect(await asks(first)).toBe(true);
    const session = await ticket;
    first.destroy();
    const again = await open({ ...options, session });
    expect(again.isSessionReused()).toBe(true);
    expect(await asks(again)).toBe(true);
    again.destroy();
    await revoke('alice');
    expect(await letsIn({ ...options, session })).toBe(false);
  }, 60_000);

  /** What openssl needs to keep a list of revoked certificates. */
  async function authority(): Promise<void> {
    if (existsSync(at('openssl.cnf'))) return;
    await writeFile(at('index.txt'), '');
    await writeFile(
      at('openssl.cnf'),
      `[ca]\ndefault_ca=d\n[d]\ndatabase=${at('index.txt')}\ndefault_md=sha256\ncertificate=${at('ca.crt')}\n` +
        `private_key=${at('ca.key')}\ndefault_crl_days=30\n`,
    );
  }

  async function revoke(client?: string): Promise<void> {
    const openssl = ['ca', '-config', at('openssl.cnf')];
    if (client !== undefined) await run('openssl', [...openssl, '-revoke', at(`${client}.crt`)]);
    await run('openssl', [...openssl, '-gencrl', '-out', at('crl.next')]);
    await run('openssl', ['crl', '-in', at('crl.next'), '-outform', 'DER', '-out', at('crl.der')]);
    await rename(at('crl.next'), at('crl.pem'));
  }
});

describe('what is spoken', () => {
  const handshake = async (port: number, ...args: string[]): Promise<string> => {
    const openssl = ['s_client', '-connect', `127.0.0.1:${port}`, '-CAfile', at('ca.crt'), ...args];
    const child = spawn('openssl', openssl, { stdio: ['pipe', 'pipe', 'pipe'] });
    child.stdin.end();
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (text += data.toString()));
    await new Promise((resolve) => child.once('close', resolve));
    return text;
  };

  it('versions and cipher suites (openssl s_client)', async () => {
    const usual = await start();
    expect(await handshake(usual.port)).toContain('TLSv1.3');
    expect(await handshake(usual.port, '-tls1_2', '-alpn', 'h2')).toMatch(/Verify return code: 0/);
    expect(await handshake(usual.port, '-alpn', 'h2')).toContain('ALPN protocol: h2');
    expect(await handshake(usual.port, '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0')).toMatch(
      /alert|no protocols available/,
    );
    const newest = await start('--tls-min-version=TLS1.3');
    expect(await handshake(newest.port, '-tls1_2')).toContain('alert protocol version');
    const older = await start('--tls-max-version=TLS1.2', '--cipher-suites=TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384');
    expect(await handshake(older.port)).toContain('ECDHE-ECDSA-AES256-GCM-SHA384');
    expect(await handshake(older.port, '-tls1_3')).toContain('alert protocol version');
    expect(await handshake(older.port, '-cipher', 'ECDHE-ECDSA-AES128-GCM-SHA256')).toContain('handshake failure');
  }, 60_000);

  it.each(['3.5', '3.4'] as const)(
    'etcdctl %s puts, gets and watches',
    async (version) => {
      if (!mustHave(version)) return;
      const { port } = await start(...mutual());
      const etcdctl = (client: string, ...words: string[]): Promise<Outcome> =>
        outcome(
          etcdctlProgram(version) ?? '',
          `--endpoints=https://localhost:${port}`,
          `--cacert=${at('ca.crt')}`,
          `--cert=${at(`${client}.crt`)}`,
          `--key=${at(`${client}.key`)}`,
          '--dial-timeout=5s',
          ...words,
        );
      expect((await etcdctl('alice', 'put', 'a', 'b')).stdout).toBe('OK\n');
      expect((await etcdctl('alice', 'get', 'a')).stdout).toBe('a\nb\n');
      expect((await etcdctl('alice', 'lock', 'l', 'echo', 'held')).stdout).toBe('held\n');
      expect((await etcdctl('other/root', '--command-timeout=2s', 'get', 'a')).code).not.toBe(0);
    },
    60_000,
  );

  it('curl: health, metrics and the gateway, over HTTP/1.1 and HTTP/2', async () => {
    const { port } = await start(...mutual());
    for (const version of ['--http1.1', '--http2']) {
      const curl = async (path: string, ...args: string[]): Promise<string> => {
        const tls = ['--cacert', at('ca.crt'), '--cert', at('alice.crt'), '--key', at('alice.key')];
        const url = `https://localhost:${port}${path}`;
        return (await run('curl', ['-sS', version, ...tls, '-w', ' %{http_version}', ...args, url])).stdout;
      };
      expect(await curl('/health')).toMatch(version === '--http2' ? /true.* 2$/ : /true.* 1.1$/);
      expect(await curl('/v3/kv/put', '-d', '{"key":"Zm9v"}')).toContain('"revision"');
    }
  }, 60_000);

  it('plain HTTP on a TLS port and TLS on a plain one end, and nothing else does', async () => {
    const { server, port } = await start();
    expect((await outcome('curl', '-sS', '-m', '5', `http://127.0.0.1:${port}/health`)).code).not.toBe(0);
    expect((await outcome('curl', '-skS', '-m', '5', `https://127.0.0.1:${server.port}/health`)).code).not.toBe(0);
    expect(await letsIn(await as(undefined, port))).toBe(true);
    server.mustBeAlive();
  }, 60_000);
});

describe('certificates that change', () => {
  const served = async (port: number): Promise<string> => {
    const socket = await open({ host: '127.0.0.1', port, rejectUnauthorized: false });
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.destroy();
    return fingerprint256;
  };

  it('the next client gets the new one, those who are there stay, and what is broken is not taken', async () => {
    const live = at('live');
    await mkdir(live);
    const put = async (from: string): Promise<void> => {
      for (const file of ['server.crt', 'server.key']) {
        await copyFile(join(from, file), join(live, `.${file}`));
        await rename(join(live, `.${file}`), join(live, file));
      }
    };
    await put(folder);
    const { server, port } = await start(
      `--cert-file=${join(live, 'server.crt')}`,
      `--key-file=${join(live, 'server.key')}`,
    );
    const before = await served(port);
    const standing = await open(await as(undefined, port));
    expect(await asks(standing)).toBe(true);

    await put(at('other'));
    const after = await served(port);
    expect(after).not.toBe(before);
    await writeFile(join(live, 'server.key'), 'no key');
    expect(await served(port)).toBe(after);
    await until(() => server.output.includes('cannot be used: the old ones go on'));
    await put(folder);
    expect(await served(port)).toBe(before);
    expect(await asks(standing)).toBe(true);
    standing.destroy();
  }, 60_000);

  it('a link that is swapped, as Kubernetes does it', async () => {
    const links = at('links');
    await mkdir(links);
    await symlink(folder, join(links, 'data'));
    const { port } = await start(
      `--cert-file=${join(links, 'data', 'server.crt')}`,
      `--key-file=${join(links, 'data', 'server.key')}`,
    );
    const before = await served(port);
    await symlink(at('other'), join(links, 'next'));
    await rename(join(links, 'next'), join(links, 'data'));
    expect(await served(port)).not.toBe(before);
  }, 60_000);
});

describe('starting and stopping', () => {
  it('--auto-tls makes a certificate once; unixs:// speaks it', async () => {
    const [plain = 0, port = 0] = await freePorts(2);
    const dataDir = join(temporaryFolder('auto-tls'), 'data');
    const socketPath = join(temporaryFolder('socket'), 'kedge.sock');
    const urls = `http://127.0.0.1:${plain},https://127.0.0.1:${port},unixs://${socketPath}`;
    const startIt = (): Promise<ServerProcess> =>
      startKedge({ port: plain, dataDir, args: ['--auto-tls', `--listen-client-urls=${urls}`] });
    const first = await startIt();
    started.push(first);
    const certFile = join(dataDir, 'fixtures', 'client', 'cert.pem');
    const ca = await readFile(certFile);
    expect(statSync(join(dataDir, 'fixtures', 'client', 'key.pem')).mode & 0o777).toBe(0o600);
    const options = { ca, servername: 'localhost', ALPNProtocols: ['http/1.1'] };
    expect(await letsIn({ ...options, host: '127.0.0.1', port })).toBe(true);
    expect(await letsIn({ ...options, path: socketPath })).toBe(true);
    await first.stop();
    started.push(await startIt());
    expect(await readFile(certFile)).toEqual(ca);
    expect(await letsIn({ ...options, host: '127.0.0.1', port })).toBe(true);
  }, 60_000);

  it('files that are not there or do not fit are a failure that names them', async () => {
    const serve = (...args: string[]): Promise<Outcome> =>
      kedgeCommand(
        'serve',
        `--data-dir=${temporaryFolder('refused')}`,
        '--listen-client-urls=https://127.0.0.1:0',
        ...args,
      );
    const missing = await serve('--cert-file=/nowhere/c', '--key-file=/nowhere/k');
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('--cert-file: ENOENT')]);
    const wrong = await serve(`--cert-file=${at('server.crt')}`, `--key-file=${at('alice.key')}`);
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('no usable certificates')]);
    const open = await kedgeCommand('serve', '--listen-client-urls=http://0.0.0.0:0');
    expect([open.code, open.stderr]).toEqual([2, expect.stringContaining('or say --allow-insecure-listen')]);
  }, 60_000);

  it('handshakes that do not get on do not hold up the end', async () => {
    const { server, port } = await start();
    const sockets = Array.from({ length: 20 }, () => connectTcp(port, '127.0.0.1').on('error', () => undefined));
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    const closed = Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve))));
    expect(await server.stop()).toBe(0);
    await closed;
  }, 30_000);
});

describe('kedge certs', () => {
  it('keeps what is there, and keys for their owner', async () => {
    const before = await readFile(at('ca.crt'), 'utf8');
    const again = await kedgeCommand('certs', '--dir', folder, '--clients=alice,dave');
    expect(again.stdout).toContain(`kept  ${at('ca.crt')}`);
    expect(again.stdout).toContain(`made  ${at('dave.crt')}`);
    expect(await readFile(at('ca.crt'), 'utf8')).toBe(before);
    for (const file of (await readdir(folder)).filter((name) => name.endsWith('.key'))) {
      expect(statSync(at(file)).mode & 0o777, file).toBe(0o600);
    }
    const { stdout } = await run('openssl', [
      'verify',
      '-purpose',
      'sslclient',
      '-CAfile',
      at('ca.crt'),
      at('dave.crt'),
    ]);
    expect(stdout).toContain('OK');
    const rsa = join(temporaryFolder('rsa'), 'certs');
    await mkdir(rsa);
    const request = [
      'req',
      '-x509',
      '-nodes',
      '-newkey',
      'rsa:2048',
      '-subj',
      '/CN=other',
      '-out',
      join(rsa, 'ca.crt'),
    ];
    await run('openssl', [...request, '-keyout', join(rsa, 'ca.key')]);
    const other = await kedgeCommand('certs', '--dir', rsa);
    expect([other.code, other.stderr]).toEqual([1, expect.stringContaining('keys of the curve P-256')]);
    const odd = await kedgeCommand('certs', '--dir', folder, '--clients=../x');
    expect([odd.code, odd.stderr]).toEqual([2, expect.stringContaining('no name for a file')]);
  }, 60_000);
});

afterAll(async () => {
  for (const server of started) await server.kill();
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(10);
}
