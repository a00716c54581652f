import { execFile } from 'node:child_process';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EtcdClient } from '../support/client.ts';
import { mustHave, startEtcd } from '../support/etcd.ts';
import { startKedge } from '../support/kedge.ts';
import type { ServerProcess } from '../support/server-process.ts';

const run = promisify(execFile);
const b64 = (text: string): string => Buffer.from(text).toString('base64');
const CREATE = `{"create_request":{"key":"${b64('w')}","range_end":"${b64('x')}"}}`;

let kedge: ServerProcess;
let client: EtcdClient;

beforeAll(async () => {
  kedge = await startKedge({ args: ['--max-request-bytes=10000'] });
  client = new EtcdClient(kedge.endpoint);
}, 60_000);
afterAll(async () => {
  client.close();
  await kedge.kill();
});

/** A request whose body is written by and by, and whose answer is read line by line. */
class OpenRequest {
  readonly request: ClientRequest;
  private readonly response: Promise<IncomingMessage>;
  private iterator: AsyncIterator<string> | undefined;
  private rest = '';

  constructor(server: ServerProcess, path: string) {
    this.request = httpRequest({ host: server.host, port: server.port, path, method: 'POST' });
    this.request.on('error', () => undefined);
    this.response = new Promise((resolve, reject) => {
      this.request.once('response', resolve);
      this.request.once('error', reject);
    });
    // Whoever waits for it is told; a request that is destroyed unanswered is nobody's failure.
    this.response.catch(() => undefined);
    this.request.flushHeaders();
  }

  write(text: string): void {
    this.request.write(text);
  }

  async status(): Promise<number | undefined> {
    return (await this.response).statusCode;
  }

  /** The next line; undefined at the end. */
  async line(): Promise<string | undefined> {
    const response = await this.response;
    this.iterator ??= response.setEncoding('utf8')[Symbol.asyncIterator]() as AsyncIterator<string>;
    while (!this.rest.includes('\n')) {
      const { value, done } = await this.iterator.next();
      if (done === true) return this.rest === '' ? undefined : this.rest;
      this.rest += value;
    }
    const line = this.rest.slice(0, this.rest.indexOf('\n'));
    this.rest = this.rest.slice(line.length + 1);
    return line;
  }
}

async function watchers(): Promise<number> {
  const text = await (await fetch(`http://${kedge.endpoint}/metrics`)).text();
  return Number(/^etcd_debugging_mvcc_watcher_total (\d+)/m.exec(text)?.[1]);
}

async function untilWatchers(count: number): Promise<void> {
  while ((await watchers()) !== count) await sleep(20);
}

