import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EtcdClient, RpcError } from '../support/client.ts';
import { startKedge } from '../support/kedge.ts';
import type { RangeRequest, RangeResponse } from '../support/messages.ts';
import { Random, seedOf } from '../support/random.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { normalForm } from './normal-form.ts';

/**
 * RangeStream is of etcd 3.7, of which there is no server to compare with. What its definition promises is checked instead
 * (comments of RangeStreamResponse in etcd's rpc.proto): all parts merged are what Range answers, and header, more and
 * count come with the last part only.
 */
describe('RangeStream', () => {
  const everything = { key: Buffer.from([0]), range_end: Buffer.from([0]) };
  let server: ServerProcess;
  let client: EtcdClient;

  beforeAll(async () => {
    server = await startKedge();
    client = new EtcdClient(server.endpoint);
    const random = new Random(5);
    for (let i = 0; i < 1500; i++) {
      await client.call('KV/Put', {
        key: Buffer.from(`key/${random.below(1000)}`),
        value: random.bytes(random.below(200)),
      });
    }
    for (let i = 0; i < 20; i++) {
      await client.call('KV/Put', { key: Buffer.from(`large/${i}`), value: Buffer.alloc(700_000, i) });
    }
  });
  afterAll(async () => {
    client.close();
    await server.kill();
  });

  async function parts(request: RangeRequest): Promise<RangeResponse[]> {
    const all = await client.collect('KV/RangeStream', request);
    return all.map(({ range_response: part }) => {
      if (part === null) throw new Error('a part without a range');
      return part;
    });
  }

  async function merged(request: RangeRequest): Promise<string> {
    const all = await parts(request);
    for (const part of all.slice(0, -1)) {
      expect({ header: part.header, more: part.more, count: part.count }).toEqual({
        header: null,
        more: false,
        count: '0',
      });
    }
    return normalForm({ ...all.at(-1), kvs: all.flatMap((part) => part.kvs) });
  }

  test('is Range in parts', async () => {
    const random = new Random(seedOf(31));
    console.log(`range stream: seed ${random.seed}`);
    const head = Number((await client.call('KV/Range', everything)).header?.revision);
    for (let i = 0; i < 150; i++) {
      const request = {
        key: Buffer.from(`key/${random.below(1000)}`),
        ...random.pick([
          {},
          { range_end: Buffer.from('key0') },
          { range_end: Buffer.from(`key/${random.below(1000)}`) },
        ]),
        limit: random.pick([0, 0, 1, 9, 10, 11, 30, 1000, -1]),
        revision: random.chance(30) ? random.between(1, head) : 0,
        keys_only: random.chance(20),
        count_only: random.chance(10),
        serializable: random.chance(20),
      };
      expect(await merged(request)).toBe(normalForm(await client.call('KV/Range', request)));
    }
  });

  test('keeps its parts near the size of a request', async () => {
    const all = await parts({ key: Buffer.from('large/'), range_end: Buffer.from('large0') });
    expect(all.flatMap((part) => part.kvs)).toHaveLength(20);
    const sizes = all.map((part) => part.kvs.reduce((sum, kv) => sum + kv.value.length, 0));
    expect(sizes.length).toBeGreaterThan(1);
  });

  test('belongs to one revision while others write', async () => {
    let writing = true;
    const write = async (value: string) => {
      const op = (key: string) => ({ request_put: { key: Buffer.from(key), value: Buffer.from(value) } });
      await client.call('KV/Txn', { success: [op('key/0'), op('key/999'), op('key/~')] });
    };
    const writer = async () => {
      for (let i = 0; writing; i++) await write(`${i}`);
    };
    await write('first');
    const written = writer();
    for (let round = 0; round < 50; round++) {
      const all = await parts({ key: Buffer.from('key/'), range_end: Buffer.from('key0') });
      const revision = Number(all.at(-1)?.header?.revision);
      const kvs = all.flatMap((part) => part.kvs);
      expect(kvs.every((kv) => Number(kv.mod_revision) <= revision)).toBe(true);
      const pair = ['key/0', 'key/999', 'key/~'].map(
        (key) => kvs.find((kv) => kv.key.toString() === key)?.mod_revision,
      );
      expect(new Set(pair).size).toBe(1);
    }
    writing = false;
    await written;
  });

  test('refuses what it does not do', async () => {
    const refused = async (request: RangeRequest) => {
      const error = await parts({ key: Buffer.from('a'), ...request }).catch((reason: unknown) => reason);
      return error instanceof RpcError ? error.toString() : 'answered';
    };
    expect(await refused({ key: Buffer.alloc(0) })).toBe('INVALID_ARGUMENT: etcdserver: key is not provided');
    expect(await refused({ sort_order: 'DESCEND' })).toBe(
      'UNIMPLEMENTED: RangeStream does not support custom sort orders',
    );
    expect(await refused({ min_mod_revision: 1 })).toBe('UNIMPLEMENTED: RangeStream does not support revision filters');
    expect(await refused({ revision: 99_999 })).toBe(
      'OUT_OF_RANGE: etcdserver: mvcc: required revision is a future revision',
    );
    expect(await refused({ sort_order: 'ASCEND' })).toBe('answered');
  });
});
