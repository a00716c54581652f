import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { DATABASES } from '../shared/database.ts';
import { EtcdClient } from '../support/client.ts';
import { startKedge } from '../support/kedge.ts';
import { removeFolder, temporaryFolder } from '../support/temporary.ts';

const ROUNDS = 10;
const KEY = Buffer.from('k');
const PERMISSION = { permType: 'READWRITE', key: KEY } as const;

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** Two kedges on one real database: what one of them takes away is gone at the other when it has answered. */
describe.each(DATABASES)('auth on $name', { timeout: 240_000 }, ({ isThere, start }) => {
  it.runIf(isThere)('a permission that is taken away at one replica does not serve at the other', async () => {
    const folder = temporaryFolder('auth-shared');
    cleanUps.push(() => removeFolder(folder));
    const secret = join(folder, 'secret');
    writeFileSync(secret, randomBytes(64), { mode: 0o600 });
    const database = await start();
    cleanUps.push(() => database.dispose());
    const common = [`--store=${database.url()}`, '--bcrypt-cost=4'];
    const connect = async (name: string, tokens: string): Promise<EtcdClient> => {
      const server = await startKedge({ args: [...common, `--name=${name}`, `--auth-token=${tokens}`] });
      cleanUps.push(() => server.kill());
      const client = new EtcdClient(server.endpoint);
      cleanUps.push(() => client.close());
      return client;
    };
    const jwt = `jwt,sign-method=HS256,priv-key=${secret}`;
    const [a, b, simple] = [await connect('a', jwt), await connect('b', jwt), await connect('c', 'simple')];

    for (const name of ['root', 'alice']) await a.call('Auth/UserAdd', { name, password: name });
    await b.call('Auth/UserGrantRole', { user: 'root', role: 'root' });
    await a.call('Auth/RoleAdd', { name: 'apps' });
    await b.call('Auth/UserGrantRole', { user: 'alice', role: 'apps' });
    await a.call('Auth/AuthEnable', {});
    const login = async (client: EtcdClient, name: string): Promise<void> => {
      client.token = (await client.call('Auth/Authenticate', { name, password: name })).token;
    };
    await login(a, 'root');
    await login(simple, 'alice');
    const told = new Set<string>();
    for (let round = 0; round < ROUNDS; round += 1) {
      await a.call('Auth/RoleGrantPermission', { name: 'apps', perm: PERMISSION });
      await login(b, 'alice');
      // A token of the one is good at the other.
      const { token } = b;
      b.token = a.token;
      await b.call('Auth/UserList', {});
      b.token = token;
      await b.call('KV/Put', { key: KEY, value: Buffer.from('allowed') });
      await a.call('Auth/RoleRevokePermission', { role: 'apps', key: KEY });
      for (const client of [b, simple]) {
        for (const ask of [
          () => client.call('KV/Put', { key: KEY, value: Buffer.from('forbidden') }),
          () => client.call('KV/Range', { key: KEY }),
        ])
          told.add(await ask().then(() => 'served', String));
      }
    }
    expect(told).toEqual(
      new Set([
        'INVALID_ARGUMENT: etcdserver: revision of auth store is old',
        'PERMISSION_DENIED: etcdserver: permission denied',
      ]),
    );
    await login(b, 'root');
    const { kvs } = await b.call('KV/Range', { key: KEY });
    expect([String(kvs[0]?.value), kvs[0]?.version]).toEqual(['allowed', String(ROUNDS)]);
  });
});
