import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EtcdClient, RpcError } from '../support/client.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { startSubject } from '../support/subject.ts';

const NO_SPACE = 'RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded';

/** A store that is full: nothing more goes in, everything else goes on, and the way out is the one etcd's manual shows. */
describe('a store at its quota', () => {
  let server: ServerProcess;
  let client: EtcdClient;

  beforeAll(async () => {
    server = await startSubject({ args: ['--quota-backend-bytes=8388608'] });
    client = new EtcdClient(server.endpoint);
  });
  afterAll(async () => {
    client.close();
    await server.kill();
  });

  const key = Buffer.from('filler');
  const put = () => outcome(client.call('KV/Put', { key, value: Buffer.alloc(200_000, 'f') }));
  async function outcome(answer: Promise<unknown>): Promise<string> {
    try {
      await answer;
      return 'answered';
    } catch (error) {
      if (error instanceof RpcError) return error.toString();
      throw error;
    }
  }

  test('raises NOSPACE by itself', async () => {
    let puts = 0;
    let said = await put();
    for (; said === 'answered' && puts < 1000; puts++) said = await put();
    expect(said).toBe(NO_SPACE);
    // The quota is 8 MiB of 200 kB each: not at once, and not much later.
    expect(puts).toBeGreaterThan(10);
    expect(puts).toBeLessThan(100);
    const { alarms } = await client.call('Maintenance/Alarm', { action: 'GET' });
    expect(alarms.map(({ alarm }) => alarm)).toEqual(['NOSPACE']);
    expect((await client.call('Maintenance/Status', {})).errors.join()).toContain('alarm:NOSPACE');
  });

  test('refuses what needs room and does everything else', async () => {
    expect(await put()).toBe(NO_SPACE);
    expect(await outcome(client.call('KV/Txn', { success: [{ request_put: { key } }] }))).toBe(NO_SPACE);
    expect(await outcome(client.call('Lease/LeaseGrant', { TTL: 100 }))).toBe(NO_SPACE);
    expect((await client.call('KV/Range', { key })).count).toBe('1');
    expect(await outcome(client.call('KV/Txn', { success: [{ request_range: { key } }] }))).toBe('answered');
    expect((await client.call('KV/DeleteRange', { key })).deleted).toBe('1');
    const health = await fetch(`http://${server.endpoint}/health`);
    expect(await health.json()).toMatchObject({ health: 'false' });
  });

  test('is helped by compaction, defragmentation and disarming', async () => {
    const revision = (await client.call('KV/Range', { key })).header?.revision ?? 0;
    await client.call('KV/Compact', { revision, physical: true });
    await client.call('Maintenance/Defragment', {});
    expect(Number((await client.call('Maintenance/Status', {})).dbSize)).toBeLessThan(4_000_000);
    expect(await put()).toBe(NO_SPACE);
    const { alarms } = await client.call('Maintenance/Alarm', { action: 'GET' });
    for (const alarm of alarms) await client.call('Maintenance/Alarm', { action: 'DEACTIVATE', ...alarm });
    expect(await put()).toBe('answered');
    expect((await client.call('Maintenance/Alarm', { action: 'GET' })).alarms).toEqual([]);
  });
});
