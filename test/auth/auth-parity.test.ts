import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ThreadPasswords } from '../../src/server/passwords/thread-passwords.ts';
import { mustHave } from '../support/etcd.ts';
import { AuthPair, type AuthStep, mended } from './auth-pair.ts';

const b = (text: string): Buffer => Buffer.from(text, 'latin1');
const login = (name: string, password: string): AuthStep => ['Auth/Authenticate', { name, password }];
const permit = (permType: string, key: string, end = ''): object => ({ permType, key: b(key), range_end: b(end) });

/** The same requests to kedge and to a real etcd 3.5: answers, headers and refusals must be the same. */
describe.runIf(mustHave('3.5'))('auth as etcd has it', { timeout: 240_000 }, () => {
  let pair: AuthPair;
  beforeAll(async () => {
    pair = await AuthPair.start();
  }, 120_000);
  afterAll(() => pair?.stop());

  async function same(steps: readonly AuthStep[]): Promise<void> {
    const { etcd, kedge } = await pair.run(steps);
    expect(kedge).toEqual(etcd.map(mended));
  }

  it('before it is on: users, roles and permissions', () =>
    same([
      ['Auth/AuthStatus', {}],
      login('root', 'x'),
      ['Auth/AuthEnable', {}],
      ['Auth/AuthDisable', {}],
      ['Auth/UserAdd', { name: '', password: 'x' }],
      ['Auth/UserAdd', { name: 'root', password: 'r' }],
      ['Auth/UserAdd', { name: 'root', password: 'r' }],
      ['Auth/UserAdd', { name: 'long', password: 'x'.repeat(73) }],
      ['Auth/AuthEnable', {}],
      ['Auth/UserAdd', { name: 'alice', password: 'a' }],
      ['Auth/UserAdd', { name: 'nopass', options: { no_password: true } }],
      ['Auth/UserAdd', { name: 'empty' }],
      ['Auth/UserAdd', { name: 'Ünïcode', password: 'ü' }],
      ['Auth/UserGet', { name: 'alice' }],
      ['Auth/UserGet', { name: 'nobody' }],
      ['Auth/UserList', {}],
      ['Auth/UserChangePassword', { name: 'nobody', password: 'x' }],
      ['Auth/UserChangePassword', { name: 'alice', password: '', hashedPassword: 'no base64!' }],
      ['Auth/UserChangePassword', { name: 'nopass', password: 'x' }],
      ['Auth/UserChangePassword', { name: 'alice', password: 'a' }],
      ['Auth/RoleAdd', { name: '' }],
      ['Auth/RoleAdd', { name: 'apps' }],
      ['Auth/RoleAdd', { name: 'apps' }],
      ['Auth/RoleAdd', { name: 'logs' }],
      ['Auth/RoleGet', { role: 'root' }],
      ['Auth/UserGrantRole', { user: 'nobody', role: 'apps' }],
      ['Auth/UserGrantRole', { user: 'alice', role: 'none' }],
      ['Auth/UserGrantRole', { user: 'alice', role: 'logs' }],
      ['Auth/UserGrantRole', { user: 'alice', role: 'apps' }],
      ['Auth/UserGrantRole', { user: 'alice', role: 'apps' }],
      ['Auth/AuthStatus', {}],
      ['Auth/UserRevokeRole', { name: 'alice', role: 'none' }],
      ['Auth/UserRevokeRole', { name: 'nobody', role: 'none' }],
      ['Auth/RoleGrantPermission', { name: 'apps' }],
      ['Auth/RoleGrantPermission', { name: 'none', perm: permit('READ', 'a') }],
      ['Auth/RoleGrantPermission', { name: 'apps', perm: permit('READ', '') }],
      ['Auth/RoleGrantPermission', { name: 'apps', perm: permit('READ', 'b', 'a') }],
      ['Auth/RoleGrantPermission', { name: 'apps', perm: permit('READ', 'a', 'a') }],
      ['Auth/RoleGrantPermission', { name: 'apps', perm: permit('READWRITE', 'app/', 'app0') }],
      ['Auth/RoleGrantPermission', { name: 'apps', perm: permit('READ', 'z', '\0') }],
      ['Auth/RoleGrantPermission', { name: 'apps', perm: permit('WRITE', 'log') }],
      ['Auth/RoleGrantPermission', { name: 'apps', perm: permit('READ', 'app/', 'app1') }],
      ['Auth/RoleGrantPermission', { name: 'apps', perm: permit('WRITE', 'app/', 'app1') }],
      ['Auth/RoleGet', { role: 'apps' }],
      ['Auth/RoleRevokePermission', { role: 'none', key: b('z') }],
      ['Auth/RoleRevokePermission', { role: 'apps', key: b('z') }],
      ['Auth/RoleRevokePermission', { role: 'apps', key: b('app/'), range_end: b('app1') }],
      ['Auth/RoleGet', { role: 'apps' }],
      ['Auth/RoleGet', { role: 'none' }],
      ['Auth/RoleList', {}],
      ['Auth/UserGet', { name: 'alice' }],
      ['Auth/RoleDelete', { role: 'none' }],
      ['Auth/RoleDelete', { role: 'logs' }],
      ['Auth/UserGet', { name: 'alice' }],
      ['Auth/UserDelete', { name: 'nobody' }],
      ['Auth/UserDelete', { name: 'empty' }],
      ['Auth/AuthEnable', {}],
      ['Auth/UserGrantRole', { user: 'root', role: 'root' }],
      ['Auth/RoleAdd', { name: 'root' }],
      ['KV/Put', { key: b('app/1'), value: b('1') }],
      ['KV/Put', { key: b('other'), value: b('1') }],
      ['Auth/AuthEnable', {}],
    ]));

  it('tokens, and who is who', () =>
    same([
      login('root', 'wrong'),
      login('nobody', 'r'),
      login('nopass', ''),
      login('root', 'r'),
      login('alice', 'a'),
      login('Ünïcode', 'ü'),
      ['Auth/AuthStatus', {}, 'not.atoken'],
      ['Auth/AuthStatus', {}, 'root'],
      ['Auth/AuthEnable', {}, 'root'],
      ['KV/Range', { key: b('app/1') }],
      ['KV/Range', { key: b('app/1') }, 'not.atoken'],
      ['KV/Range', { key: b('') }],
      ['KV/Range', { key: b('app/1') }, 'alice'],
      ['KV/Range', { key: b('app/1') }, 'root'],
      ['Auth/UserGet', { name: 'alice' }],
      ['Auth/UserGet', { name: 'alice' }, 'alice'],
      ['Auth/UserGet', { name: 'root' }, 'alice'],
      ['Auth/UserGet', { name: 'nobody' }, 'alice'],
      ['Auth/RoleGet', { role: 'apps' }, 'alice'],
      ['Auth/RoleGet', { role: 'root' }, 'alice'],
      ['Auth/RoleGet', { role: 'none' }, 'alice'],
      ['Auth/UserList', {}, 'alice'],
      ['Auth/RoleList', {}],
      ['Auth/UserAdd', { name: 'eve', password: 'e' }, 'alice'],
      ['Auth/UserAdd', { name: 'eve', password: 'e' }],
      ['Auth/UserAdd', { name: 'eve', password: 'e' }, 'bad.1'],
      ['Auth/UserDelete', { name: 'root' }, 'root'],
      ['Auth/RoleDelete', { role: 'root' }, 'root'],
      ['Auth/UserRevokeRole', { name: 'root', role: 'root' }, 'root'],
      ['Auth/UserGrantRole', { user: 'alice', role: 'root' }, 'alice'],
      ['Auth/UserChangePassword', { name: 'alice', password: 'b' }, 'alice'],
      ['Auth/UserChangePassword', { name: 'alice', password: 'b' }, 'root'],
      ['KV/Range', { key: b('app/1') }, 'alice'],
      login('alice', 'a'),
      login('alice', 'b'),
      ['KV/Range', { key: b('app/1') }, 'alice'],
      ['Auth/UserAdd', { name: 'gone', password: 'g' }, 'root'],
      login('gone', 'g'),
      ['Auth/UserDelete', { name: 'gone' }, 'root'],
      ['KV/Range', { key: b('app/1') }, 'gone'],
      ['Auth/AuthDisable', {}, 'alice'],
    ]));

  it('what etcd has mended since 3.5 is as in 3.7', async () => {
    const { kedge } = await pair.run([
      ['Auth/AuthStatus', {}],
      ['Auth/AuthStatus', {}, 'alice'],
      ['Auth/RoleGet', { role: 'root' }, 'root'],
    ]);
    expect(kedge.slice(0, 2).join()).toMatch(/^-: Auth.*"enabled":true,"authRevision":"\d+".*alice: .*"enabled":true/);
    expect(kedge[2]).toContain('"perm":[{"permType":"READWRITE","key":"","range_end":"\\u0000"}]');
  });

  it('what belongs to root, to any user and to nobody', () =>
    same(
      [undefined, 'alice', 'not.atoken', 'root'].flatMap((as): AuthStep[] =>
        (
          [
            ['KV/Compact', { revision: 1 }],
            ['KV/Compact', { revision: 9_999_999 }],
            ['Maintenance/Defragment', {}],
            ['Maintenance/Alarm', {}],
            ['Maintenance/Alarm', { action: 'DEACTIVATE', memberID: 1, alarm: 'NOSPACE' }],
            ['Maintenance/MoveLeader', { targetID: 5 }],
            ['Maintenance/HashKV', { revision: 9_999_999 }],
            ['Cluster/MemberRemove', { ID: 5 }],
            ['Cluster/MemberUpdate', { ID: 5, peerURLs: ['http://localhost:9'] }],
            ['Cluster/MemberPromote', { ID: 5 }],
            ['Lease/LeaseGrant', { ID: as === 'root' ? 70 : as === 'alice' ? 71 : 72, TTL: 600 }],
            ['Lease/LeaseLeases', {}],
            ['Lease/LeaseTimeToLive', { ID: 70 }],
            ['Lease/LeaseRevoke', { ID: 99 }],
          ] as const
        ).map(([method, request]): AuthStep => [method, request, as]),
      ),
    ));

  it('what hides what: the order of the checks', async () => {
    for (const as of [undefined, 'alice', 'not.atoken']) {
      const told = await pair.each(as, async (client) => {
        const codes: string[] = [];
        const ask = async (what: Promise<unknown>): Promise<void> => {
          codes.push(await what.then(() => 'ok', String));
        };
        // Root's in 3.5.30, anybody's with a name since 3.5.33.
        if (as !== 'alice') await ask(client.call('Maintenance/Status', {}));
        await ask(client.call('Maintenance/Hash', {}));
        await ask(client.call('Cluster/MemberList', {}));
        await ask(client.collect('Maintenance/Snapshot', {}).then(() => 'ok'));
        await ask(client.call('KV/Put', { key: b(''), value: b('') }));
        await ask(client.call('KV/Txn', { compare: [], success: [], failure: [] }));
        return codes;
      });
      expect(told.kedge).toEqual(told.etcd.map(mended));
    }
  });

  it('leases: by the keys that hang on them', () =>
    same([
      ['Lease/LeaseGrant', { ID: 80, TTL: 600 }, 'alice'],
      ['KV/Put', { key: b('app/l'), value: b('1'), lease: 80 }, 'alice'],
      ['Lease/LeaseTimeToLive', { ID: 80, keys: true }, 'alice'],
      ['KV/Put', { key: b('other'), value: b('1'), lease: 80 }, 'root'],
      ['Lease/LeaseTimeToLive', { ID: 80, keys: true }, 'alice'],
      ['Lease/LeaseTimeToLive', { ID: 80, keys: true }],
      ['Lease/LeaseTimeToLive', { ID: 80 }, 'alice'],
      ['Lease/LeaseLeases', {}, 'alice'],
      ['Lease/LeaseLeases', {}, 'root'],
      ['KV/Put', { key: b('app/m'), value: b('1'), lease: 80 }, 'alice'],
      ['KV/Put', { key: b('app/m'), value: b('1'), lease: 81 }, 'alice'],
      ['Lease/LeaseRevoke', { ID: 80 }, 'alice'],
      ['Lease/LeaseRevoke', { ID: 80 }],
      ['Lease/LeaseRevoke', { ID: 80 }, 'root'],
    ]));

  it('keep-alives', async () => {
    await same([
      ['Lease/LeaseGrant', { ID: 90, TTL: 600 }, 'root'],
      ['KV/Put', { key: b('other'), value: b('1'), lease: 90 }, 'root'],
    ]);
    for (const as of [undefined, 'alice', 'root', 'not.atoken']) {
      const told = await pair.each(as, async (client) => {
        const stream = client.stream('Lease/LeaseKeepAlive');
        stream.send({ ID: '90' });
        const answer = await stream.take().then(({ TTL }) => `ttl ${TTL}`, String);
        stream.cancel();
        return answer;
      });
      expect(told.kedge).toEqual(told.etcd);
    }
  });

  it('watches are let in or told why not', async () => {
    await same([login('alice', 'b'), login('root', 'r')]);
    for (const as of [undefined, 'alice', 'root', 'not.atoken']) {
      for (const create of [
        { key: b('app/'), range_end: b('app0') },
        { key: b('other') },
        { key: b(''), range_end: b('\0') },
        { key: b('other'), start_revision: -1 },
        { key: b('z'), range_end: b('\0') },
      ]) {
        const told = await pair.each(as, async (client) => {
          const stream = client.stream('Watch/Watch');
          stream.send({ create_request: create });
          const { created, canceled, cancel_reason, watch_id } = await stream.take();
          stream.cancel();
          return { created, canceled, cancel_reason, watch_id };
        });
        expect(told.kedge).toEqual(told.etcd);
      }
    }
  });

  it('a hash of ours is one of etcd’s', async () => {
    const passwords = new ThreadPasswords(5);
    const hashedPassword = Buffer.from(await passwords.hash('m0ved')).toString('base64');
    await passwords.stop();
    await same([
      ['Auth/UserChangePassword', { name: 'Ünïcode', hashedPassword }, 'root'],
      login('Ünïcode', 'ü'),
      login('Ünïcode', 'm0ved'),
      ['KV/Range', { key: b('x') }, 'Ünïcode'],
    ]);
  });

  it('off again: nobody is asked, and old tokens do not matter', () =>
    same([
      ['Auth/AuthDisable', {}, 'root'],
      ['Auth/AuthStatus', {}, 'not.atoken'],
      ['KV/Range', { key: b('app/1') }, 'not.atoken'],
      ['Auth/AuthEnable', {}],
      ['KV/Range', { key: b('app/1') }, 'root'],
      login('root', 'r'),
      ['Auth/AuthStatus', {}, 'root'],
    ]));
});
