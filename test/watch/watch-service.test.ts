import { afterEach, expect, test } from 'vitest';
import { ManualClock } from '../lease/manual-clock.ts';
import { RpcError } from '../support/client.ts';
import { quiet } from './model-history.ts';
import { events, takeEvents, type WatchCall, WatchServer, type WatchServerOptions } from './watch-server.ts';

const running: WatchServer[] = [];

async function server(options: WatchServerOptions = {}): Promise<WatchServer> {
  const started = await new WatchServer(options).start();
  running.push(started);
  return started;
}

afterEach(async () => {
  for (const one of running.splice(0)) {
    await one.stop();
    expect(one.handlerErrors).toEqual([]);
  }
});

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const all = { key: bytes('\0'), range_end: bytes('\0') };

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 2000; i += 1) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('it never came to be');
}

async function create(call: WatchCall, request: object = {}): Promise<string> {
  call.send({ create_request: { ...all, ...request } });
  const response = await call.take();
  expect(response).toMatchObject({ created: true, canceled: false, events: [] });
  return response.watch_id;
}

test('many watches on one call: created first, then each its events, with header and id', async () => {
  const store = await server();
  store.put('a', '0');
  const call = store.call();
  expect(await create(call, { key: bytes('a'), range_end: bytes('') })).toBe('0');
  expect(await create(call, { key: bytes('a'), range_end: bytes('c'), watch_id: 5, start_revision: 2 })).toBe('5');
  const past = await call.take();
  expect(past).toMatchObject({
    watch_id: '5',
    header: { cluster_id: '1', member_id: '2', revision: '2', raft_term: '2' },
  });
  store.put('a', '1');
  store.put('b', '1');
  const responses = await takeEvents(call, 3);
  expect(events(responses.filter((one) => one.watch_id === '0'))).toEqual(['put a=1@3']);
  expect(events(responses.filter((one) => one.watch_id === '5'))).toEqual(['put a=1@3', 'put b=1@4']);
  expect(responses.map((one) => one.header?.revision)).toEqual(['3', '3', '4']);
});

test('progress that is asked for while a watch is behind comes after its events', async () => {
  const store = await server();
  for (let i = 0; i < 5; i += 1) store.put('a', String(i));
  store.prompt = false;
  const call = store.call();
  await create(call);
  await create(call, { start_revision: 1 });
  call.send({ progress_request: {} });
  store.put('a', 'live');
  const live = await call.take();
  expect(events([live])).toEqual(['put a=live@7']);
  expect(await call.anythingWithin(50)).toBe(false);
  store.prompt = true;
  for (let i = 0; i < 10; i += 1) {
    store.settle();
    await quiet();
  }
  expect(events(await takeEvents(call, 6))).toHaveLength(6);
  expect(await call.take()).toMatchObject({ watch_id: '-1', created: false, events: [], header: { revision: '7' } });
});

test('progress waits for a watch that is cancelled no longer; a future one makes the question moot', async () => {
  const store = await server();
  store.put('a', '1');
  store.prompt = false;
  const call = store.call();
  await create(call);
  const behind = await create(call, { start_revision: 1 });
  call.send({ progress_request: {} });
  call.send({ cancel_request: { watch_id: behind } });
  expect(await call.take()).toMatchObject({ watch_id: behind, canceled: true });
  expect(await call.take()).toMatchObject({ watch_id: '-1', header: { revision: '2' } });
  await create(call, { start_revision: 100 });
  call.send({ progress_request: {} });
  expect(await call.anythingWithin(50)).toBe(false);
});

test('progress_notify tells idle watches, and only those that are up to date', async () => {
  const clock = new ManualClock();
  const store = await server({ clock, watch: { progressNotifyIntervalMs: 1000 } });
  store.put('a', '1');
  const call = store.call();
  await create(call, { key: bytes('a'), range_end: bytes(''), progress_notify: true });
  await create(call, { key: bytes('b'), range_end: bytes(''), progress_notify: true });
  await create(call, { key: bytes('c'), range_end: bytes('') });
  await create(call, { start_revision: 50, progress_notify: true });
  store.put('a', '2');
  expect(events([await call.take()])).toEqual(['put a=2@3']);
  // A tenth of the interval on top, at random: here half of that.
  await clock.pass(1049);
  expect(await call.anythingWithin(50)).toBe(false);
  await clock.pass(1);
  expect(await call.take()).toMatchObject({ watch_id: '1', events: [], header: { revision: '3' } });
  await clock.pass(1050);
  expect(await call.take()).toMatchObject({ watch_id: '0', events: [], header: { revision: '3' } });
  expect(await call.take()).toMatchObject({ watch_id: '1', events: [], header: { revision: '3' } });
  expect(await call.anythingWithin(50)).toBe(false);
});

test('fragments: no response reaches the limit, the last one says so', async () => {
  const store = await server({ watch: { fragmentBytes: 1000 } });
  const call = store.call();
  const whole = await create(call);
  const split = await create(call, { fragment: true });
  const value = 'x'.repeat(300);
  const keys = Array.from({ length: 10 }, (_, i) => `key${i}`);
  store.commit([[...keys.map((key) => ({ key, value })), { key: 'large', value: 'y'.repeat(5000) }]], store.hub);
  const responses = await takeEvents(call, 22);
  const parts = responses.filter((one) => one.watch_id === split);
  expect(events(parts)).toEqual(events(responses.filter((one) => one.watch_id === whole)));
  // Three of 300 bytes and more fit below 1000, a fourth does not; the large one is alone.
  expect(parts.map((one) => one.events.length)).toEqual([3, 3, 3, 1, 1]);
  expect(parts.map((one) => one.fragment)).toEqual([true, true, true, true, false]);
  expect(new Set(parts.map((one) => one.header?.revision))).toEqual(new Set(['2']));
  store.put('small', '1');
  expect((await takeEvents(call, 2)).map((one) => one.fragment)).toEqual([false, false]);
});

