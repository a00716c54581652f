import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EtcdClient } from '../support/client.ts';
import { ApiServer, MIB } from './api-server.ts';

let server: ApiServer;
let client: EtcdClient;

beforeEach(async () => {
  server = await new ApiServer().start();
  client = server.client();
});

afterEach(async () => {
  await server.stop();
  expect(server.handlerErrors).toEqual([]);
});

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const refused = async (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'ok',
    (error: unknown) => String(error),
  );
const self = (): string => String(server.store.memberId);

describe('Maintenance', () => {
  test('Status', async () => {
    await client.call('KV/Put', { key: bytes('a'), value: bytes('1') });
    const status = await client.call('Maintenance/Status', {});
    expect(status).toMatchObject({
      header: { revision: '2', raft_term: '2', member_id: self() },
      version: '3.7.0',
      storageVersion: '3.7.0',
      leader: self(),
      raftTerm: '2',
      raftIndex: '2',
      raftAppliedIndex: '2',
      isLearner: false,
      errors: [],
      dbSizeQuota: String(2048 * MIB),
      downgradeInfo: { enabled: false, targetVersion: '' },
    });
    expect(Number(status.dbSize)).toBeGreaterThan(0);
    expect(Number(status.dbSizeInUse)).toBeGreaterThan(0);
    expect(Number(status.dbSizeInUse)).toBeLessThanOrEqual(Number(status.dbSize));
  });

  test('Alarm: raised, shown, cleared, by name', async () => {
    const alarm = async (action: string, memberID: string | number, kind: string): Promise<unknown> =>
      (await client.call('Maintenance/Alarm', { action, memberID, alarm: kind })).alarms;
    const own = { memberID: self(), alarm: 'NOSPACE' };
    expect(await alarm('GET', 0, 'NONE')).toEqual([]);
    expect(await alarm('DEACTIVATE', self(), 'NOSPACE')).toEqual([]);
    expect(await alarm('ACTIVATE', self(), 'NOSPACE')).toEqual([own]);
    expect(await alarm('ACTIVATE', self(), 'NOSPACE')).toEqual([own]);
    expect(await alarm('GET', 5, 'NONE')).toEqual([own]);
    expect(await alarm('GET', 0, 'CORRUPT')).toEqual([]);
    expect((await client.call('Maintenance/Status', {})).errors).toEqual([`memberID:${self()} alarm:NOSPACE `]);
    expect(await refused(client.call('KV/Put', { key: bytes('a') }))).toBe(
      'RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded',
    );
    const corrupt = { memberID: '7', alarm: 'CORRUPT' };
    expect(await alarm('ACTIVATE', 7, 'CORRUPT')).toEqual([corrupt]);
    expect(await alarm('GET', 0, 'NONE')).toEqual([own, corrupt]);
    expect(await alarm('DEACTIVATE', self(), 'CORRUPT')).toEqual([]);
    expect(await alarm('DEACTIVATE', 7, 'CORRUPT')).toEqual([corrupt]);
    const other = { memberID: '5', alarm: 'NOSPACE' };
    expect(await alarm('ACTIVATE', 5, 'NOSPACE')).toEqual([other]);
    expect(await alarm('DEACTIVATE', self(), 'NOSPACE')).toEqual([own]);
    expect(await alarm('GET', 0, 'NOSPACE')).toEqual([other]);
    expect(await refused(client.call('KV/Put', { key: bytes('a') }))).toContain('RESOURCE_EXHAUSTED');
    expect(await alarm('DEACTIVATE', 5, 'NOSPACE')).toEqual([other]);
    expect(await alarm('GET', 0, 'NONE')).toEqual([]);
    expect(await refused(client.call('KV/Put', { key: bytes('a') }))).toBe('ok');
    expect(await alarm('ACTIVATE', 0, 'NONE')).toEqual([]);
    expect(await alarm('DEACTIVATE', 0, 'NONE')).toEqual([]);
  });

  test('actions and kinds of alarm that do not exist do nothing', async () => {
    for (const request of ['0809', '08011807', '08021807', '1807']) {
      await client.rawCall('/etcdserverpb.Maintenance/Alarm', Buffer.from(request, 'hex'));
    }
    expect((await client.call('Maintenance/Alarm', {})).alarms).toEqual([]);
  });

  test('HashKV and Hash', async () => {
    await client.call('KV/Put', { key: bytes('a'), value: bytes('1') });
    const first = await client.call('Maintenance/HashKV', {});
    expect(first).toMatchObject({ compact_revision: '-1', hash_revision: '2', header: { revision: '2' } });
    await client.call('KV/Put', { key: bytes('a'), value: bytes('2') });
    const second = await client.call('Maintenance/HashKV', {});
    expect(second.hash).not.toBe(first.hash);
    expect(await client.call('Maintenance/HashKV', { revision: 2 })).toMatchObject({
      hash: first.hash,
      hash_revision: '2',
      header: { revision: '3' },
    });
    expect(await client.call('Maintenance/HashKV', { revision: -1 })).toEqual(second);
    expect((await client.call('Maintenance/Hash', {})).header?.revision).toBe('3');
    expect(await refused(client.call('Maintenance/HashKV', { revision: 99 }))).toBe(
      'OUT_OF_RANGE: etcdserver: mvcc: required revision is a future revision',
    );
  });

  test('Defragment and MoveLeader answer without a header', async () => {
    expect((await client.call('Maintenance/Defragment', {})).header).toBeNull();
    expect((await client.call('Maintenance/MoveLeader', { targetID: self() })).header).toBeNull();
    expect(await refused(client.call('Maintenance/MoveLeader', { targetID: 5 }))).toBe(
      'FAILED_PRECONDITION: etcdserver: bad leader transferee',
    );
  });

  test.each([
    ['VALIDATE', '3.6', 'ok'],
    ['VALIDATE', '3.6.0', 'ok'],
    ['VALIDATE', '3.6.9-rc.1', 'ok'],
    ['VALIDATE', '', 'INVALID_ARGUMENT: etcdserver: wrong downgrade target version format'],
    ['VALIDATE', 'x', 'INVALID_ARGUMENT: etcdserver: wrong downgrade target version format'],
    ['VALIDATE', '3.6.0.0', 'INVALID_ARGUMENT: etcdserver: wrong downgrade target version format'],
    ['VALIDATE', '3.7.0', 'INVALID_ARGUMENT: etcdserver: invalid downgrade target version'],
    ['VALIDATE', '3.5', 'INVALID_ARGUMENT: etcdserver: invalid downgrade target version'],
    ['ENABLE', '3.5', 'INVALID_ARGUMENT: etcdserver: invalid downgrade target version'],
    ['ENABLE', '3.6', 'FAILED_PRECONDITION: etcdserver: not capable'],
    ['CANCEL', '', 'FAILED_PRECONDITION: etcdserver: no inflight downgrade job'],
  ])('Downgrade %s %s: %s', async (action, version, expected) => {
    expect(await refused(client.call('Maintenance/Downgrade', { action, version }))).toBe(expected);
  });

  test('Snapshot: parts that count down, then the digest of all of them', async () => {
    for (let i = 0; i < 40; i++) await client.call('KV/Put', { key: bytes(`k${i}`), value: Buffer.alloc(10_000, i) });
    const parts = await client.collect('Maintenance/Snapshot', {});
    const last = parts.pop();
    const digest = createHash('sha256');
    let left = parts.reduce((sum, part) => sum + part.blob.length, 0);
    expect(left).toBeGreaterThan(400_000);
    for (const part of parts) {
      digest.update(part.blob);
      left -= part.blob.length;
      expect(part.blob.length).toBeLessThanOrEqual(32 * 1024);
      expect(part).toMatchObject({ header: null, version: '3.7.0', remaining_bytes: String(left) });
    }
    expect(last).toMatchObject({ remaining_bytes: '0', version: '3.7.0' });
    expect(last?.blob.equals(digest.digest())).toBe(true);
  });

  test('a wrong message in a stream', async () => {
    expect(await refused(client.rawCall('/etcdserverpb.Maintenance/Snapshot', Buffer.from([0])))).toBe(
      'INTERNAL: grpc: failed to unmarshal the received message: proto: field number 0',
    );
  });
});

