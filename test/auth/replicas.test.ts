import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import { Auth } from '../../src/etcd/auth/auth.ts';
import * as changes from '../../src/etcd/auth/auth-changes.ts';
import type { Passwords } from '../../src/etcd/auth/passwords.ts';
import { SimpleTokens } from '../../src/etcd/auth/simple-tokens.ts';
import { ReloadingStore } from '../../src/mvcc/reloading-store.ts';
import type { PutRequest } from '../../src/mvcc/requests.ts';
import { SharedMemoryLog, SharedMemoryStore } from '../../src/mvcc/shared-memory-log.ts';
import { Store } from '../../src/mvcc/store.ts';
import { ThreadPasswords } from '../../src/server/passwords/thread-passwords.ts';
import { ManualClock } from '../lease/manual-clock.ts';

/** Auth of several replicas on one log. */
const clock = new ManualClock();
const passwords: Passwords & { stop(): Promise<void> } = new ThreadPasswords(4);
const running: ReloadingStore[] = [];
const anybody = (): void => {};
const WRITE: PutRequest = {
  ...{
    kind: 'put',
    key: 'w',
    value: Buffer.from('1'),
    lease: 0n,
    prevKv: false,
    ignoreValue: false,
    ignoreLease: false,
  },
};

afterEach(async () => {
  for (const store of running.splice(0)) await store.stop();
  await passwords.stop();
});

async function replica(database: SharedMemoryStore): Promise<{ auth: Auth; store: ReloadingStore }> {
  const store = new ReloadingStore({
    clock,
    logger: silentLogger,
    open: (stats, onLost) =>
      new Store({
        log: new SharedMemoryLog(database),
        clock,
        random: Math.random,
        quotaBytes: -1,
        replica: String(running.length),
        stats,
        onLost,
      }),
  });
  running.push(store);
  await store.start();
  const tokens = new SimpleTokens({ clock, ttlMs: 1000 });
  return { store, auth: new Auth({ store, tokens, passwords, commonNames: true, clock, logger: silentLogger }) };
}

const caughtUp = async ({ store }: { readonly store: ReloadingStore }): Promise<void> => {
  await store.range({
    ...{ key: 'x', end: '', revision: 0, limit: 0, order: 'none', target: 'key', keysOnly: false, countOnly: true },
    ...{ minModRevision: 0, maxModRevision: 0, minCreateRevision: 0, maxCreateRevision: 0, serializable: false },
  });
};

