import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { EtcdClient, RpcError } from '../support/client.ts';
import { Random, seedOf } from '../support/random.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { startSubject, subjectIsKedge } from '../support/subject.ts';

/** What no well-behaved client sends. Each is answered with an error of its own, and everybody else is served as before. */
describe('hostile requests', () => {
  let server: ServerProcess;
  let client: EtcdClient;

  beforeAll(async () => {
    server = await startSubject();
    client = new EtcdClient(server.endpoint);
  });
  afterEach(async () => {
    server.mustBeAlive();
    const other = new EtcdClient(server.endpoint);
    await other.call('KV/Put', { key: Buffer.from('alive'), value: Buffer.from('yes') });
    expect((await other.call('KV/Range', { key: Buffer.from('alive') })).kvs[0]?.value.toString()).toBe('yes');
    other.close();
  });
  afterAll(async () => {
    client.close();
    await server.kill();
  });

  const refusal = async (answer: Promise<unknown>): Promise<string> => {
    try {
      await answer;
      return 'answered';
    } catch (error) {
      if (error instanceof RpcError) return error.toString();
      throw error;
    }
  };

  test('services and methods that there are none of', async () => {
    const ask = (path: string) => refusal(client.rawCall(path, Buffer.alloc(0)));
    expect(await ask('/etcdserverpb.KV/Rename')).toBe(
      'UNIMPLEMENTED: unknown method Rename for service etcdserverpb.KV',
    );
    expect(await ask('/etcdserverpb.Nothing/Do')).toBe('UNIMPLEMENTED: unknown service etcdserverpb.Nothing');
    expect(await ask('/x')).toMatch(/^UNIMPLEMENTED: malformed method name/);
    expect(await ask('//')).toMatch(/^UNIMPLEMENTED/);
    expect(await ask(`/${'x'.repeat(5000)}/Do`)).toMatch(/^UNIMPLEMENTED/);
  });

  test('requests that are too large', async () => {
    const put = (bytes: number) =>
      refusal(client.call('KV/Put', { key: Buffer.from('big'), value: Buffer.alloc(bytes, 'x') }));
    expect(await put(1_500_000)).toBe('answered');
    expect(await put(1_600_000)).toBe('INVALID_ARGUMENT: etcdserver: request is too large');
    expect(await put(2_000_000)).toBe('INVALID_ARGUMENT: etcdserver: request is too large');
    expect(await put(3_000_000)).toMatch(
      /^RESOURCE_EXHAUSTED: grpc: received message larger than max \(3000\d+ vs\. 2097152\)/,
    );
    expect(await put(50_000_000)).toMatch(/^RESOURCE_EXHAUSTED: grpc: received message larger than max/);
    const many = { success: Array.from({ length: 500 }, (_, i) => ({ request_put: { key: Buffer.from(`k${i}`) } })) };
    expect(await refusal(client.call('KV/Txn', many))).toBe(
      'INVALID_ARGUMENT: etcdserver: too many operations in txn request',
    );
  });

  test('a key of a megabyte', async () => {
    const key = Buffer.alloc(1_000_000, 'k');
    await client.call('KV/Put', { key, value: Buffer.from('1') });
    expect((await client.call('KV/Range', { key })).kvs[0]?.key.equals(key)).toBe(true);
    expect((await client.call('KV/DeleteRange', { key })).deleted).toBe('1');
  });

  test('bytes that are no message', async () => {
    const put = (bytes: number[]) => refusal(client.rawCall('/etcdserverpb.KV/Put', Buffer.from(bytes)));
    // A length beyond the end; an endless varint; a group that never ends; field 0; wire type 7.
    for (const bytes of [[0x0a, 0x7f], Array(12).fill(0xff), [0x0b], [0x00, 0x00], [0x0f, 0x01], [0x0a]]) {
      expect(await put(bytes)).toMatch(/^INTERNAL: grpc: error unmarshalling request/);
    }
    // Unknown fields are passed over, as protobuf has it: field 99 of each wire type.
    const unknown = [
      0x98, 0x06, 0x01, 0x99, 0x06, 1, 2, 3, 4, 5, 6, 7, 8, 0x9a, 0x06, 0x01, 0x00, 0x9d, 0x06, 1, 2, 3, 4,
    ];
    expect(await put([0x0a, 0x01, 0x61, ...unknown])).toBe('answered');
  });

  test('random bytes to every method', async () => {
    const random = new Random(seedOf(23));
    console.log(`random bytes: seed ${random.seed}`);
    const paths = [
      ...['Range', 'Put', 'DeleteRange', 'Txn', 'Compact', 'RangeStream'].map((name) => `KV/${name}`),
      ...['LeaseGrant', 'LeaseRevoke', 'LeaseTimeToLive', 'LeaseLeases', 'LeaseKeepAlive'].map(
        (name) => `Lease/${name}`,
      ),
      ...['MemberAdd', 'MemberUpdate', 'MemberPromote', 'MemberList'].map((name) => `Cluster/${name}`),
      ...['Status', 'HashKV', 'Hash', 'Downgrade', 'MoveLeader'].map((name) => `Maintenance/${name}`),
    ];
    const call = (path: string) => {
      // Begin like a message often enough to get further in.
      const bytes = random.bytes(random.below(60));
      for (let i = 0; i < bytes.length && random.chance(60); i += 3)
        bytes[i] = random.pick([0x0a, 0x12, 0x1a, 0x08, 0x20]);
      return refusal(client.rawCall(`/etcdserverpb.${path}`, bytes));
    };
    for (let round = 0; round < 60; round++) {
      // A stream that is not ended by its client goes on; unary calls must come back.
      const unary = paths.filter((path) => subjectIsKedge || !path.startsWith('Cluster/MemberAdd'));
      await Promise.all(unary.map(call));
    }
  });

  test('every byte in keys and values', async () => {
    await client.call('KV/DeleteRange', { key: Buffer.from([0]), range_end: Buffer.from([0]) });
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    for (let byte = 0; byte < 256; byte++) {
      await client.call('KV/Put', { key: Buffer.from([byte]), value: all });
      await client.call('KV/Put', { key: Buffer.from([0x61, byte]), value: Buffer.from([byte]) });
    }
    const { kvs } = await client.call('KV/Range', { key: Buffer.from([0]), range_end: Buffer.from([0]) });
    const keys = kvs.map((kv) => kv.key);
    expect(keys.length).toBe(512);
    expect(keys.every((key, i) => i === 0 || Buffer.compare(keys[i - 1] ?? key, key) < 0)).toBe(true);
    expect(kvs.filter((kv) => kv.key.length === 1).every((kv) => kv.value.equals(all))).toBe(true);
    expect(kvs.filter((kv) => kv.key.length === 2).every((kv) => kv.value[0] === kv.key[1])).toBe(true);
  });

  test.runIf(subjectIsKedge)('orders and targets of sorting without a name', async () => {
    const get = (request: object) => refusal(client.call('KV/Range', { key: Buffer.from('a'), ...request }));
    expect(await get({ sort_order: 7 })).toBe('INVALID_ARGUMENT: etcdserver: invalid sort option');
    expect(await get({ sort_target: -1 })).toBe('INVALID_ARGUMENT: etcdserver: invalid sort option');
    const inTxn = { success: [{ request_range: { key: Buffer.from('a'), sort_target: 9 } }] };
    expect(await refusal(client.call('KV/Txn', inTxn))).toBe('INVALID_ARGUMENT: etcdserver: invalid sort option');
  });

  test('transactions nested beyond measure', async () => {
    const nested = (depth: number) => {
      let txn: Buffer = Buffer.from([0x12, 7, 0x12, 5, 0x0a, 3, 0x6b, 0x65, 0x79]); // success: put "key"
      for (let i = 0; i < depth; i++) txn = delimited(0x12, delimited(0x22, txn));
      return refusal(client.rawCall('/etcdserverpb.KV/Txn', txn));
    };
    expect(await nested(60)).toBe('answered');
    // Far more than anyone's stack holds, in a request of allowed size.
    expect(await nested(20_000)).toBe('INVALID_ARGUMENT: etcdserver: too many operations in txn request');
  });

  test('ten thousand watches on one stream', { timeout: 120_000 }, async () => {
    const stream = client.stream('Watch/Watch');
    const count = 10_000;
    for (let i = 0; i < count; i++) stream.send({ create_request: { key: Buffer.from(`many/${i}`) } });
    for (let i = 0; i < count; i++) expect((await stream.take()).created).toBe(true);
    await client.call('KV/Put', { key: Buffer.from('many/7777'), value: Buffer.from('x') });
    expect((await stream.take()).watch_id).toBe('7777');
    stream.cancel();
  });
});

/** A length-delimited field around bytes. */
function delimited(tag: number, bytes: Buffer): Buffer {
  const length: number[] = [];
  for (let rest = bytes.length; ; rest >>>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  return Buffer.concat([Buffer.from([tag, ...length]), bytes]);
}
