import { afterEach, describe, expect, it } from 'vitest';
import { EtcdClient } from '../support/client.ts';
import { startKedge } from '../support/kedge.ts';
import type { WatchResponse } from '../support/messages.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { removeFolder, temporaryFolder } from '../support/temporary.ts';

const b = (text: string): Buffer => Buffer.from(text, 'latin1');
const ARGS = ['--bcrypt-cost=4'];
const PASSWORD = 'correct horse battery';

const servers: ServerProcess[] = [];
const clients: EtcdClient[] = [];
const folders: string[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await Promise.all(servers.splice(0).map((server) => server.kill()));
  for (const folder of folders.splice(0)) removeFolder(folder);
});

async function start(dataDir?: string, args: readonly string[] = []): Promise<ServerProcess> {
  const server = await startKedge({ args: [...ARGS, ...args], ...(dataDir === undefined ? {} : { dataDir }) });
  servers.push(server);
  return server;
}

function clientOf(server: ServerProcess): EtcdClient {
  const client = new EtcdClient(server.endpoint);
  clients.push(client);
  return client;
}

async function login(client: EtcdClient, name: string, password = PASSWORD): Promise<string> {
  const { token } = await client.call('Auth/Authenticate', { name, password });
  client.token = token;
  return token;
}

/** root, and alice who may read and write under app/. */
async function setUp(client: EtcdClient): Promise<void> {
  for (const name of ['root', 'alice']) await client.call('Auth/UserAdd', { name, password: PASSWORD });
  await client.call('Auth/UserGrantRole', { user: 'root', role: 'root' });
  await client.call('Auth/RoleAdd', { name: 'apps' });
  const perm = { permType: 'READWRITE', key: b('app/'), range_end: b('app0') } as const;
  await client.call('Auth/RoleGrantPermission', { name: 'apps', perm });
  await client.call('Auth/UserGrantRole', { user: 'alice', role: 'apps' });
}