describe('watch in JSON', () => {
  test('requests come one by one, in pieces; events come as they happen; going away ends it', async () => {
    const watch = new OpenRequest(kedge, '/v3/watch');
    watch.write(CREATE.slice(0, 20));
    await sleep(20);
    watch.write(CREATE.slice(20));
    expect(JSON.parse((await watch.line()) ?? '').result.created).toBe(true);
    await client.call('KV/Put', { key: Buffer.from('w1'), value: Buffer.from('one') });
    const { events } = JSON.parse((await watch.line()) ?? '').result;
    expect(events).toHaveLength(1);
    expect(events[0].kv).toMatchObject({ key: b64('w1'), value: b64('one'), version: '1' });
    watch.write(`${CREATE}{"progress_request":{}}`);
    expect(JSON.parse((await watch.line()) ?? '').result).toMatchObject({ watch_id: '1', created: true });
    expect(JSON.parse((await watch.line()) ?? '').result.watch_id).toBe('-1');
    watch.write('{"cancel_request":{"watch_id":"1"}}');
    expect(JSON.parse((await watch.line()) ?? '').result).toMatchObject({ watch_id: '1', canceled: true });
    await untilWatchers(1);
    watch.request.destroy();
    await untilWatchers(0);
  }, 30_000);

  test('a body that has ended leaves the watch open', async () => {
    const watch = new OpenRequest(kedge, '/v3/watch');
    watch.request.end(CREATE);
    await watch.line();
    await client.call('KV/Put', { key: Buffer.from('w2') });
    expect(await watch.line()).toContain(b64('w2'));
    watch.request.destroy();
    await untilWatchers(0);
  }, 30_000);

  test('over HTTP/2; a reset ends it', async () => {
    const session = connectHttp2(`http://${kedge.endpoint}`);
    const stream = session.request({ ':method': 'POST', ':path': '/v3/watch' });
    stream.setEncoding('utf8');
    stream.write(CREATE.slice(0, 10));
    stream.write(CREATE.slice(10));
    let text = '';
    stream.on('data', (piece: string) => {
      text += piece;
    });
    while (!text.includes('created')) await sleep(10);
    await client.call('KV/Put', { key: Buffer.from('w3') });
    while (!text.includes(b64('w3'))) await sleep(10);
    stream.close();
    await untilWatchers(0);
    session.close();
  }, 30_000);

  test('what is no request ends the stream with an error line, or with its status when nothing was answered yet', async () => {
    const late = new OpenRequest(kedge, '/v3/watch');
    late.write(CREATE);
    await late.line();
    late.write('{"create_request":7}');
    const { error } = JSON.parse((await late.line()) ?? '');
    expect(error).toMatchObject({ grpc_code: 3, http_code: 400, http_status: 'Bad Request' });
    expect(error.message).toContain('unexpected token 7');
    expect(await late.line()).toBeUndefined();
    const early = new OpenRequest(kedge, '/v3/watch');
    early.write('{nonsense}');
    expect(await early.status()).toBe(400);
    expect(JSON.parse((await early.line()) ?? '').code).toBe(3);
    await untilWatchers(0);
  }, 30_000);

  test('a value without an end is refused when it is too long', async () => {
    const watch = new OpenRequest(kedge, '/v3/watch');
    watch.write('{"create_request":{"key":"');
    // One and a third of 10,000 and what may come on top.
    for (let i = 0; i < 12; i++) watch.write('A'.repeat(64 * 1024));
    expect(await watch.status()).toBe(429);
    expect(JSON.parse((await watch.line()) ?? '').message).toContain('larger than max');
  }, 30_000);

  test('a watcher that does not read holds nobody up, and gets everything later', async () => {
    const watch = new OpenRequest(kedge, '/v3/watch');
    watch.write(CREATE);
    await watch.line();
    const value = Buffer.alloc(8000, 'v');
    for (let i = 0; i < 200; i++) await client.call('KV/Put', { key: Buffer.from('w-slow'), value });
    let seen = 0;
    while (seen < 200) seen += JSON.parse((await watch.line()) ?? '{}').result.events.length;
    expect(seen).toBe(200);
    watch.request.destroy();
  }, 60_000);
});

test('keepalives one by one on an open request', async () => {
  await client.call('Lease/LeaseGrant', { ID: 7, TTL: 60 });
  const alive = new OpenRequest(kedge, '/v3/lease/keepalive');
  for (let i = 0; i < 3; i++) {
    alive.write('{"ID":"7"}');
    expect(JSON.parse((await alive.line()) ?? '').result).toMatchObject({ ID: '7', TTL: '60' });
  }
  alive.request.end();
  expect(await alive.line()).toBeUndefined();
}, 30_000);

test('a lock that is waited for is let go of when its client goes', async () => {
  const lock = (lease: string): Promise<Response> =>
    fetch(`http://${kedge.endpoint}/v3/lock/lock`, { method: 'POST', body: JSON.stringify({ name: b64('l'), lease }) });
  await client.call('Lease/LeaseGrant', { ID: 21, TTL: 60 });
  await client.call('Lease/LeaseGrant', { ID: 22, TTL: 60 });
  expect((await lock('21')).status).toBe(200);
  const waiting = new OpenRequest(kedge, '/v3/lock/lock');
  waiting.request.end(JSON.stringify({ name: b64('l'), lease: '22' }));
  const waiters = async (): Promise<number> =>
    (await client.call('KV/Range', { key: Buffer.from('l/'), range_end: Buffer.from('l0') })).kvs.length;
  while ((await waiters()) !== 2) await sleep(10);
  waiting.request.destroy();
  while ((await waiters()) !== 1) await sleep(10);
}, 30_000);

test('calls in JSON are counted as calls', async () => {
  const handled = async (code: string): Promise<number> => {
    const text = await (await fetch(`http://${kedge.endpoint}/metrics`)).text();
    const line = new RegExp(`^grpc_server_handled_total\\{grpc_code="${code}",grpc_method="Range".* (\\d+)$`, 'm');
    return Number(line.exec(text)?.[1]);
  };
  const before = [await handled('OK'), await handled('InvalidArgument')];
  const ask = (body: string) => fetch(`http://${kedge.endpoint}/v3/kv/range`, { method: 'POST', body });
  await ask(`{"key":"${b64('a')}"}`);
  await ask('{}');
  expect([await handled('OK'), await handled('InvalidArgument')]).toEqual(before.map((count) => count + 1));
}, 30_000);