test('a client that does not read costs bounded memory, holds up nobody, and misses nothing', async () => {
  const store = await server();
  const stuck = store.call();
  const lively = store.call();
  await create(stuck);
  await create(lively);
  stuck.pause();
  const value = 'x'.repeat(10_000);
  const count = 1500;
  const received: string[] = [];
  for (let i = 0; i < count; i += 1) {
    store.put('a', `${i} ${value}`);
    if (i % 10 === 9) received.push(...events(await takeEvents(lively, 10)));
  }
  expect(received).toHaveLength(count);
  expect(store.hub.stats.slowWatchers.value).toBe(1);
  expect(store.hub.stats.fellBehind.value).toBe(1);
  stuck.resume();
  expect(events(await takeEvents(stuck, count))).toEqual(received);
  await until(() => store.hub.stats.slowWatchers.value === 0);
});

test('a client that asks without reading is held up itself', async () => {
  const store = await server({ limits: { streamSendHighWaterBytes: 1000 } });
  const call = store.call();
  await create(call);
  call.pause();
  const large = bytes('x'.repeat(200));
  // Refused ones leave no watch behind, but each has an answer.
  for (let i = 0; i < 4000; i += 1) call.send({ create_request: { key: large, range_end: bytes('a') } });
  call.send({ create_request: { key: bytes('b') } });
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(store.hub.stats.watchers.value).toBe(1);
  call.resume();
  for (let i = 0; i < 4000; i += 1) {
    expect(await call.take()).toMatchObject({ canceled: true, cancel_reason: 'mvcc: watcher range is empty' });
  }
  expect(await call.take()).toMatchObject({ created: true, canceled: false });
});

test('no more watches than allowed', async () => {
  const store = await server({ watch: { watchesPerStreamMax: 2 } });
  const call = store.call();
  await create(call);
  const second = await create(call);
  call.send({ create_request: all });
  const refused = { watch_id: '-1', created: true, canceled: true, cancel_reason: 'etcdserver: too many requests' };
  expect(await call.take()).toMatchObject(refused);
  call.send({ cancel_request: { watch_id: second } });
  expect(await call.take()).toMatchObject({ canceled: true });
  await create(call);
});

test('the id of a watch that ended as compacted stays taken until it is cancelled, as in etcd', async () => {
  const store = await server();
  for (let i = 0; i < 4; i += 1) store.put('a', String(i));
  store.compact(4, store.hub);
  const call = store.call();
  await create(call, { watch_id: 7, start_revision: 2 });
  expect(await call.take()).toMatchObject({
    watch_id: '7',
    canceled: true,
    compact_revision: '4',
    header: { revision: '0' },
  });
  call.send({ create_request: { ...all, watch_id: 7 } });
  const duplicate = 'mvcc: duplicate watch ID provided on the WatchStream';
  expect(await call.take()).toMatchObject({ watch_id: '-1', canceled: true, cancel_reason: duplicate });
  call.send({ cancel_request: { watch_id: 7 } });
  expect(await call.take()).toMatchObject({ watch_id: '7', created: false, canceled: true, header: { revision: '5' } });
  call.send({ cancel_request: { watch_id: 7 } });
  expect(await create(call, { watch_id: 7 })).toBe('7');
});

test('a log that cannot be read ends the call as unavailable', async () => {
  const store = await server();
  store.put('a', '1');
  const call = store.call();
  store.failure = new Error('disk gone');
  await create(call, { start_revision: 1 });
  await expect(call.next()).rejects.toThrow(new RpcError('UNAVAILABLE', 'kedge: the log cannot be read: disk gone'));
  await until(() => store.hub.stats.watchers.value === 0);
});

test('a server that goes says so', async () => {
  const store = await server();
  const calls = [store.call(), store.call()];
  for (const call of calls) await create(call);
  store.put('a', '1');
  store.open.endAll();
  for (const call of calls) {
    expect(events([await call.take()])).toEqual(['put a=1@2']);
    await expect(call.next()).rejects.toThrow(new RpcError('UNAVAILABLE', 'etcdserver: server stopped'));
  }
  const late = store.call();
  late.send({ create_request: all });
  await expect(takeEvents(late, 1)).rejects.toThrow(new RpcError('UNAVAILABLE', 'etcdserver: server stopped'));
});

test('nothing is left of a call that is over', async () => {
  const store = await server();
  store.put('a', '1');
  store.prompt = false;
  for (let i = 0; i < 20; i += 1) {
    const call = store.call();
    await create(call, { progress_notify: true });
    await create(call, { start_revision: 1 });
    await create(call, { start_revision: 100 });
    call.cancel();
    await expect(call.next()).rejects.toThrow(RpcError);
  }
  await until(() => store.hub.stats.streams.value === 0);
  expect(store.hub.stats.watchers.value).toBe(0);
  expect(store.hub.stats.slowWatchers.value).toBe(0);
  store.prompt = true;
  while (store.settle());
});
