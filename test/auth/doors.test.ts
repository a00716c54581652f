import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EtcdClient } from '../support/client.ts';
import { etcdctlProgram, mustHave } from '../support/etcd.ts';
import { startKedge } from '../support/kedge.ts';
import { freePorts } from '../support/ports.ts';
import { kedgeFile } from '../support/project.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { removeFolder, temporaryFolder } from '../support/temporary.ts';

const run = promisify(execFile);
const b = (text: string): Buffer => Buffer.from(text);
const base64 = (text: string): string => b(text).toString('base64');

/** The other ways in: JSON, locks, and a certificate instead of a password. */
describe('auth at every door', { timeout: 240_000 }, () => {
  let server: ServerProcess;
  let client: EtcdClient;
  let folder = '';
  let tlsPort = 0;

  beforeAll(async () => {
    folder = temporaryFolder('certs');
    await run(process.execPath, [
      kedgeFile,
      ...['certs', '--dir', folder, '--hosts=localhost,127.0.0.1', '--clients=alice,stranger'],
    ]);
    const [plain = 0, tls = 0] = await freePorts(2);
    tlsPort = tls;
    server = await startKedge({
      port: plain,
      args: [
        `--listen-client-urls=http://127.0.0.1:${plain},https://127.0.0.1:${tls}`,
        `--cert-file=${join(folder, 'server.crt')}`,
        `--key-file=${join(folder, 'server.key')}`,
        `--trusted-ca-file=${join(folder, 'ca.crt')}`,
        '--client-cert-auth',
        '--bcrypt-cost=4',
      ],
    });
    client = new EtcdClient(server.endpoint);
    await client.call('Auth/UserAdd', { name: 'root', password: 'root' });
    await client.call('Auth/UserAdd', { name: 'alice', options: { no_password: true } });
    await client.call('Auth/UserAdd', { name: 'bob', password: 'bob' });
    await client.call('Auth/UserGrantRole', { user: 'root', role: 'root' });
    await client.call('Auth/RoleAdd', { name: 'apps' });
    const perm = { permType: 'READWRITE', key: b('app/'), range_end: b('app0') } as const;
    await client.call('Auth/RoleGrantPermission', { name: 'apps', perm });
    for (const user of ['alice', 'bob']) await client.call('Auth/UserGrantRole', { user, role: 'apps' });
    await client.call('Auth/AuthEnable', {});
  }, 120_000);
  afterAll(async () => {
    client?.close();
    await server?.kill();
    removeFolder(folder);
  });

  const post = async (path: string, body: object, token?: string): Promise<{ status: number; body: unknown }> => {
    const headers = token === undefined ? {} : { authorization: token };
    const response = await fetch(`http://${server.endpoint}${path}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    return { status: response.status, body: await response.json() };
  };

  it('JSON: a token from /v3/auth/authenticate, in Authorization', async () => {
    const login = await post('/v3/auth/authenticate', { name: 'bob', password: 'bob' });
    const { token } = login.body as { readonly token: string };
    expect(await post('/v3/kv/range', { key: base64('app/x') })).toMatchObject({
      status: 400,
      body: { code: 3, message: 'etcdserver: user name is empty' },
    });
    expect(await post('/v3/kv/range', { key: base64('other') }, token)).toMatchObject({
      status: 403,
      body: { code: 7, message: 'etcdserver: permission denied' },
    });
    expect(await post('/v3/kv/range', { key: base64('app/x') }, 'nonsense')).toMatchObject({ status: 401 });
    for (const written of [token, `Bearer ${token}`])
      expect((await post('/v3/kv/range', { key: base64('app/x') }, written)).status).toBe(200);
    expect((await post('/v3/auth/user/list', {}, token)).status).toBe(403);
  });

  it('kedge resources: over TLS, as a user with the role resources:read, by password or token', async () => {
    const words = ['resources', '--json', '--endpoint', `https://127.0.0.1:${tlsPort}`];
    const files = [`--cacert=${join(folder, 'ca.crt')}`, `--cert=${join(folder, 'stranger.crt')}`];
    const resources = async (...flags: readonly string[]): Promise<string> => {
      const args = [kedgeFile, ...words, ...files, `--key=${join(folder, 'stranger.key')}`];
      return await run(process.execPath, [...args, ...flags]).then(
        ({ stdout }) =>
          (JSON.parse(stdout) as { members: { state: string }[] }).members.map(({ state }) => state).join(),
        ({ stderr }: { readonly stderr: string }) => stderr.trim(),
      );
    };
    expect(await resources('--user=bob:bob')).toBe(
      `error: https://127.0.0.1:${tlsPort}: etcdserver: permission denied; auth is on and this page is for who has ` +
        'the role root or resources:read (--user name:password, --token, or a certificate)',
    );
    const { token } = await client.call('Auth/Authenticate', { name: 'root', password: 'root' });
    client.token = token;
    await client.call('Auth/RoleAdd', { name: 'resources:read' });
    await client.call('Auth/UserGrantRole', { user: 'bob', role: 'resources:read' });
    client.token = undefined;
    expect(await resources('--user=bob:bob')).toBe('current');
    const bob = await client.call('Auth/Authenticate', { name: 'bob', password: 'bob' });
    expect(await resources(`--token=${bob.token}`)).toBe('current');
    expect(await resources('--token=none.1')).toContain('etcdserver: invalid auth token');
    expect(await resources('--user=bob:wrong')).toContain('authentication failed');
  });

  it('locks and elections: by the keys that they make', async () => {
    const { token } = await client.call('Auth/Authenticate', { name: 'bob', password: 'bob' });
    client.token = token;
    const { ID } = await client.call('Lease/LeaseGrant', { TTL: 60 });
    const { key } = await client.call('Lock/Lock', { name: b('app/lock'), lease: ID });
    expect(key.toString()).toMatch(/^app\/lock\//);
    await client.call('Lock/Unlock', { key });
    await expect(client.call('Lock/Lock', { name: b('other'), lease: ID })).rejects.toThrow(
      'etcdserver: permission denied',
    );
    await expect(client.call('Election/Leader', { name: b('other') })).rejects.toThrow('etcdserver: permission denied');
    client.token = undefined;
    await expect(client.call('Lock/Lock', { name: b('app/lock'), lease: ID })).rejects.toThrow('user name is empty');
  });

  it.runIf(mustHave('3.5'))('a certificate’s common name is a user, and no more than that', async () => {
    const etcdctl = (who: string, ...args: readonly string[]): Promise<string> =>
      run(
        etcdctlProgram('3.5') ?? '',
        [
          `--endpoints=https://127.0.0.1:${tlsPort}`,
          `--cacert=${join(folder, 'ca.crt')}`,
          `--cert=${join(folder, `${who}.crt`)}`,
          `--key=${join(folder, `${who}.key`)}`,
          ...args,
        ],
        { timeout: 30_000 },
      ).then(
        ({ stdout }) => stdout,
        ({ stderr }: { readonly stderr: string }) =>
          stderr
            .split('\n')
            .filter((line) => line.startsWith('Error'))
            .join(),
      );
    expect(await etcdctl('alice', 'put', 'app/x', '1')).toBe('OK\n');
    expect(await etcdctl('alice', 'put', 'other', '1')).toBe('Error: etcdserver: permission denied');
    expect(await etcdctl('stranger', 'put', 'app/x', '1')).toBe('Error: etcdserver: permission denied');
    // Whoever logs in is who he says, not who his certificate is.
    expect(await etcdctl('stranger', 'put', 'app/x', '1', '--user=bob:bob')).toBe('OK\n');
    expect(await etcdctl('alice', 'user', 'list')).toBe('Error: etcdserver: permission denied');
  });
});