describe('auth of two replicas', { timeout: 120_000 }, () => {
  it('what one changes the other keeps to, and every change counts once', async () => {
    const database = new SharedMemoryStore(() => clock.nowMs);
    const [a, b] = [await replica(database), await replica(database)];
    const hash = await passwords.hash('secret');
    const names = Array.from({ length: 20 }, (_, i) => `user${i}`);
    // Both at once, each on what it last heard: no change is lost.
    await Promise.all(
      names.map((name, i) => (i % 2 === 0 ? a : b).auth.writer.change(anybody, changes.addUser(name, hash, false))),
    );
    await Promise.all([caughtUp(a), caughtUp(b)]);
    for (const { auth } of [a, b]) {
      expect(auth.view.users().map(({ name }) => name)).toEqual([...names].sort());
      expect(auth.view.revision).toBe(21);
    }

    await a.auth.writer.change(anybody, changes.addUser('root', hash, false));
    await b.auth.writer.change(anybody, changes.grantRole('root', 'root'));
    await a.auth.writer.change(anybody, changes.addRole('apps'));
    await a.auth.writer.change(anybody, changes.grantPermission('apps', { type: 0, key: 'k', end: '' }));
    await a.auth.writer.change(anybody, changes.grantRole('user1', 'apps'));
    await b.auth.writer.change(anybody, changes.enable);
    await caughtUp(a);
    expect(a.auth.access.enabled).toBe(true);

    const token = await a.auth.authenticator.authenticate('user1', 'secret', '10.0.0.1:1');
    const call = { metadata: new Map([['token', token]]), commonName: undefined };
    a.auth.access.range(call, 'k', '');
    expect(() => a.auth.access.range(call, 'l', '')).toThrow('permission denied');
    // Simple tokens are one server's; a common name is everywhere.
    expect(() => b.auth.access.range(call, 'k', '')).toThrow('invalid auth token');
    await caughtUp(b);
    b.auth.access.range({ metadata: new Map(), commonName: 'user1' }, 'k', '');
    const gateway = { metadata: new Map([['grpcgateway-accept', '*/*']]), commonName: 'user1' };
    expect(() => b.auth.access.range(gateway, 'k', '')).toThrow('user name is empty');

    // What the other takes away ends here, for a write that was let in already too.
    const perm = { type: 2, key: 'w', end: '' };
    await a.auth.writer.change(anybody, changes.grantPermission('apps', perm));
    const letIn = a.auth.access.put(call, WRITE);
    await a.store.put(letIn);
    await b.auth.writer.change(anybody, changes.grantPermission('apps', { ...perm, type: 0 }));
    await caughtUp(a);
    await expect(a.store.put(letIn)).rejects.toMatchObject({ code: 'forbidden', cause: { code: 7 } });
    expect(a.store.revision).toBe(2);
    await b.auth.writer.change(anybody, changes.revokePermission('apps', 'k', ''));
    await caughtUp(a);
    expect(() => a.auth.access.range(call, 'k', '')).toThrow('permission denied');
    await b.auth.writer.change(anybody, changes.changePassword('user1', await passwords.hash('other')));
    await caughtUp(a);
    expect(() => a.auth.access.range(call, 'k', '')).toThrow('invalid auth token');

    // One that comes later finds all of it.
    const c = await replica(database);
    expect(c.auth.view.state).toEqual(a.auth.view.state);
    expect(c.auth.access.enabled).toBe(true);
  });

  it('when the database has lost what made it so, auth is off again', async () => {
    const database = new SharedMemoryStore(() => clock.nowMs);
    const a = await replica(database);
    await a.store.put(WRITE);
    await a.auth.writer.change(anybody, changes.addUser('root', await passwords.hash('secret'), false));
    await a.auth.writer.change(anybody, changes.grantRole('root', 'root'));
    await a.auth.writer.change(anybody, changes.enable);
    expect([a.auth.access.enabled, a.auth.view.users().length]).toEqual([true, 1]);
    database.loseCommits(3);
    const other = await replica(database);
    await other.store.put(WRITE);
    await expect(a.store.put(WRITE)).rejects.toMatchObject({ code: 'unavailable' });
    await clock.pass(1_000);
    await caughtUp(a);
    expect([a.auth.access.enabled, a.auth.view.users().length]).toEqual([false, 0]);
    expect(a.auth.view.state).toEqual({ enabled: false, revision: 1 });
  });

  it('tokens end when they are not used', async () => {
    const { auth } = await replica(new SharedMemoryStore(() => clock.nowMs));
    const hash = await passwords.hash('secret');
    await auth.writer.change(anybody, changes.addUser('root', hash, false));
    await auth.writer.change(anybody, changes.grantRole('root', 'root'));
    await auth.writer.change(anybody, changes.enable);
    const token = await auth.authenticator.authenticate('root', 'secret', 'p:1');
    const call = { metadata: new Map([['authorization', `Bearer ${token}`]]), commonName: undefined };
    for (let i = 0; i < 3; i += 1) {
      clock.nowMs += 900;
      auth.access.admin(call);
    }
    clock.nowMs += 1001;
    expect(() => auth.access.admin(call)).toThrow('invalid auth token');
  });

  it('hashes are as etcd writes them, and what is no hash matches nothing', async () => {
    const hash = await passwords.hash('päss');
    expect(Buffer.from(hash).toString()).toMatch(/^\$2a\$04\$.{53}$/);
    expect(await passwords.matches('päss', hash)).toBe(true);
    expect(await passwords.matches('pass', hash)).toBe(false);
    // One that Go's library made.
    const gos = Buffer.from('$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga');
    expect(await passwords.matches('allmine', gos)).toBe(true);
    expect(await passwords.matches('', new Uint8Array(0))).toBe(false);
    expect(await passwords.matches('', Buffer.from('no hash'))).toBe(false);
    const many = Array.from({ length: 200 }, () => passwords.matches('päss', hash).then(String, String));
    const told = new Set(await Promise.all(many));
    expect(told).toEqual(new Set(['true', 'StatusError: kedge: too many logins at a time; try again later']));
  });
});
