import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EtcdClient } from '../support/client.ts';
import type { KeyValue, RangeRequest, RangeResponse } from '../support/messages.ts';
import { ApiServer, MIB } from './api-server.ts';

let server: ApiServer;
let client: EtcdClient;

beforeAll(async () => {
  server = await new ApiServer().start();
  client = server.client();
});

afterAll(async () => {
  await server.stop();
  expect(server.handlerErrors).toEqual([]);
});

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const refused = async (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'ok',
    (error: unknown) => String(error),
  );

describe('unary calls', () => {
  test('put, get, delete', async () => {
    const put = await client.call('KV/Put', { key: bytes('a'), value: bytes('1') });
    const first = Number(put.header?.revision);
    expect(put.header).toMatchObject({ raft_term: '2', cluster_id: String(server.store.clusterId) });
    expect(put.prev_kv).toBeNull();

    const replaced = await client.call('KV/Put', { key: bytes('a'), value: bytes('2'), prev_kv: true });
    expect(replaced.prev_kv).toMatchObject({ key: bytes('a'), value: bytes('1'), version: '1' });

    const got = await client.call('KV/Range', { key: bytes('a') });
    expect(got).toMatchObject({ count: '1', more: false, header: { revision: String(first + 1) } });
    expect(got.kvs).toMatchObject([
      { value: bytes('2'), create_revision: String(first), mod_revision: String(first + 1), version: '2', lease: '0' },
    ]);

    const deleted = await client.call('KV/DeleteRange', { key: bytes('a'), prev_kv: true });
    expect(deleted).toMatchObject({ deleted: '1', header: { revision: String(first + 2) } });
    expect(deleted.prev_kvs).toMatchObject([{ value: bytes('2') }]);
  });

  test('keys and values of every byte', async () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    await client.call('KV/Put', { key: all, value: all });
    const got = await client.call('KV/Range', { key: all });
    expect(got.kvs[0]?.key.equals(all)).toBe(true);
    expect(got.kvs[0]?.value.equals(all)).toBe(true);
  });

  test('gets that come together, good and bad', async () => {
    const puts = await Promise.all(
      Array.from({ length: 40 }, (_, i) => client.call('KV/Put', { key: bytes(`g${i}`), value: bytes(`v${i}`) })),
    );
    const revision = Math.max(...puts.map(({ header }) => Number(header?.revision)));
    // More than are answered at a time, so that some wait for the end of what came.
    const answers = await Promise.all(
      Array.from({ length: 160 }, async (_, i) => {
        const key = bytes(`g${i % 50}`);
        if (i % 8 === 3) return refused(client.call('KV/Range', { key, revision: revision + 1000 }));
        if (i % 8 === 5) return refused(client.call('KV/Range', { key: Buffer.alloc(0) }));
        if (i % 8 === 6) return (await client.call('KV/Range', { key: bytes('g'), range_end: bytes('h') })).count;
        const { kvs } = await client.call('KV/Range', { key });
        return kvs.map(({ value }) => value.toString()).join();
      }),
    );
    for (const [i, answer] of answers.entries()) {
      if (i % 8 === 3) expect(answer).toContain('mvcc: required revision is a future revision');
      else if (i % 8 === 5) expect(answer).toContain('etcdserver: key is not provided');
      else if (i % 8 === 6) expect(answer).toBe('40');
      else expect(answer).toBe(i % 50 < 40 ? `v${i % 50}` : '');
    }
  });

  test('a transaction answers each operation with its own revision', async () => {
    const { header } = await client.call('KV/Put', { key: bytes('t'), value: bytes('1') });
    const before = Number(header?.revision);
    const txn = await client.call('KV/Txn', {
      compare: [{ target: 'MOD', result: 'EQUAL', key: bytes('t'), mod_revision: before }],
      success: [
        { request_range: { key: bytes('t') } },
        { request_put: { key: bytes('t'), value: bytes('2') } },
        { request_delete_range: { key: bytes('nothing') } },
        { request_txn: { success: [{ request_range: { key: bytes('t') } }] } },
      ],
    });
    expect(txn).toMatchObject({ succeeded: true, header: { revision: String(before + 1) } });
    expect(txn.responses).toMatchObject([
      { response_range: { header: { revision: String(before), cluster_id: '0' }, kvs: [{ value: bytes('1') }] } },
      { response_put: { header: { revision: String(before + 1), raft_term: '0' } } },
      { response_delete_range: { header: { revision: String(before + 1) }, deleted: '0' } },
      { response_txn: { header: { revision: '0' }, succeeded: true, responses: [{ response_range: { count: '1' } }] } },
    ]);
  });

  test('values live on after the request they came in', async () => {
    const values = Array.from({ length: 200 }, (_, i) => Buffer.alloc(3000, i));
    await Promise.all(values.map((value, i) => client.call('KV/Put', { key: bytes(`v${i}`), value })));
    for (const [i, value] of values.entries()) {
      const got = await client.call('KV/Range', { key: bytes(`v${i}`) });
      expect(got.kvs[0]?.value.equals(value)).toBe(true);
    }
  });

  test('answers under way at the same time do not mix', async () => {
    const calls = Array.from({ length: 300 }, async (_, i) => {
      const put = await client.call('KV/Put', { key: bytes(`mix${i}`), value: bytes(`${i}`), prev_kv: true });
      const txn = await client.call('KV/Txn', { success: [{ request_range: { key: bytes(`mix${i}`) } }] });
      expect(put.prev_kv).toBeNull();
      expect(txn.responses[0]?.response_range?.kvs[0]?.value.toString()).toBe(String(i));
      return Number(put.header?.revision);
    });
    expect(new Set(await Promise.all(calls)).size).toBe(300);
  });

  test('compaction', async () => {
    const { header } = await client.call('KV/Put', { key: bytes('c'), value: bytes('1') });
    const revision = Number(header?.revision);
    await client.call('KV/Put', { key: bytes('c'), value: bytes('2') });
    const compacted = await client.call('KV/Compact', { revision, physical: true });
    expect(Number(compacted.header?.revision)).toBe(revision + 1);
    expect(await refused(client.call('KV/Compact', { revision }))).toBe(
      'OUT_OF_RANGE: etcdserver: mvcc: required revision has been compacted',
    );
    expect(await refused(client.call('KV/Range', { key: bytes('c'), revision: revision - 1 }))).toBe(
      'OUT_OF_RANGE: etcdserver: mvcc: required revision has been compacted',
    );
    expect(await refused(client.call('KV/Range', { key: bytes('c'), revision: revision + 1000 }))).toBe(
      'OUT_OF_RANGE: etcdserver: mvcc: required revision is a future revision',
    );
  });
});

