import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { EtcdClient } from '../support/client.ts';
import { etcdctlProgram, etcdProgram, mustHave, startEtcd } from '../support/etcd.ts';
import { startKedge } from '../support/kedge.ts';
import { freePorts } from '../support/ports.ts';
import { hasPostgres, PostgresServer } from '../support/postgres.ts';
import { Random, seedOf } from '../support/random.ts';
import { removeFolder, temporaryFolder } from '../support/temporary.ts';
import { kedge, RunningKedge, run, storeUrl, TIMEOUT_MS } from './command.ts';
import { Workload } from './workload.ts';

vi.setConfig({ testTimeout: TIMEOUT_MS, hookTimeout: TIMEOUT_MS });

const folder = temporaryFolder('follow');
afterAll(() => removeFolder(folder));
const seed = seedOf(31);

/** HashKV differs without history, and so does where it is compacted. */
function withoutHistory(shown: object): object {
  const { hash: _hash, compacted: _compacted, ...rest } = shown as Record<string, unknown>;
  return rest;
}

describe(`switching over from a running etcd, seed ${seed}`, () => {
  const test = it.skipIf(!mustHave('3.5'));

  test.each([
    { into: 'SQLite', history: true, there: true },
    { into: 'SQLite', history: false, there: true },
    { into: 'PostgreSQL', history: true, there: hasPostgres() },
  ])('takes over what happens meanwhile, into $into (history: $history)', async ({ into, history, there }) => {
    if (!there) return;
    const etcd = await startEtcd('3.5');
    const here = join(folder, `${into} ${history} 100%`);
    const database = into === 'PostgreSQL' ? await PostgresServer.start() : undefined;
    const to = database?.url('kedge') ?? storeUrl(here);
    const client = new EtcdClient(etcd.endpoint);
    try {
      const work = new Workload(client, new Random(seed));
      await work.run(80);
      await work.compactAt(20);
      const args = ['migrate', '--from', `http://${etcd.endpoint}`, '--to', to, '--follow'];
      const migrate = new RunningKedge(history ? [...args, '--history'] : args);
      // Writing goes on while it copies and follows.
      let writing = true;
      const writes = (async () => {
        for (; writing; await sleep(2)) await work.step();
      })();
      try {
        await migrate.until(/lag \d+\n[\s\S]*lag \d+\n/);
        await sleep(300);
      } finally {
        writing = false;
        await writes;
      }
      if (history) migrate.pressEnter();
      else migrate.kill('SIGTERM');
      expect(await migrate.ended(), migrate.output).toBe(0);
      expect(migrate.output).toContain(history ? 'the same HashKV on both sides' : 'keys are the same at revision');
      expect(migrate.output).toMatch(/done: the source is at revision \d+ too\n$/);

      const wanted = await Workload.shown(client);
      const moved = await startKedge({ dataDir: here, args: database === undefined ? [] : [`--store=${to}`] });
      const movedClient = new EtcdClient(moved.endpoint);
      const shown = await Workload.shown(movedClient);
      if (history) expect(shown).toEqual(wanted);
      else expect(withoutHistory(shown)).toEqual(withoutHistory(wanted));
      // Of a lease that had lived for a while, what was left is taken over.
      const { leases } = await client.call('Lease/LeaseLeases', {});
      for (const { ID } of leases) {
        const [there, here] = await Promise.all([
          client.call('Lease/LeaseTimeToLive', { ID }),
          movedClient.call('Lease/LeaseTimeToLive', { ID }),
        ]);
        expect(Number(here.TTL)).toBeGreaterThanOrEqual(Number(there.TTL) - 60);
      }
      movedClient.close();
      await moved.stop();
    } finally {
      client.close();
      await etcd.stop();
      await database?.dispose();
    }
  });

  test('goes on after the source was away, and says when somebody writes on', async () => {
    const dataDir = join(folder, 'restarted', 'etcd');
    let etcd = await startEtcd('3.5', { dataDir });
    const client = new EtcdClient(etcd.endpoint);
    try {
      const put = (value: string) => client.call('KV/Put', { key: Buffer.from('a'), value: Buffer.from(value) });
      await put('1');
      const args = ['migrate', '--from', `http://${etcd.endpoint}`, '--to', storeUrl(join(folder, 'restarted'))];
      const migrate = new RunningKedge([...args, '--follow', '--history']);
      await migrate.until(/at revision 2, source at 2, lag 0\n/);
      expect(readdirSync(join(folder, 'restarted')).filter((name) => name.includes('work'))).toEqual([]);
      await etcd.stop();
      etcd = await startEtcd('3.5', { dataDir, port: etcd.port });
      await put('2');
      await migrate.until(/at revision 3, source at 3, lag 0\n/);
      // Its terminal is gone; what it has is on disk.
      migrate.kill('SIGKILL');
      await migrate.ended();
      await put('3');
      const resumed = await kedge([...args, '--follow', '--resume', '--until-caught-up']);
      expect(resumed).toContain('done: the source is at revision 4 too');
      expect(resumed).not.toContain('reading:');

      let writing = true;
      const writes = (async () => {
        for (; writing; await sleep(2)) await put('on and on');
      })();
      const output = await kedge([
        ...args.with(4, storeUrl(join(folder, 'writing'))),
        '--history',
        '--follow',
        '--until-caught-up',
      ]);
      writing = false;
      await writes;
      expect(output).toMatch(/done, at revision \d+; the source is at \d+ by now: somebody writes to it still/);
    } finally {
      client.close();
      await etcd.stop();
    }
  });

  test('ends when the source was compacted before it could be taken over', async () => {
    const dataDir = join(folder, 'compacted', 'etcd');
    let etcd = await startEtcd('3.5', { dataDir });
    const client = new EtcdClient(etcd.endpoint);
    try {
      await new Workload(client, new Random(seed)).run(20);
      const args = ['migrate', '--from', `http://${etcd.endpoint}`, '--to', storeUrl(join(folder, 'compacted'))];
      const migrate = new RunningKedge([...args, '--follow']);
      await migrate.until(/lag 0\n/);
      migrate.kill('SIGSTOP');
      await etcd.stop();
      etcd = await startEtcd('3.5', { dataDir, port: etcd.port });
      const work = new Workload(client, new Random(seed + 1));
      await work.run(20);
      await work.compactAt(0);
      migrate.kill('SIGCONT');
      expect(await migrate.ended(), migrate.output).toBe(1);
      expect(migrate.output).toMatch(/compacted revision \d+ before it could be taken over .*begin anew/);
    } finally {
      client.close();
      await etcd.stop();
    }
  });

  test('with a source that needs a user takes one; without it says what is missing', async () => {
    const etcd = await startEtcd('3.5');
    const client = new EtcdClient(etcd.endpoint);
    try {
      await client.call('KV/Put', { key: Buffer.from('a'), value: Buffer.from('b') });
      const ctl = (...args: string[]) => run(etcdctlProgram('3.5') ?? '', [`--endpoints=${etcd.endpoint}`, ...args]);
      await ctl('user', 'add', 'root:secret');
      await ctl('user', 'grant-role', 'root', 'root');
      await ctl('role', 'add', 'reader');
      await ctl('role', 'grant-permission', 'reader', 'read', 'a');
      await ctl('user', 'add', 'anna:password');
      await ctl('user', 'grant-role', 'anna', 'reader');
      await ctl('auth', 'enable');
      const args = ['migrate', '--from', `http://${etcd.endpoint}`, '--to', storeUrl(join(folder, 'auth'))];
      const refused = await kedge(args, 1);
      expect(refused).toContain('--user name:password of a user with the role root');
      const wrong = await kedge([...args, '--user=root:wrong'], 1);
      expect(wrong).not.toContain('wrong:');
      expect(existsSync(join(folder, 'auth', 'kedge.db'))).toBe(false);
      const output = await kedge([...args, '--user=root:secret']);
      expect(output).toContain('Authentication is on, with 2 users and 1 roles: carried over');
      expect(output).not.toContain('secret');
      // The same users with the same passwords may do the same: here, and in an etcd that is made of it again.
      const moved = await startKedge({ dataDir: join(folder, 'auth') });
      await expectUsers(moved.endpoint);
      await moved.stop();
      const back = join(folder, 'auth-back.db');
      await kedge(['snapshot', 'export', back, `--data-dir=${join(folder, 'auth')}`]);
      const dataDir = join(folder, 'auth-etcd');
      const cluster = [
        '--initial-cluster=default=http://127.0.0.1:1',
        '--initial-advertise-peer-urls=http://127.0.0.1:1',
      ];
      const restore = ['snapshot', 'restore', back, `--data-dir=${dataDir}`, '--name=default', ...cluster];
      await run(etcdProgram('3.5')?.replace(/etcd$/, 'etcdutl') ?? '', restore);
      const again = await startEtcd('3.5', { dataDir });
      await expectUsers(again.endpoint);
      await again.stop();
    } finally {
      client.close();
      await etcd.stop();
    }
  });

  test('over TLS with client certificates', async () => {
    const here = temporaryFolder('migrate-tls');
    const file = (name: string): string => join(here, name);
    const openssl = (...args: string[]) => run('openssl', args);
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    await openssl('req', '-x509', ...newKey, '-keyout', file('ca.key'), '-out', file('ca.crt'), '-subj', '/CN=ca');
    for (const name of ['server', 'client']) {
      const by = ['-CA', file('ca.crt'), '-CAkey', file('ca.key'), '-addext', 'subjectAltName=IP:127.0.0.1'];
      const out = ['-keyout', file(`${name}.key`), '-out', file(`${name}.crt`), '-subj', `/CN=${name}`];
      await openssl('req', '-x509', ...newKey, ...by, ...out);
    }
    const [plain = 0, secure = 0] = await freePorts(2);
    const etcd = await startEtcd('3.5', {
      port: plain,
      args: [
        `--listen-client-urls=http://127.0.0.1:${plain},https://127.0.0.1:${secure}`,
        `--cert-file=${file('server.crt')}`,
        `--key-file=${file('server.key')}`,
        `--trusted-ca-file=${file('ca.crt')}`,
        '--client-cert-auth',
      ],
    });
    try {
      const client = new EtcdClient(etcd.endpoint);
      await client.call('KV/Put', { key: Buffer.from('a'), value: Buffer.from('b') });
      client.close();
      const from = ['migrate', '--from', `https://127.0.0.1:1,https://127.0.0.1:${secure}`, '--to', storeUrl(here)];
      const trusted = ['--cacert', file('ca.crt')];
      expect(await kedge(from, 1)).toContain('are the address and the TLS flags right?');
      expect(await kedge([...from, ...trusted], 1)).toContain(`https://127.0.0.1:${secure}: Status`);
      const own = ['--cert', file('client.crt'), '--key', file('client.key')];
      expect(await kedge([...from, ...trusted, ...own, '--history'])).toContain('the same HashKV on both sides');
    } finally {
      await etcd.stop();
      removeFolder(here);
    }
  });

  it('names a source that is not there, and a target that cannot be', async () => {
    const to = ['--to', storeUrl(join(folder, 'nowhere'))];
    expect(await kedge(['migrate', '--from', 'http://127.0.0.1:1', ...to], 1)).toContain('is it running');
    expect(await kedge(['migrate', '--from', `${folder}/no-such.db`, ...to], 1)).toContain('cannot read');
    expect(await kedge(['migrate', '--from', 'http://127.0.0.1:1', '--to', 'oracle://x'], 1)).toContain(
      'no such engine',
    );
    expect(await kedge(['migrate', ...to], 2)).toContain('--from is missing');
  });
});

/** anna may read one key and write none; without a name nobody may read. */
async function expectUsers(endpoint: string): Promise<void> {
  const ctl = (...args: string[]) => run(etcdctlProgram('3.5') ?? '', [`--endpoints=${endpoint}`, ...args]);
  expect(await ctl('--user=anna:password', 'get', 'a', '--print-value-only')).toContain('b');
  await expect(ctl('--user=anna:password', 'put', 'a', 'c')).rejects.toThrow(/permission denied/);
  await expect(ctl('--user=anna:wrong', 'get', 'a')).rejects.toThrow(/authentication failed/);
  await expect(ctl('get', 'a')).rejects.toThrow(/user name is empty/);
  expect(await ctl('--user=root:secret', 'role', 'get', 'reader')).toContain('a');
}
