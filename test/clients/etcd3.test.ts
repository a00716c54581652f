import { join } from 'node:path';
import { type Etcd3 as Client, Etcd3, EtcdLockFailedError } from 'etcd3';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EtcdClient } from '../support/client.ts';
import { freePort } from '../support/ports.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { startSubject } from '../support/subject.ts';
import { removeFolder, temporaryFolder } from '../support/temporary.ts';

/** The npm package etcd3, which many Node programs use: its features by their names. */
describe('etcd3', () => {
  let server: ServerProcess;
  let client: Client;

  beforeAll(async () => {
    server = await startSubject();
    client = new Etcd3({ hosts: `http://${server.endpoint}` });
  });
  afterAll(async () => {
    client.close();
    await server.kill();
  });
  beforeEach(async () => {
    await client.delete().all();
  });

  test('get, put and delete in all their forms', async () => {
    await client.put('a').value('1');
    await client.put('number').value(42);
    await client.put('json').value(JSON.stringify({ x: 1 }));
    expect(await client.get('a').string()).toBe('1');
    expect(await client.get('a').buffer()).toEqual(Buffer.from('1'));
    expect(await client.get('number').number()).toBe(42);
    expect(await client.get('json').json()).toEqual({ x: 1 });
    expect(await client.get('missing').string()).toBeNull();
    expect(await client.get('a').exists()).toBe(true);
    const previous = await client.put('a').value('2').getPrevious();
    expect(previous.value.toString()).toBe('1');
    expect((await client.delete().key('a').getPrevious())[0]?.value.toString()).toBe('2');
  });

  test('ranges, sorted and counted', async () => {
    for (const [key, value] of [
      ['x/1', 'c'],
      ['x/2', 'a'],
      ['x/3', 'b'],
      ['y', 'z'],
    ] as const) {
      await client.put(key).value(value);
    }
    expect(await client.getAll().prefix('x/').keys()).toEqual(['x/1', 'x/2', 'x/3']);
    expect(await client.getAll().prefix('x/').strings()).toEqual({ 'x/1': 'c', 'x/2': 'a', 'x/3': 'b' });
    expect(await client.getAll().prefix('x/').sort('Value', 'Ascend').keys()).toEqual(['x/2', 'x/3', 'x/1']);
    expect(await client.getAll().prefix('x/').sort('Key', 'Descend').limit(2).keys()).toEqual(['x/3', 'x/2']);
    expect(await client.getAll().count()).toBe(4);
    expect(await client.getAll().inRange({ start: 'x/2', end: 'y' }).keys()).toEqual(['x/2', 'x/3']);
    expect(await client.delete().prefix('x/')).toMatchObject({ deleted: '3' });
    const spaced = client.namespace('space/');
    await spaced.put('inner').value('1');
    expect(await client.get('space/inner').string()).toBe('1');
    expect(await spaced.getAll().keys()).toEqual(['inner']);
  });

  test('transactions', async () => {
    const attempt = () =>
      client
        .if('key', 'Create', '==', 0)
        .then(client.put('key').value('made'), client.get('key'))
        .else(client.get('key'))
        .commit();
    expect((await attempt()).succeeded).toBe(true);
    const second = await attempt();
    expect(second.succeeded).toBe(false);
    expect(second.responses[0]?.response_range?.kvs[0]?.value.toString()).toBe('made');
  });

  test('software transactional memory loses no increment', async () => {
    await client.put('counter').value(0);
    const increment = () =>
      client.stm({ retries: 200 }).transact(async (tx) => {
        const now = await tx.get('counter').number();
        await tx.put('counter').value((now ?? 0) + 1);
      });
    const worker = async () => {
      for (let i = 0; i < 10; i++) await increment();
    };
    await Promise.all(Array.from({ length: 4 }, worker));
    expect(await client.get('counter').number()).toBe(40);
  });

  test('leases keep their keys alive and take them along', async () => {
    const lease = client.lease(10);
    await lease.put('leased').value('x');
    expect(await lease.grant()).toMatch(/^\d+$/);
    expect(await client.get('leased').string()).toBe('x');
    await lease.keepaliveOnce();
    await lease.revoke();
    expect(await client.get('leased').string()).toBeNull();
  });

  test('a lock is held by one', async () => {
    const first = client.lock('mutex');
    await first.acquire();
    await expect(client.lock('mutex').acquire()).rejects.toBeInstanceOf(EtcdLockFailedError);
    await first.release();
    expect(await client.lock('mutex').do(() => 'held')).toBe('held');
  });

  test('an election has one leader, and the next when it resigns', async () => {
    const [one, two] = [client.election('chair', 10), client.election('chair', 10)];
    const first = one.campaign('one');
    await new Promise((resolve, reject) => first.once('elected', resolve).once('error', reject));
    const second = two.campaign('two');
    const elected = new Promise((resolve, reject) => second.once('elected', resolve).once('error', reject));
    expect(await one.leader()).toBe('one');
    await first.resign();
    await elected;
    expect(await two.leader()).toBe('two');
    await second.resign();
  });

  test('watchers', async () => {
    const watcher = await client.watch().prefix('w/').withPreviousKV().create();
    const seen: string[] = [];
    const three = new Promise<void>((resolve) => {
      watcher.on('put', (kv, previous) => seen.push(`put ${kv.key} ${kv.value} was ${previous?.value ?? 'nothing'}`));
      watcher.on('delete', (kv, previous) => {
        seen.push(`delete ${kv.key} was ${previous?.value}`);
        resolve();
      });
    });
    await client.put('w/1').value('one');
    await client.put('w/1').value('two');
    await client.put('elsewhere').value('x');
    await client.delete().key('w/1');
    await three;
    expect(seen).toEqual(['put w/1 one was nothing', 'put w/1 two was one', 'delete w/1 was two']);
    await watcher.cancel();
  });

  test('a watcher goes on where it was when the server has been away', async () => {
    const folder = temporaryFolder('etcd3');
    const dataDir = join(folder, 'data');
    const port = await freePort();
    let own = await startSubject({ dataDir, port });
    const watching = new Etcd3({ hosts: `http://${own.endpoint}` });
    const watcher = await watching.watch().key('again').create();
    const values: string[] = [];
    watcher.on('put', (kv) => values.push(kv.value.toString()));
    const seen = async (count: number) => {
      while (values.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    await watching.put('again').value('1');
    await seen(1);
    await own.kill();
    own = await startSubject({ dataDir, port });
    // Written before the watcher is back: it must start where it was.
    const writing = new EtcdClient(own.endpoint);
    for (const value of ['2', '3'])
      await writing.call('KV/Put', { key: Buffer.from('again'), value: Buffer.from(value) });
    await seen(3);
    expect(values).toEqual(['1', '2', '3']);
    writing.close();
    watching.close();
    await own.kill();
    removeFolder(folder);
  });

  test('maintenance and cluster', async () => {
    expect((await client.maintenance.status()).version).toMatch(/^\d+\.\d+\.\d+/);
    expect((await client.cluster.memberList({})).members).toHaveLength(1);
    expect((await client.maintenance.hash()).hash).toBeGreaterThan(0);
    await client.maintenance.defragment();
  });
});