describe('refusals', () => {
  test.each<[string, () => Promise<unknown>, string]>([
    ['no key', () => client.call('KV/Range', {}), 'INVALID_ARGUMENT: etcdserver: key is not provided'],
    [
      'odd sort target',
      () => client.call('KV/Range', { key: bytes('a'), sort_target: 5 }),
      'INVALID_ARGUMENT: etcdserver: invalid sort option',
    ],
    [
      'unknown lease',
      () => client.call('KV/Put', { key: bytes('a'), lease: 77 }),
      'NOT_FOUND: etcdserver: requested lease not found',
    ],
    [
      'ignored value of a key that is not there',
      () => client.call('KV/Put', { key: bytes('not there'), ignore_value: true }),
      'INVALID_ARGUMENT: etcdserver: key not found',
    ],
    [
      'a put too large',
      () => client.call('KV/Put', { key: bytes('a'), value: Buffer.alloc(1.5 * MIB) }),
      'INVALID_ARGUMENT: etcdserver: request is too large',
    ],
    [
      'a txn too large',
      () => client.call('KV/Txn', { success: [{ request_put: { key: bytes('a'), value: Buffer.alloc(1.5 * MIB) } }] }),
      'INVALID_ARGUMENT: etcdserver: request is too large',
    ],
    [
      'a delete too large',
      () => client.call('KV/DeleteRange', { key: Buffer.alloc(1.5 * MIB) }),
      'INVALID_ARGUMENT: etcdserver: request is too large',
    ],
    [
      'a key twice',
      () =>
        client.call('KV/Txn', {
          success: [{ request_put: { key: bytes('a') } }, { request_put: { key: bytes('a') } }],
        }),
      'INVALID_ARGUMENT: etcdserver: duplicate key given in txn request',
    ],
    [
      'no message at all',
      () => client.rawCall('/etcdserverpb.KV/Range', Buffer.from('0a05', 'hex')),
      'INTERNAL: grpc: error unmarshalling request: proto: message ends too early',
    ],
    [
      'an unknown service',
      () => client.rawCall('/etcdserverpb.Auth/AuthStatus', Buffer.alloc(0)),
      'UNIMPLEMENTED: unknown service etcdserverpb.Auth',
    ],
    [
      'an unknown method',
      () => client.rawCall('/etcdserverpb.KV/Lock', Buffer.alloc(0)),
      'UNIMPLEMENTED: unknown method Lock for service etcdserverpb.KV',
    ],
  ])('%s', async (_, call, expected) => {
    expect(await refused(call())).toBe(expected);
  });

  test('a long key is no reason to refuse a get', async () => {
    expect(await client.call('KV/Range', { key: Buffer.alloc(1.5 * MIB) })).toMatchObject({ count: '0' });
    const readOnly = await client.call('KV/Txn', { success: [{ request_range: { key: Buffer.alloc(1.5 * MIB) } }] });
    expect(readOnly.succeeded).toBe(true);
  });

  test('a message with fields that nobody knows is understood', async () => {
    await client.call('KV/Put', { key: bytes('known'), value: bytes('1') });
    const request = Buffer.concat([Buffer.from('c83e05', 'hex'), Buffer.from('0a05', 'hex'), bytes('known')]);
    expect((await client.rawCall('/etcdserverpb.KV/Range', request)).includes('known')).toBe(true);
  });
});

