import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EtcdClient } from '../support/client.ts';
import { etcdctlProgram, mustHave, startEtcd } from '../support/etcd.ts';
import { startKedge } from '../support/kedge.ts';
import { freePort } from '../support/ports.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { removeFolder, temporaryFolder } from '../support/temporary.ts';
import { runClient } from './in-process.ts';
import { etcdctl, KEDGE, type Program, Running } from './programs.ts';

/** Commands that go on, as programs: ours beside etcdctl at the same server, so that they must say the same to the byte. */
const KINDS = [
  { kind: 'etcd 3.5', start: () => startEtcd('3.5') },
  { kind: 'kedge', start: () => startKedge() },
] as const;

describe.each(KINDS)('at $kind', ({ start }) => {
  if (!mustHave('3.5')) return test.skip('needs etcdctl 3.5');
  let server: ServerProcess;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server.kill());

  const begin = (program: Program, words: readonly string[], environment = {}) =>
    new Running(program, words, { ETCDCTL_ENDPOINTS: server.endpoint, ...environment });
  const ok = async (...words: string[]) => {
    const ran = await runClient(words, { ETCDCTL_ENDPOINTS: server.endpoint });
    expect(ran.code, ran.stderr).toBe(0);
    return ran.stdout;
  };
  const head = async () => Number((await ok('get', 'x', '-w', 'fields')).match(/"Revision" : (\d+)/)?.[1]);

  test('downgrade: what 3.6’s etcdctl says of what the server says', async () => {
    const say = (...words: string[]) => runClient(['downgrade', ...words], { ETCDCTL_ENDPOINTS: server.endpoint });
    const version = /"Version" : "(\d+)\.(\d+)\.\d+"/.exec(await ok('endpoint', 'status', '-w', 'fields')) ?? [];
    const [, major = '', minor = ''] = version;
    const before = `${major}.${Number(minor) - 1}.0`;
    const wellDone = `Downgrade validate success, cluster version ${major}.${minor}`;
    // An etcd that has just started agrees with itself on the cluster's version a little later.
    await expect
      .poll(async () => (await say('validate', before)).stdout.slice(0, wellDone.length), { timeout: 20_000 })
      .toBe(wellDone);
    expect(JSON.parse((await say('validate', before, '-w', 'json')).stdout)).toMatchObject({
      header: { member_id: expect.any(Number) },
      version: expect.stringMatching(new RegExp(`^${major}\\.${minor}`)),
    });
    const wrong: readonly (readonly [readonly string[], number, string])[] = [
      [['validate', '2.0.0'], 1, 'etcdserver: invalid downgrade target version'],
      [['validate', 'x'], 1, 'etcdserver: wrong downgrade target version format'],
      [['cancel'], 1, 'etcdserver: no inflight downgrade job'],
      [['validate'], 128, 'TARGET_VERSION not provided'],
      [['enable', '3.4', '3.5'], 128, 'too many arguments'],
      [['enable', ''], 128, 'target version not provided'],
      [['validate', before, '-w', 'table'], 4, 'table not supported as output format'],
    ];
    for (const [words, code, text] of wrong) {
      expect(await say(...words)).toEqual({ code, stdout: '', stderr: `Error: ${text}\n` });
    }
  });

  test('watch tells the same as etcdctl', async () => {
    const from = (await head()) + 1;
    for (const words of [
      ['put', 'w/1', 'é'],
      ['put', 'w/1', 'two'],
      ['del', 'w/1'],
      ['put', 'w/2', 'three'],
    ]) {
      await ok(...words);
    }
    const rev = `--rev=${from}`;
    const command = [
      '--',
      'sh',
      '-c',
      'echo "$ETCD_WATCH_REVISION $ETCD_WATCH_EVENT_TYPE $ETCD_WATCH_KEY $ETCD_WATCH_VALUE"',
    ];
    const environment = { ETCDCTL_WATCH_KEY: 'w/', ETCDCTL_WATCH_RANGE_END: 'w/2' };
    const cases: { words: string[]; environment?: Record<string, string>; lines: number }[] = [
      { words: ['watch', '--prefix', 'w/', rev, '--prev-kv'], lines: 16 },
      { words: ['watch', '--prefix', '', rev, '-w', 'fields'], lines: 32 },
      { words: ['watch', 'w/1', rev, '-w=json', '--prev-kv'], lines: 1 },
      { words: ['watch', 'w/1', 'w/9', rev, '--hex'], lines: 12 },
      { words: ['watch', 'w/1', rev, ...command], lines: 12 },
      { words: ['watch', rev], environment, lines: 9 },
    ];
    for (const { words, environment: variables, lines } of cases) {
      const both = [etcdctl(), KEDGE].map((program) => begin(program, words, variables));
      const said = await Promise.all(both.map((client) => client.until((out) => out.split('\n').length > lines)));
      expect(said[1], words.join(' ')).toBe(said[0]);
      await Promise.all(both.map((client) => client.end('SIGKILL')));
    }
  });

  test('watch ends as etcdctl does', async () => {
    await ok('put', 'ends', '1');
    const revision = await head();
    await ok('put', 'ends', '2');
    await ok('compaction', String(revision + 1));
    const cases: { words: string[]; environment?: Record<string, string>; input?: string }[] = [
      { words: ['watch', 'ends', `--rev=${revision}`] },
      { words: ['watch', 'ends', `--rev=${revision}`, '-w', 'json'] },
      { words: ['watch', 'ends', `--rev=${revision + 1}`, '--', 'sh', '-c', 'exit 3'] },
      { words: ['watch', 'ends', `--rev=${revision + 1}`, '--', 'not-a-command'] },
      { words: ['watch'] },
      { words: ['watch', 'ends', '--'] },
      { words: ['watch', 'ends', 'x', '--prefix'] },
      { words: ['watch', 'ends'], environment: { ETCDCTL_WATCH_KEY: 'x' } },
      { words: ['watch'], environment: { ETCDCTL_WATCH_RANGE_END: 'x' } },
      { words: ['watch', '-i'], input: 'watch\n\nsomething else\nwatch a b --prefix\n' },
    ];
    for (const { words, environment, input } of cases) {
      const [expected, got] = await Promise.all(
        [etcdctl(), KEDGE].map((program) => {
          const client = begin(program, words, environment);
          client.type(input ?? '');
          return client.end();
        }),
      );
      expect(got, words.join(' ')).toEqual(expected);
    }
  });

  test('watch -i', async () => {
    const rev = (await head()) + 1;
    await ok('put', 'i/1', 'one');
    const both = [etcdctl(), KEDGE].map((program) => begin(program, ['watch', '-i']));
    for (const client of both) client.type(`watch --prefix i/ --rev=${rev}\n`);
    await Promise.all(both.map((client) => client.until((out) => out.includes('one'))));
    for (const client of both) client.type('progress\n');
    await Promise.all(both.map((client) => client.until((out) => out.includes('progress notify'))));
    await ok('put', 'i/2', 'two');
    await Promise.all(both.map((client) => client.until((out) => out.includes('two'))));
    const [expected, got] = await Promise.all(both.map((client) => client.end()));
    expect(got).toEqual(expected);
  });

  test('lock excludes etcdctl, and etcdctl us', async () => {
    for (const [first, second] of [
      [etcdctl(), KEDGE],
      [KEDGE, etcdctl()],
    ] as const) {
      const holder = begin(first, ['lock', 'mine']);
      await holder.until((out) => out.includes('mine/'));
      const waiter = begin(second, ['lock', 'mine', '--', 'sh', '-c', 'echo "$ETCD_LOCK_KEY $ETCD_LOCK_REV"; exit 7']);
      // Both stand in line, and the second waits.
      await expect
        .poll(() => ok('get', '--prefix', 'mine/', '--keys-only'), { timeout: 20_000 })
        .toMatch(/mine.*\n\nmine/);
      expect(waiter.stdout).toBe('');
      expect((await holder.end('SIGINT')).code).toBe(0);
      const ran = await waiter.end();
      expect(ran).toMatchObject({ code: 7, stderr: 'Error: exit status 7\n' });
      expect(ran.stdout).toMatch(/^mine\/[0-9a-f]+ \d+\n$/);
    }
  });

  test('elect and its observers', async () => {
    const first = begin(KEDGE, ['elect', 'boss', 'ann']);
    expect(await first.until((out) => out.includes('ann'))).toMatch(/^boss\/[0-9a-f]+\nann\n$/);
    const observers = [etcdctl(), KEDGE].map((program) => begin(program, ['elect', '-l', 'boss']));
    await Promise.all(observers.map((observer) => observer.until((out) => out.includes('ann'))));
    const second = begin(etcdctl(), ['elect', 'boss', 'ben']);
    await expect
      .poll(() => ok('get', '--prefix', 'boss/', '--keys-only'), { timeout: 20_000 })
      .toMatch(/boss.*\n\nboss/);
    expect((await first.end('SIGINT')).code).toBe(0);
    await second.until((out) => out.includes('ben'));
    const [expected, got] = await Promise.all(
      observers.map((observer) => observer.until((out) => out.includes('ben'))),
    );
    expect(got).toBe(expected);
    const ended = await Promise.all([second, ...observers].map((client) => client.end('SIGINT')));
    expect(ended.map(({ code }) => code)).toEqual([0, 0, 0]);
  });

  test('snapshot save', async () => {
    const folder = temporaryFolder('client-snapshot');
    const file = join(folder, 'backup.db');
    await ok('put', 'saved', 'x');
    expect(await ok('snapshot', 'save', file)).toBe(`Snapshot saved at ${file}\n`);
    const bytes = readFileSync(file);
    expect(bytes.subarray(-32)).toEqual(createHash('sha256').update(bytes.subarray(0, -32)).digest());
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(existsSync(`${file}.part`)).toBe(false);
    const refused = await runClient(['snapshot', 'save', join(folder, 'no', 'x')], {
      ETCDCTL_ENDPOINTS: server.endpoint,
    });
    expect(refused.code).toBe(5);
    expect(refused.stderr).toContain(`Error: could not open ${join(folder, 'no', 'x.part')}`);
    const utility = join(dirname(etcdctlProgram('3.5') ?? ''), 'etcdutl');
    if (server.command[0]?.endsWith('etcd') === true) {
      expect(execFileSync(utility, ['snapshot', 'status', file]).toString()).toMatch(/^[0-9a-f]+, \d+, \d+, /);
    }
    removeFolder(folder);
  });

  test('lease keep-alive goes on until the lease is revoked', async () => {
    const lease = /lease (\w+)/.exec(await ok('lease', 'grant', '6'))?.[1] ?? '';
    const keeper = begin(KEDGE, ['lease', 'keep-alive', lease]);
    await keeper.until((out) => out.split('\n').length > 2);
    await ok('lease', 'revoke', lease);
    const { code, stdout } = await keeper.end();
    expect(code).toBe(0);
    expect(stdout).toMatch(
      new RegExp(`^(lease ${lease} keepalived with TTL\\(6\\)\n)+lease ${lease} expired or revoked.\n$`),
    );
  });

  test('when an endpoint is dead the next is asked', async () => {
    const dead = `127.0.0.1:${await freePort()}`;
    await ok('put', 'alive', 'yes');
    const ran = await runClient(['get', 'alive', '--endpoints', `${dead},http://${server.endpoint}`], {});
    expect(ran).toEqual({ code: 0, stdout: 'alive\nyes\n', stderr: '' });
    const nobody = await runClient(['get', 'alive', '--endpoints', dead, '--command-timeout', '200ms'], {});
    expect(nobody.code).toBe(1);
    expect(nobody.stderr).toMatch(/^Error: context deadline exceeded\n\(127\.0\.0\.1:\d+: .*ECONNREFUSED.*--endpoints/);
  });

  test('a reader that stops reading is no error', () => {
    const shell = `'${KEDGE.join("' '")}' get --prefix '' --endpoints ${server.endpoint} | true; echo "\${PIPESTATUS[0]}"`;
    expect(execFileSync('bash', ['-c', shell]).toString()).toBe('0\n');
  });
});

