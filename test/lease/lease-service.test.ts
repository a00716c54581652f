import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { HeaderCodec } from '../../src/etcd/header.ts';
import { type LeaseStore, leaseService } from '../../src/etcd/lease.ts';
import { OpenStreams } from '../../src/etcd/open-streams.ts';
import { Lessor } from '../../src/mvcc/lessor.ts';
import { StoreError, type WriteRequest } from '../../src/mvcc/requests.ts';
import type { LeaseId } from '../../src/mvcc/types.ts';
import { defaultWireLimits } from '../../src/wire/limits.ts';
import { WireServer } from '../../src/wire/server.ts';
import { WireStats } from '../../src/wire/stats.ts';
import { EtcdClient, RpcError } from '../support/client.ts';
import { ManualClock } from './manual-clock.ts';

/** The Lease service and the Lessor as they ship, on a real wire; a Writer that applies at once, or as the test says. */
class LeaseServer {
  readonly clock = new ManualClock();
  readonly open = new OpenStreams();
  failure: Error | undefined;
  hold: Promise<void> | undefined;
  revision = 1;
  readonly lessor = new Lessor({ clock: this.clock, submit: (request) => this.#submit(request), random: Math.random });
  readonly #wire: WireServer;
  readonly handlerErrors: unknown[] = [];
  client = new EtcdClient('127.0.0.1:1');

  constructor() {
    const { lessor } = this;
    const server = this;
    const store: LeaseStore = {
      get revision() {
        return server.revision;
      },
      leaseGrant: async (id, ttlSeconds) => {
        const request = lessor.grantRequest(id, ttlSeconds);
        await this.#submit(request);
        return { id: request.id, ttl: request.ttl, revision: this.revision };
      },
      leaseRevoke: async (id) => {
        await this.#submit({ kind: 'lease-revoke', id });
        return this.revision;
      },
      leaseKeepAlive: (id) => lessor.keepAlive(id),
      leaseTimeToLive: (id, withKeys) => lessor.timeToLive(id, withKeys),
      leases: () => lessor.leases(),
    };
    const services = new Map(leaseService({ store, header: new HeaderCodec(1n, 2n), open: this.open }));
    this.#wire = new WireServer({
      services,
      http: async () => ({ status: 404, headers: {}, body: '' }),
      limits: { ...defaultWireLimits, streamSendHighWaterBytes: 1000 },
      clock: systemClock,
      logger: silentLogger,
      onHandlerError: (_path, error) => this.handlerErrors.push(error),
      stats: new WireStats(services),
    });
  }

  async start(): Promise<this> {
    const { port } = (await this.#wire.listen({ host: '127.0.0.1', port: 0 })) as AddressInfo;
    this.client = new EtcdClient(`127.0.0.1:${port}`);
    await this.lessor.start();
    return this;
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.#wire.close();
  }

  async grant(id: LeaseId, ttl: number): Promise<void> {
    await this.client.call('Lease/LeaseGrant', { ID: String(id), TTL: String(ttl) });
  }

  async #submit(request: WriteRequest): Promise<void> {
    await this.hold;
    if (this.failure !== undefined) throw this.failure;
    if (request.kind === 'lease-grant') {
      if (this.lessor.has(request.id)) throw new StoreError('lease-exists');
      this.lessor.granted(request.id, request.ttl);
    } else if (request.kind === 'lease-revoke') {
      if (!this.lessor.has(request.id)) throw new StoreError('lease-not-found');
      if (this.lessor.keys(request.id).length > 0) this.revision += 1;
      this.lessor.revoked(request.id);
    } else if (request.kind === 'lease-checkpoint') {
      this.lessor.checkpointed(request.id, request.remainingTtl);
    }
  }
}

const running: LeaseServer[] = [];

async function server(): Promise<LeaseServer> {
  const started = await new LeaseServer().start();
  running.push(started);
  return started;
}

afterEach(async () => {
  for (const one of running.splice(0)) {
    await one.stop();
    expect(one.handlerErrors).toEqual([]);
  }
});