describe('Cluster', () => {
  test('lists its one member, without a revision', async () => {
    const list = await client.call('Cluster/MemberList', { linearizable: true });
    expect(list.header).toMatchObject({ revision: '0', raft_term: '2', member_id: self() });
    expect(list.members).toEqual([
      {
        ID: self(),
        name: 'default',
        peerURLs: ['http://localhost:2380'],
        clientURLs: ['http://localhost:2379'],
        isLearner: false,
      },
    ]);
    expect(
      (await client.call('Cluster/MemberUpdate', { ID: self(), peerURLs: ['http://localhost:2380'] })).members,
    ).toEqual(list.members);
  });

  test('does not change', async () => {
    const id = self();
    const answers = await Promise.all(
      [
        client.call('Cluster/MemberAdd', { peerURLs: [] }),
        client.call('Cluster/MemberAdd', { peerURLs: ['http://localhost:2380'] }),
        client.call('Cluster/MemberAdd', { peerURLs: ['http://other:2380'] }),
        client.call('Cluster/MemberRemove', { ID: 5 }),
        client.call('Cluster/MemberRemove', { ID: id }),
        client.call('Cluster/MemberUpdate', { ID: 5, peerURLs: ['http://other:2380'] }),
        client.call('Cluster/MemberUpdate', { ID: id, peerURLs: ['http://other:2380'] }),
        client.call('Cluster/MemberPromote', { ID: 5 }),
        client.call('Cluster/MemberPromote', { ID: id }),
      ].map(refused),
    );
    expect(answers).toEqual([
      'INVALID_ARGUMENT: etcdserver: given member URLs are invalid',
      'FAILED_PRECONDITION: etcdserver: Peer URLs already exists',
      'UNKNOWN: etcdserver: re-configuration failed due to not enough started members',
      'NOT_FOUND: etcdserver: member not found',
      'UNKNOWN: etcdserver: re-configuration failed due to not enough started members',
      'NOT_FOUND: etcdserver: member not found',
      'FAILED_PRECONDITION: etcdserver: not capable',
      'NOT_FOUND: etcdserver: member not found',
      'FAILED_PRECONDITION: etcdserver: can only promote a learner member',
    ]);
  });
});

