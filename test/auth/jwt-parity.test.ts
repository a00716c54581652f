import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mustHave } from '../support/etcd.ts';
import { removeFolder, temporaryFolder } from '../support/temporary.ts';
import { AuthPair, type AuthStep } from './auth-pair.ts';

const b = (text: string): Buffer => Buffer.from(text);
const login = (name: string): AuthStep => ['Auth/Authenticate', { name, password: name }];

/** With the same key and the same flag as a real etcd: the one takes the other's tokens. */
describe.runIf(mustHave('3.5'))('JWT as etcd has it', { timeout: 240_000 }, () => {
  let pair: AuthPair;
  let folder = '';
  beforeAll(async () => {
    folder = temporaryFolder('jwt');
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const [priv, pub] = [join(folder, 'key.pem'), join(folder, 'key.pub')];
    writeFileSync(priv, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    writeFileSync(pub, publicKey.export({ type: 'spki', format: 'pem' }));
    pair = await AuthPair.start([`--auth-token=jwt,pub-key=${pub},priv-key=${priv},sign-method=RS256,ttl=10m`]);
  }, 120_000);
  afterAll(async () => {
    await pair?.stop();
    removeFolder(folder);
  });

  it('tokens are of an auth revision, and each takes the other’s', async () => {
    const { etcd, kedge } = await pair.run([
      ['Auth/UserAdd', { name: 'root', password: 'root' }],
      ['Auth/UserAdd', { name: 'alice', password: 'alice' }],
      ['Auth/UserGrantRole', { user: 'root', role: 'root' }],
      ['Auth/RoleAdd', { name: 'apps' }],
      ['Auth/RoleGrantPermission', { name: 'apps', perm: { permType: 'READWRITE', key: b('k') } }],
      ['Auth/UserGrantRole', { user: 'alice', role: 'apps' }],
      ['Auth/AuthEnable', {}],
      login('root'),
      login('alice'),
      ['KV/Put', { key: b('k'), value: b('v') }, 'alice'],
      ['KV/Put', { key: b('l'), value: b('v') }, 'alice'],
      ['Auth/RoleAdd', { name: 'more' }, 'root'],
      // Old tokens: of no use for keys, still good for root's business.
      ['KV/Range', { key: b('k') }, 'alice'],
      ['KV/Range', { key: b('k') }, 'root'],
      ['KV/Txn', { compare: [], success: [{ request_range: { key: b('k') } }], failure: [] }, 'root'],
      ['Auth/RoleAdd', { name: 'yet more' }, 'root'],
      login('alice'),
      ['KV/Range', { key: b('k') }, 'alice'],
    ]);
    expect(kedge).toEqual(etcd);
    const [etcds, ours] = [pair.tokenOf(0, 'alice'), pair.tokenOf(1, 'alice')];
    const crossed = await pair.run([
      ['KV/Range', { key: b('k') }, etcds],
      ['KV/Range', { key: b('k') }, ours],
      ['KV/Range', { key: b('k') }, `${ours.slice(0, -4)}AAAA`],
    ]);
    expect(crossed.kedge).toEqual(crossed.etcd);
    expect(crossed.kedge.map((told) => told.includes('"count":"1"'))).toEqual([true, true, false]);
  });
});