test('grant, look, list, revoke', async () => {
  const { client, lessor, clock } = await server();
  expect(await client.call('Lease/LeaseGrant', { ID: '7', TTL: '60' })).toMatchObject({
    header: { cluster_id: '1', member_id: '2', revision: '1', raft_term: '2' },
    ID: '7',
    TTL: '60',
  });
  expect(await client.call('Lease/LeaseGrant', { ID: '-9', TTL: '0' })).toMatchObject({ ID: '-9', TTL: '2' });
  lessor.move('k\xff', 0n, 7n);
  await clock.pass(1500);
  expect(await client.call('Lease/LeaseTimeToLive', { ID: '7' })).toMatchObject({
    TTL: '58',
    grantedTTL: '60',
    keys: [],
  });
  const withKeys = await client.call('Lease/LeaseTimeToLive', { ID: '7', keys: true });
  expect(withKeys.keys).toEqual([Buffer.from([0x6b, 0xff])]);
  expect(await client.call('Lease/LeaseLeases', {})).toMatchObject({ leases: [{ ID: '-9' }, { ID: '7' }] });
  expect(await client.call('Lease/LeaseRevoke', { ID: '7' })).toMatchObject({ header: { revision: '2' } });
  expect(await client.call('Lease/LeaseTimeToLive', { ID: '7' })).toMatchObject({
    ID: '7',
    TTL: '-1',
    grantedTTL: '0',
  });
});

test('refusals in etcd’s words', async () => {
  const one = await server();
  const { client } = one;
  await one.grant(7n, 60);
  const refused = async (call: Promise<unknown>, code: string, text: string): Promise<void> =>
    expect(call).rejects.toThrow(new RpcError(code, text));
  await refused(one.grant(7n, 60), 'FAILED_PRECONDITION', 'etcdserver: lease already exists');
  await refused(one.grant(8n, 9_000_000_001), 'OUT_OF_RANGE', 'etcdserver: too large lease TTL');
  await refused(client.call('Lease/LeaseRevoke', { ID: '8' }), 'NOT_FOUND', 'etcdserver: requested lease not found');
  one.failure = new StoreError('no-space');
  await refused(one.grant(9n, 60), 'RESOURCE_EXHAUSTED', 'etcdserver: mvcc: database space exceeded');
});

test('keepalives are answered one by one in their order, also while one waits for a lease’s end', async () => {
  const one = await server();
  await one.grant(7n, 60);
  await one.grant(8n, 5);
  let release = (): void => {};
  one.hold = new Promise((resolve) => {
    release = resolve;
  });
  await one.clock.pass(6000);
  const stream = one.client.stream('Lease/LeaseKeepAlive');
  for (const ID of ['7', '8', '7', '99']) stream.send({ ID });
  stream.halfClose();
  expect(await stream.take()).toMatchObject({ ID: '7', TTL: '60', header: { revision: '1' } });
  expect(await stream.anythingWithin(50)).toBe(false);
  release();
  expect(await stream.take()).toMatchObject({ ID: '8', TTL: '0' });
  expect(await stream.take()).toMatchObject({ ID: '7', TTL: '60' });
  expect(await stream.take()).toMatchObject({ ID: '99', TTL: '0' });
  expect(await stream.next()).toBeUndefined();
});

test('a keepalive that has to be written and cannot be ends the call', async () => {
  const one = await server();
  await one.grant(7n, 60);
  one.lessor.checkpointed(7n, 30);
  one.failure = new StoreError('unavailable', 'disk full');
  const stream = one.client.stream('Lease/LeaseKeepAlive');
  stream.send({ ID: '7' });
  await expect(stream.next()).rejects.toThrow(new RpcError('UNAVAILABLE', 'kedge: disk full'));
});

test('who asks without reading is held up itself, and gets every answer', async () => {
  const one = await server();
  await one.grant(7n, 60);
  const stream = one.client.stream('Lease/LeaseKeepAlive');
  stream.send({ ID: '7' });
  await stream.take();
  stream.pause();
  for (let i = 0; i < 5000; i += 1) stream.send({ ID: '7' });
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(one.lessor.stats.renewed.value).toBeLessThan(5000);
  stream.resume();
  for (let i = 0; i < 5000; i += 1) expect((await stream.take()).TTL).toBe('60');
  expect(one.lessor.stats.renewed.value).toBe(5001);
});

test('a server that goes says so', async () => {
  const one = await server();
  await one.grant(7n, 60);
  const stream = one.client.stream('Lease/LeaseKeepAlive');
  stream.send({ ID: '7' });
  await stream.take();
  one.open.endAll();
  await expect(stream.next()).rejects.toThrow(new RpcError('UNAVAILABLE', 'etcdserver: server stopped'));
});

test('what is no message is refused', async () => {
  const one = await server();
  const broken = Buffer.from([0x08]);
  await expect(one.client.rawCall('/etcdserverpb.Lease/LeaseGrant', broken)).rejects.toMatchObject({
    code: 'INTERNAL',
  });
  await expect(one.client.rawCall('/etcdserverpb.Lease/LeaseLeases', broken)).rejects.toMatchObject({
    code: 'INTERNAL',
  });
  await expect(one.client.rawCall('/etcdserverpb.Lease/LeaseKeepAlive', broken)).rejects.toMatchObject({
    code: 'INTERNAL',
  });
});