test('a snapshot in JSON is the snapshot', async () => {
  const blobs: Buffer[] = [];
  const response = await fetch(`http://${kedge.endpoint}/v3/maintenance/snapshot`, { method: 'POST', body: '{}' });
  for (const line of (await response.text()).trim().split('\n')) {
    blobs.push(Buffer.from(JSON.parse(line).result.blob, 'base64'));
  }
  expect(Buffer.concat(blobs).subarray(0, 15).toString()).toBe('SQLite format 3');
}, 30_000);

test('too large a message is refused, and the largest that etcd takes is taken', async () => {
  const put = async (bytes: number): Promise<[number, string]> => {
    const body = JSON.stringify({ key: b64('large'), value: Buffer.alloc(bytes, 'x').toString('base64') });
    const response = await fetch(`http://${kedge.endpoint}/v3/kv/put`, { method: 'POST', body });
    return [response.status, await response.text()];
  };
  expect((await put(9900))[0]).toBe(200);
  expect((await put(10_100))[1]).toContain('etcdserver: request is too large');
  expect((await put(900_000))[0]).toBe(413);
}, 30_000);

test('CORS and host names as they are set', async () => {
  const strict = await startKedge({ args: ['--cors=https://a.example', '--host-whitelist=kedge.example'] });
  try {
    const ask = (headers: Record<string, string>): Promise<IncomingMessage> =>
      new Promise((resolve, reject) => {
        const options = { host: strict.host, port: strict.port, path: '/v3/kv/range', method: 'POST', headers };
        const asked = httpRequest(options, (response) => resolve(response.resume()));
        asked.on('error', reject);
        asked.end(`{"key":"${b64('a')}"}`);
      });
    const known = await ask({ origin: 'https://a.example' });
    expect(known.headers['access-control-allow-origin']).toBe('https://a.example');
    expect((await ask({ origin: 'https://b.example' })).headers['access-control-allow-origin']).toBeUndefined();
    expect((await ask({ host: 'kedge.example:99' })).statusCode).toBe(200);
    expect((await ask({ host: 'evil.example' })).statusCode).toBe(421);
  } finally {
    await strict.kill();
  }
}, 60_000);

const python = '/usr/bin/python3';
const hasEtcd3gw = await run(python, ['-c', 'import etcd3gw']).then(
  () => true,
  () => false,
);

describe.skipIf(!mustHave('3.5') || !hasEtcd3gw)('python3-etcd3gw, side by side with etcd 3.5', () => {
  const script = `
import sys, json, threading
from etcd3gw.client import Etcd3Client
import etcd3gw.exceptions as exceptions
c = Etcd3Client(host='127.0.0.1', port=int(sys.argv[1]), api_path='/v3/')
out = []
def say(*words): out.append(' '.join(str(w) for w in words))
say(c.put('a', 'one'), c.get('a'), c.create('a', 'x'), c.create('b', 'two'), c.replace('a', 'one', 'uno'), c.get('a'))
l = c.lease(ttl=60)
say(c.put('leased', 'x', lease=l), l.keys(), l.ttl() > 50, l.refresh())
say(sorted(v for v, _ in c.get_prefix('leas')))
events, cancel = c.watch('w')
t = threading.Timer(0.2, lambda: c.put('w', 'seen'))
t.start()
e = next(events)
say(e['kv']['key'], e['kv']['value'])
cancel()
with c.lock('lock-id', ttl=30) as lock:
    say(lock.is_acquired())
say(l.revoke(), c.get('leased'), c.delete('a'), c.delete('nope'), c.members()[0]['name'])
try:
    c.post(c.get_url('/kv/put'), json={})
except exceptions.Etcd3Exception as error:
    say(type(error).__name__)
print('\\n'.join(out))
`;
  test('its own client says the same of both', async () => {
    const etcd = await startEtcd('3.5');
    try {
      const [theirs, ours] = await Promise.all(
        [etcd, kedge].map(async ({ port }) => (await run(python, ['-c', script, String(port)])).stdout),
      );
      expect(ours?.split('\n').filter((line) => !line.startsWith('['))).toEqual(
        theirs?.split('\n').filter((line) => !line.startsWith('[')),
      );
    } finally {
      await etcd.kill();
    }
  }, 60_000);
});