describe('Health', () => {
  test('Check', async () => {
    expect(await client.call('Health/Check', {})).toEqual({ status: 'SERVING' });
    expect(await refused(client.call('Health/Check', { service: 'etcdserverpb.Nothing' }))).toBe(
      'NOT_FOUND: unknown service',
    );
    server.health.setServing(false);
    expect(await client.call('Health/Check', {})).toEqual({ status: 'NOT_SERVING' });
  });

  test('Watch tells each change, and ends when the server goes', async () => {
    const known = client.stream('Health/Watch');
    const unknown = client.stream('Health/Watch');
    for (const stream of [known, unknown]) stream.send(stream === known ? {} : { service: 'x' });
    expect(await known.take()).toEqual({ status: 'SERVING' });
    expect(await unknown.take()).toEqual({ status: 'SERVICE_UNKNOWN' });
    server.health.setServing(false);
    expect(await known.take()).toEqual({ status: 'NOT_SERVING' });
    server.health.setServing(true);
    expect(await known.take()).toEqual({ status: 'SERVING' });
    server.openStreams.endAll();
    expect(await refused(known.next())).toBe('UNAVAILABLE: etcdserver: server stopped');
    expect(await refused(unknown.next())).toBe('UNAVAILABLE: etcdserver: server stopped');
  });
});