/** Strings, which compare a thousand times faster than Buffers. */
const plain = (kvs: readonly KeyValue[]): string[] =>
  kvs.map((kv) => [kv.key, kv.value].map((part) => part.toString('latin1')).join(' ') + kv.mod_revision);

describe('RangeStream', () => {
  const end = bytes('s/~');
  const merged = async (request: RangeRequest): Promise<RangeResponse & { chunks: number }> => {
    const chunks = (await client.collect('KV/RangeStream', request)).map((chunk) => chunk.range_response);
    const last = chunks.at(-1);
    for (const chunk of chunks.slice(0, -1)) {
      expect(chunk).toMatchObject({ header: null, more: false, count: '0' });
      expect(chunk?.kvs.length).toBeGreaterThan(0);
    }
    const kvs = chunks.flatMap((chunk) => chunk?.kvs ?? []);
    return {
      header: last?.header ?? null,
      more: last?.more ?? false,
      count: last?.count ?? '',
      kvs,
      chunks: chunks.length,
    };
  };

  beforeAll(async () => {
    for (let i = 0; i < 700; i += 100) {
      await client.call('KV/Txn', {
        success: Array.from({ length: 100 }, (_, j) => ({
          request_put: { key: bytes(`s/${String(i + j).padStart(4, '0')}`), value: Buffer.alloc(8000, j) },
        })),
      });
    }
  });

  test.each<[string, Partial<RangeRequest>]>([
    ['everything', {}],
    ['a limit within the first chunk', { limit: 7 }],
    ['a limit at the end of the first chunk', { limit: 10 }],
    ['a limit in the second chunk', { limit: 11 }],
    ['a limit of all but one', { limit: 699 }],
    ['a limit of all', { limit: 700 }],
    ['a limit beyond the end', { limit: 5000 }],
    ['keys only', { keys_only: true }],
    ['count only', { count_only: true }],
    ['count only with a limit', { count_only: true, limit: 3 }],
    ['one key', { key: bytes('s/0005'), range_end: Buffer.alloc(0) }],
    ['no key', { key: bytes('x/'), range_end: bytes('x0') }],
    ['from a key on', { key: bytes('s/0650'), range_end: bytes('\0') }],
    ['ascending', { sort_order: 'ASCEND', sort_target: 'KEY' }],
    ['serializable', { serializable: true }],
  ])('merged, %s is what Range answers', async (_, fields) => {
    const request = { key: bytes('s/'), range_end: end, ...fields };
    const { chunks, ...stream } = await merged(request);
    const range = await client.call('KV/Range', request);
    expect({ ...stream, kvs: plain(stream.kvs) }).toEqual({ ...range, kvs: plain(range.kvs) });
    expect(chunks).toBeGreaterThan(0);
  });

  test('chunks grow towards the size of a request', async () => {
    const sizes = (await client.collect('KV/RangeStream', { key: bytes('s/'), range_end: end })).map(
      (chunk) => chunk.range_response?.kvs.length,
    );
    expect(sizes).toEqual([10, 20, 40, 80, 160, 160, 160, 70]);
  });

  test('all chunks are of one revision, whatever is written meanwhile', async () => {
    const stream = client.stream('KV/RangeStream');
    stream.send({ key: bytes('s/'), range_end: end });
    stream.halfClose();
    const first = await stream.take();
    expect(first.range_response?.kvs.length).toBe(10);
    const { header } = await client.call('KV/Put', { key: bytes('s/0650'), value: bytes('new') });
    await client.call('KV/DeleteRange', { key: bytes('s/0651') });
    let last = first;
    let kvs = first.range_response?.kvs ?? [];
    for (let chunk = await stream.next(); chunk !== undefined; chunk = await stream.next()) {
      last = chunk;
      kvs = [...kvs, ...(chunk.range_response?.kvs ?? [])];
    }
    expect(kvs.length).toBe(700);
    expect(last.range_response).toMatchObject({
      count: '700',
      header: { revision: String(Number(header?.revision) - 1) },
    });
    const revision = last.range_response?.header?.revision ?? '0';
    const then = await client.call('KV/Range', { key: bytes('s/'), range_end: end, revision });
    expect(plain(kvs)).toEqual(plain(then.kvs));
  });

  test.each<[string, RangeRequest, string]>([
    ['no key', {}, 'INVALID_ARGUMENT: etcdserver: key is not provided'],
    [
      'another order',
      { key: bytes('a'), sort_order: 'DESCEND' },
      'UNIMPLEMENTED: RangeStream does not support custom sort orders',
    ],
    [
      'a filter',
      { key: bytes('a'), max_mod_revision: 3 },
      'UNIMPLEMENTED: RangeStream does not support revision filters',
    ],
    [
      'the future',
      { key: bytes('a'), revision: 1_000_000 },
      'OUT_OF_RANGE: etcdserver: mvcc: required revision is a future revision',
    ],
    [
      'what is compacted',
      { key: bytes('a'), revision: 1 },
      'OUT_OF_RANGE: etcdserver: mvcc: required revision has been compacted',
    ],
  ])('%s is refused', async (_, request, expected) => {
    expect(await refused(client.collect('KV/RangeStream', request))).toBe(expected);
  });
});
