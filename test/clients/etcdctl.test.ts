import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EtcdClient } from '../support/client.ts';
import { type EtcdVersion, mustHave, startEtcd } from '../support/etcd.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { startSubject } from '../support/subject.ts';
import { removeFolder, temporaryFolder } from '../support/temporary.ts';
import { Etcdctl } from './etcdctl.ts';

const everything = { key: Buffer.from([0]), range_end: Buffer.from([0]) };

/** etcdctl as people use it, of both versions, every command that applies. */
describe.each<EtcdVersion>(['3.5', '3.4'])('etcdctl %s', (version) => {
  if (!mustHave(version)) return test.skip(`needs etcdctl ${version}`);
  let server: ServerProcess;
  let client: EtcdClient;
  let ctl: Etcdctl;

  beforeAll(async () => {
    server = await startSubject();
    client = new EtcdClient(server.endpoint);
    ctl = new Etcdctl(version, server.endpoint);
  });
  afterAll(async () => {
    client.close();
    await server.kill();
  });
  beforeEach(async () => {
    await client.call('KV/DeleteRange', everything);
  });

  const head = async () => Number((await client.call('KV/Range', everything)).header?.revision);

  test('put, get and del', async () => {
    expect(await ctl.ok('put', 'greeting', 'hello world')).toBe('OK\n');
    expect(await ctl.ok('put', '--prev-kv', 'greeting', 'again')).toBe('OK\ngreeting\nhello world\n');
    expect(await ctl.ok('put', '--ignore-value', 'greeting')).toBe('OK\n');
    expect(await ctl.ok('get', 'greeting')).toBe('greeting\nagain\n');
    expect(await ctl.ok('get', 'greeting', `--rev=${(await head()) - 2}`)).toBe('greeting\nhello world\n');
    for (const key of ['b/1', 'b/2', 'b/3', 'c']) await ctl.ok('put', key, `value of ${key}`);
    expect(await ctl.ok('get', '--prefix', '--keys-only', 'b/')).toBe('b/1\n\nb/2\n\nb/3\n\n');
    expect(await ctl.ok('get', 'b/1', 'b/3', '--print-value-only')).toBe('value of b/1\nvalue of b/2\n');
    expect(await ctl.ok('get', '--from-key', 'b/3', '--keys-only')).toBe('b/3\n\nc\n\ngreeting\n\n');
    expect(await ctl.ok('get', '--prefix', 'b/', '--limit=1', '--order=DESCEND', '--sort-by=KEY')).toBe(
      'b/3\nvalue of b/3\n',
    );
    expect(await ctl.ok('get', '--prefix', '', '-w=fields')).toContain('"Count" : 5');
    const json = JSON.parse(await ctl.ok('get', 'c', '-w=json')) as { count: number; kvs: { value: string }[] };
    expect(json.count).toBe(1);
    expect(Buffer.from(json.kvs[0]?.value ?? '', 'base64').toString()).toBe('value of c');
    expect(await ctl.ok('get', 'c', '--consistency=s', '--hex')).toContain('\\x63');
    expect(await ctl.ok('del', 'c', '--prev-kv')).toBe('1\nc\nvalue of c\n');
    expect(await ctl.ok('del', '--prefix', 'b/')).toBe('3\n');
    expect(await ctl.ok('del', 'c')).toBe('0\n');
  });

  test('says what was wrong in etcd’s words', async () => {
    const refused = async (...args: string[]) => (await ctl.run(args)).stderr;
    expect(await refused('get', 'x', '--rev=99999')).toContain('required revision is a future revision');
    expect(await refused('put', 'x', 'y', '--lease=4d2')).toContain('requested lease not found');
    expect(await refused('put', '--ignore-value', 'not-there')).toContain('key not found');
    expect(await refused('put', '', 'y')).toContain('key is not provided');
    expect(await refused('lease', 'revoke', '4d2')).toContain('requested lease not found');
    expect(await refused('move-leader', '1')).toContain('bad leader transferee');
  });

  test('txn', async () => {
    await ctl.ok('put', 'user', 'ann');
    const txn = 'value("user") = "ann"\nversion("user") > "0"\n\nput user ben\nget user\n\nput user never\n\n';
    expect((await ctl.run(['txn'], txn)).stdout).toBe('SUCCESS\n\nOK\n\nuser\nben\n');
    expect((await ctl.run(['txn'], txn)).stdout).toBe('FAILURE\n\nOK\n');
    expect(await ctl.ok('get', 'user', '--print-value-only')).toBe('never\n');
    const modified = `mod("user") = "${await head()}"\n\ndel user\n\n\n`;
    expect((await ctl.run(['txn'], modified)).stdout).toBe('SUCCESS\n\n1\n');
  });

  test('watch', async () => {
    const from = (await head()) + 1;
    const watching = ctl.start('watch', '--prefix', 'w/', '--prev-kv', `--rev=${from}`);
    await ctl.ok('put', 'w/1', 'one');
    await ctl.ok('put', 'w/1', 'two');
    await ctl.ok('del', 'w/1');
    await ctl.ok('put', 'other', 'x');
    const expected = 'PUT\n\nw/1\none\nPUT\nw/1\none\nw/1\ntwo\nDELETE\nw/1\ntwo\nw/1\n';
    await watching.until((output) => output.includes('DELETE'));
    const squeezed = (output: string) => output.replace(/\n+/g, '\n');
    expect(squeezed(await watching.until((output) => squeezed(output).length >= squeezed(expected).length))).toBe(
      squeezed(expected),
    );
    await watching.stop();
    await ctl.ok('compaction', String(await head()));
    const late = ctl.start('watch', 'w/1', `--rev=${from}`);
    expect(await late.until((output) => output.includes('compact'))).toContain('required revision has been compacted');
    await late.stop();
  });

  test('lease', async () => {
    const granted = await ctl.ok('lease', 'grant', '300');
    const id = /^lease ([0-9a-f]+) granted with TTL\(300s\)/.exec(granted)?.[1] ?? '';
    expect(id).not.toBe('');
    await ctl.ok('put', 'leased', 'x', `--lease=${id}`);
    expect(await ctl.ok('lease', 'timetolive', id, '--keys')).toMatch(
      new RegExp(`^lease ${id} granted with TTL\\(300s\\), remaining\\((299|300)s\\), attached keys\\(\\[leased\\]\\)`),
    );
    expect(await ctl.ok('lease', 'list')).toContain(id);
    expect(await ctl.ok('lease', 'keep-alive', '--once', id)).toContain(`lease ${id} keepalived with TTL(300)`);
    expect(await ctl.ok('lease', 'revoke', id)).toBe(`lease ${id} revoked\n`);
    expect(await ctl.ok('get', 'leased')).toBe('');
    expect(await ctl.ok('lease', 'timetolive', id)).toContain('already expired');
  });

  test('endpoint and member', async () => {
    await ctl.ok('put', 'a', '1');
    const health = await ctl.run(['endpoint', 'health']);
    expect(`${health.stdout}${health.stderr}`).toContain('is healthy');
    const status = JSON.parse(await ctl.ok('endpoint', 'status', '-w=json')) as {
      Status: { version: string; dbSize: number; leader: number; header: { revision: number; member_id: number } };
    }[];
    expect(status[0]?.Status.header.revision).toBe(await head());
    expect(status[0]?.Status.leader).toBe(status[0]?.Status.header.member_id);
    expect(status[0]?.Status.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(status[0]?.Status.dbSize).toBeGreaterThan(0);
    expect(await ctl.ok('endpoint', 'hashkv')).toMatch(/, \d+/);
    expect(await ctl.ok('member', 'list')).toMatch(/started.*http:\/\//);
    expect(await ctl.ok('member', 'list', '-w=table')).toContain('CLIENT ADDRS');
    expect(await ctl.ok('alarm', 'list')).toBe('');
    expect(await ctl.ok('alarm', 'disarm')).toBe('');
  });

  test('compaction and defrag', async () => {
    for (let i = 0; i < 20; i++) await client.call('KV/Put', { key: Buffer.from('k'), value: Buffer.alloc(1000) });
    const at = await head();
    expect(await ctl.ok('compaction', '--physical', String(at - 2))).toBe(`compacted revision ${at - 2}\n`);
    expect((await ctl.run(['get', 'k', `--rev=${at - 3}`])).stderr).toContain('required revision has been compacted');
    expect((await ctl.run(['compaction', String(at - 5)])).stderr).toContain('required revision has been compacted');
    expect(await ctl.ok('defrag')).toContain('Finished defragmenting etcd member');
  });

  test('snapshot save', async () => {
    await ctl.ok('put', 'a', '1');
    const folder = temporaryFolder('snapshot');
    const file = join(folder, 'store.snapshot');
    const said = await ctl.run(['snapshot', 'save', file]);
    expect(`${said.stdout}${said.stderr}`).toContain('saved');
    expect(said.code).toBe(0);
    expect(existsSync(file) && statSync(file).size > 0).toBe(true);
    removeFolder(folder);
  });
});

/** Two stores made one by etcd's own tool, both ways. */
describe.runIf(mustHave('3.5'))('etcdctl make-mirror', () => {
  test.each(['from etcd', 'to etcd'])('%s', async (way) => {
    const [subject, etcd] = await Promise.all([startSubject(), startEtcd('3.5')]);
    const [source, target] = way === 'to etcd' ? [subject, etcd] : [etcd, subject];
    const [from, to] = [new EtcdClient(source.endpoint), new EtcdClient(target.endpoint)];
    const put = (key: string, value: string) =>
      from.call('KV/Put', { key: Buffer.from(key), value: Buffer.from(value) });
    for (let i = 0; i < 1500; i++) await put(`before/${i}`, `${i}`);
    const mirror = new Etcdctl('3.5', source.endpoint).start('make-mirror', target.endpoint);
    const mirrored = async (key: string) =>
      (await to.call('KV/Range', { key: Buffer.from(key), count_only: true })).count;
    const wait = async (key: string, count: string) => {
      const deadline = performance.now() + 20_000;
      while ((await mirrored(key)) !== count) {
        if (performance.now() > deadline) throw new Error(`${key} did not come:\n${mirror.output}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    await wait('before/999', '1');
    await from.call('KV/DeleteRange', { key: Buffer.from('before/10'), range_end: Buffer.from('before/11') });
    await from.call('KV/Txn', {
      success: [
        { request_put: { key: Buffer.from('txn/a'), value: Buffer.from('1') } },
        { request_put: { key: Buffer.from('txn/b'), value: Buffer.from('2') } },
      ],
    });
    await put('last', 'x');
    await wait('last', '1');
    const content = async (client: EtcdClient) =>
      (await client.call('KV/Range', everything)).kvs.map((kv) => `${kv.key}=${kv.value}`);
    expect(await content(to)).toEqual(await content(from));
    await mirror.stop();
    from.close();
    to.close();
    await Promise.all([subject.kill(), etcd.kill()]);
  });
});