describe.runIf(mustHave('3.5'))('between servers', () => {
  test('a watch goes on when its server comes back', async () => {
    const folder = temporaryFolder('client-watch');
    const port = await freePort();
    const options = { dataDir: join(folder, 'data'), port };
    let server = await startKedge(options);
    const watcher = new Running(KEDGE, ['watch', 'k'], { ETCDCTL_ENDPOINTS: server.endpoint });
    const put = (value: string) => runClient(['put', 'k', value], { ETCDCTL_ENDPOINTS: server.endpoint });
    // Until the watch is there: it begins with what comes next.
    await expect
      .poll(() => put('first').then(() => watcher.stdout), { timeout: 20_000, interval: 100 })
      .toContain('first');
    await server.kill();
    server = await startKedge(options);
    await put('second');
    await watcher.until((out) => out.includes('second'));
    await put('third');
    const said = await watcher.until((out) => out.includes('third'));
    expect(said.replace(/(PUT\nk\nfirst\n)+/, '')).toBe('PUT\nk\nsecond\nPUT\nk\nthird\n');
    await watcher.end('SIGKILL');
    await server.kill();
    removeFolder(folder);
  });

  test('make-mirror', async () => {
    const [source, target] = await Promise.all([startKedge(), startEtcd('3.5')]);
    const [from, to] = [new EtcdClient(source.endpoint), new EtcdClient(target.endpoint)];
    for (let i = 0; i < 1100; i++)
      await from.call('KV/Put', { key: Buffer.from(`a/${i}`), value: Buffer.from(`${i}`) });
    await from.call('KV/Put', { key: Buffer.from('b'), value: Buffer.from('not mirrored') });
    const words = ['make-mirror', target.endpoint, '--prefix', 'a/', '--dest-prefix', 'copy/'];
    const mirror = new Running(KEDGE, words, { ETCDCTL_ENDPOINTS: source.endpoint });
    const all = async (client: EtcdClient) => {
      const { kvs } = await client.call('KV/Range', { key: Buffer.from([0]), range_end: Buffer.from([0]) });
      return kvs.map((kv) => `${kv.key}=${kv.value}`);
    };
    await expect.poll(async () => (await all(to)).length, { timeout: 40_000 }).toBe(1100);
    await from.call('KV/Txn', {
      success: [
        { request_put: { key: Buffer.from('a/x'), value: Buffer.from('1') } },
        { request_delete_range: { key: Buffer.from('a/7') } },
      ],
    });
    const wanted = (await all(from)).filter((pair) => pair.startsWith('a/')).map((pair) => pair.replace('a/', 'copy/'));
    await expect.poll(() => all(to), { timeout: 20_000 }).toEqual(wanted);
    await mirror.end('SIGKILL');
    from.close();
    to.close();
    await Promise.all([source.kill(), target.kill()]);
  });
});