describe('auth on a server', { timeout: 120_000 }, () => {
  it('a watch ends when its range is taken away, and one of nobody when auth is switched on', async () => {
    const server = await start();
    const [root, alice, nobody] = [clientOf(server), clientOf(server), clientOf(server)];
    await setUp(root);
    const early = nobody.stream('Watch/Watch');
    early.send({ create_request: { key: b('app/'), range_end: b('app0') } });
    expect((await early.take()).created).toBe(true);
    await root.call('Auth/AuthEnable', {});
    const ended: WatchResponse = await early.take();
    expect(ended).toMatchObject({
      canceled: true,
      cancel_reason: 'rpc error: code = InvalidArgument desc = etcdserver: user name is empty',
    });

    await login(root, 'root');
    await login(alice, 'alice');
    const stream = alice.stream('Watch/Watch');
    stream.send({ create_request: { key: b('app/'), range_end: b('app0'), watch_id: 7 } });
    stream.send({ create_request: { key: b('app/a'), watch_id: 8 } });
    expect((await stream.take()).created && (await stream.take()).created).toBe(true);
    await root.call('KV/Put', { key: b('app/a'), value: b('1') });
    const seen = [await stream.take(), await stream.take()];
    expect(seen.map(({ watch_id }) => String(watch_id)).sort()).toEqual(['7', '8']);

    // Less than the whole range is left: the one ends, the other goes on.
    await root.call('Auth/RoleGrantPermission', { name: 'apps', perm: { permType: 'READ', key: b('app/a') } });
    await root.call('Auth/RoleRevokePermission', { role: 'apps', key: b('app/'), range_end: b('app0') });
    await root.call('KV/Put', { key: b('app/a'), value: b('2') });
    await root.call('KV/Put', { key: b('app/secret'), value: b('3') });
    const [over, event] = [await stream.take(), await stream.take()];
    expect(over).toMatchObject({
      watch_id: '7',
      canceled: true,
      cancel_reason: 'rpc error: code = PermissionDenied desc = etcdserver: permission denied',
      events: [],
    });
    expect(event).toMatchObject({ watch_id: '8', canceled: false });
    await root.call('Auth/UserDelete', { name: 'alice' });
    expect(await stream.take()).toMatchObject({ watch_id: '8', canceled: true });
    expect(await stream.anythingWithin(200)).toBe(false);
  });

  it('a restart keeps users, roles and that it is on; tokens are gone', async () => {
    const folder = temporaryFolder('auth');
    folders.push(folder);
    const first = await start(folder);
    const before = clientOf(first);
    await setUp(before);
    await before.call('Auth/AuthEnable', {});
    const token = await login(before, 'alice');
    await before.call('KV/Put', { key: b('app/a'), value: b('1') });
    await first.kill();
    const after = clientOf(await start(folder));
    await expect(after.call('KV/Range', { key: b('app/a') })).rejects.toThrow('etcdserver: user name is empty');
    after.token = token;
    await expect(after.call('KV/Range', { key: b('app/a') })).rejects.toThrow('etcdserver: invalid auth token');
    await login(after, 'alice');
    expect((await after.call('KV/Range', { key: b('app/a') })).count).toBe('1');
    await expect(after.call('KV/Range', { key: b('b') })).rejects.toThrow('etcdserver: permission denied');
    await login(after, 'root');
    expect((await after.call('Auth/UserGet', { name: 'alice' })).roles).toEqual(['apps']);
    expect((await after.call('Auth/AuthStatus', {})).enabled).toBe(true);
  });

  it('wrong passwords are slowed down, the right one is not kept out for long, and nothing of it is in the log', async () => {
    const server = await start(undefined, ['--log-level=debug']);
    const client = clientOf(server);
    await setUp(client);
    await client.call('Auth/AuthEnable', {});
    const token = await login(client, 'root');
    const tries = Array.from({ length: 60 }, (_, i) =>
      client.call('Auth/Authenticate', { name: 'alice', password: `guess-${i}` }).then(
        () => 'let in',
        (error: Error) => error.message.replace(/\d+ s/, 'n s'),
      ),
    );
    const told = await Promise.all(tries);
    const failed = 'etcdserver: authentication failed, invalid user ID or password';
    const limited = 'kedge: too many failed logins; try again in n s';
    expect(new Set(told)).toEqual(new Set([failed, limited]));
    expect(told.filter((each) => each === limited).length).toBeGreaterThan(20);
    // Another user is not kept out.
    await login(client, 'root');
    for (const secret of [PASSWORD, 'guess-', token, '$2a$']) expect(server.output).not.toContain(secret);
    expect(server.output).toContain('login refused');
  });

  it('pages that tell of the machine are root’s, health and metrics everybody’s', async () => {
    const server = await start();
    const client = clientOf(server);
    const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
      fetch(`http://${server.endpoint}${path}`, { headers });
    await setUp(client);
    expect((await get('/resources')).status).toBe(200);
    await client.call('Auth/AuthEnable', {});
    for (const path of ['/health', '/livez', '/readyz', '/version', '/metrics'])
      expect((await get(path)).status).toBe(200);
    const { authRevision } = await client.call('Auth/AuthStatus', {});
    expect(await (await get('/metrics')).text()).toMatch(
      new RegExp(`^etcd_debugging_auth_revision ${authRevision}$`, 'm'),
    );
    const refused = await get('/resources');
    expect(refused.status).toBe(401);
    expect(await refused.json()).toEqual({
      error: 'etcdserver: user name is empty; auth is on and this page is for who has the role root or resources:read',
    });
    expect((await get('/resources', { authorization: 'Bearer none.1' })).status).toBe(401);
    const alice = await login(client, 'alice');
    expect((await get('/resources', { authorization: `Bearer ${alice}` })).status).toBe(403);
    const root = await login(client, 'root');
    expect((await get('/resources', { authorization: `Bearer ${root}` })).status).toBe(200);
    // A role of that name opens this page, at once and no other one, until it is taken away.
    client.token = root;
    await client.call('Auth/RoleAdd', { name: 'resources:read' });
    await client.call('Auth/UserGrantRole', { user: 'alice', role: 'resources:read' });
    const granted = { authorization: `Bearer ${alice}` };
    expect((await get('/resources', granted)).status).toBe(200);
    expect((await get('/resources/cpu-flags', granted)).status).toBe(200);
    const check = await get('/check', granted);
    expect(check.status).toBe(403);
    expect(await check.json()).toEqual({
      error: 'etcdserver: permission denied; auth is on and this page is for who has the role root',
    });
    await client.call('Auth/RoleDelete', { role: 'resources:read' });
    expect((await get('/resources', granted)).status).toBe(403);
  });

  it('refuses to start with tokens that cannot be', async () => {
    await expect(start(undefined, ['--auth-token=jwt,sign-method=none'])).rejects.toThrow('sign-method must be one of');
  });
});
