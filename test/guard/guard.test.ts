import { spawnSync } from 'node:child_process';
import { createReadStream, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { API_METHODS } from '../../src/etcd/messages/api.ts';
import { requestFacts, shownKey } from '../../src/etcd/request-facts.ts';
import { AuditLog } from '../../src/server/audit-log.ts';
import { EtcdClient } from '../support/client.ts';
import { startKedge } from '../support/kedge.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary.ts';

const b = (text: string): Buffer => Buffer.from(text);
const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(...args: string[]): Promise<{ server: ServerProcess; client: EtcdClient }> {
  const server = await startKedge({ args });
  const client = new EtcdClient(server.endpoint);
  closing.push(
    () => server.kill(),
    () => client.close(),
  );
  return { server, client };
}

test('the audit log: who, what, which keys, how it went; no value, in no request', async () => {
  const file = join(temporaryFolder('audit'), 'audit.log');
  const { server, client } = await start(`--audit-log=${file}`);
  const secret = b('SECRETSECRET');
  await client.call('KV/Put', { key: b('plain'), value: secret });
  await client.call('KV/Range', { key: b('p'), range_end: b('q'), limit: 5 });
  await client.call('KV/Txn', {
    compare: [{ key: b('plain'), target: 'VALUE', result: 'EQUAL', value: secret }],
    success: [{ request_put: { key: b('in txn'), value: secret } }],
    failure: [{ request_delete_range: { key: b('gone') } }],
  });
  await expect(client.call('KV/Put', { value: secret })).rejects.toThrow('key is not provided');
  const watch = client.stream('Watch/Watch');
  watch.send({ create_request: { key: b('watched'), range_end: b('\0') } });
  await watch.take();
  watch.cancel();
  await client.call('Election/Campaign', { name: b('vote'), value: secret });
  const body = JSON.stringify({ key: b('via json').toString('base64'), value: secret.toString('base64') });
  await fetch(`http://${server.endpoint}/v3/kv/put`, { method: 'POST', body });
  await server.stop();
  const text = readFileSync(file, 'utf8');
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const of = (method: string) => lines.filter((line) => String(line['method']).endsWith(method));
  expect(of('KV/Put').map(({ request, result }) => [request, result])).toEqual([
    [{ key: 'plain' }, 'OK'],
    [{}, 'InvalidArgument'],
    [{ key: 'via json' }, 'OK'],
  ]);
  expect(of('KV/Range')[0]).toMatchObject({ who: '127.0.0.1', request: { key: 'p', range_end: 'q', limit: 5 } });
  expect(of('KV/Txn')[0]?.['request']).toEqual({
    compare: [{ key: 'plain' }],
    success: [{ request_put: { key: 'in txn' } }],
    failure: [{ request_delete_range: { key: 'gone' } }],
  });
  expect(of('Watch/Watch').map(({ request, result }) => [request, result])).toEqual([
    [{ create_request: { key: 'watched', range_end: '\\x00' } }, 'OK'],
    [{ stream: 'closed' }, 'Canceled'],
  ]);
  expect(of('Campaign')[0]).toMatchObject({ request: { name: 'vote' }, result: 'OK' });
  for (const line of lines)
    expect(Object.keys(line)).toEqual(['ts', 'who', 'peer', 'method', 'request', 'result', 'ms']);
  expect(text).not.toContain('SECRET');
  expect(text).not.toContain(secret.toString('base64'));
  expect(statSync(file).mode & 0o777).toBe(0o600);
}, 60_000);

test('no field that holds a value, a password or a token is ever told', () => {
  const secrets = ['value', 'password', 'hashedPassword', 'token', 'blob'];
  for (const method of API_METHODS) {
    const request = method.request.encode(
      Object.fromEntries(
        Object.entries(method.request.fields)
          .filter(([, field]) => field.type === 'bytes' || field.type === 'string')
          .map(([name, { repeated, type }]) => {
            const text = secrets.includes(name) ? 'SECRET' : 'x';
            const value = type === 'bytes' ? b(text) : text;
            return [name, repeated ? [value] : value];
          }),
      ),
    );
    expect(JSON.stringify(requestFacts(method, request)), method.path).not.toContain('SECRET');
  }
  expect([shownKey(b('a\\b\n\xff')), shownKey(b('/registry/pods'))]).toEqual([
    'a\\\\b\\x0a\\xc3\\xbf',
    '/registry/pods',
  ]);
});

test('an audit log whose disk does not keep up drops lines, says how many, and holds nobody up', async () => {
  const fifo = join(temporaryFolder('fifo'), 'audit');
  expect(spawnSync('mkfifo', [fifo]).status).toBe(0);
  // Open for both, so that opening does not wait; nobody reads.
  const end = openSync(fifo, 'r+');
  const log = await AuditLog.open(fifo, systemClock, silentLogger);
  const record = {
    who: 'w',
    peer: 'p',
    path: '/p/m',
    facts: { key: 'k'.repeat(200) },
    code: 0,
    elapsedMs: 1,
    stages: undefined,
  } as const;
  for (let i = 0; i < 30_000; i++) log.write(record);
  expect(log.dropped).toBeGreaterThan(1000);
  let text = '';
  createReadStream('', { fd: end, autoClose: false, encoding: 'utf8' }).on('data', (piece) => {
    text += piece;
  });
  while (!text.includes('dropped_lines')) {
    await sleep(20);
    log.write(record);
  }
  expect(JSON.parse(text.split('\n').find((line) => line.includes('dropped_lines')) ?? '')).toMatchObject({
    dropped_lines: expect.any(Number),
  });
}, 60_000);

test('limits: too many a second, too many at a time', async () => {
  const { client, server } = await start('--client-requests-per-second=30', '--client-requests-in-flight=3');
  await client.call('Lease/LeaseGrant', { ID: 1, TTL: 60 });
  await client.call('Lock/Lock', { name: b('l'), lease: 1 });
  for (let i = 0; i < 3; i++) {
    const waiting = client.stream('Lock/Lock');
    waiting.send({ name: b('l') });
    waiting.halfClose();
  }
  await sleep(200);
  await expect(client.call('KV/Range', { key: b('a') })).rejects.toThrow('127.0.0.1 has 3 requests under way');
  const other = await start('--client-requests-per-second=1');
  const outcomes = await Promise.allSettled(
    Array.from({ length: 200 }, () => other.client.call('KV/Range', { key: b('a') })),
  );
  const refused = outcomes.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
  expect(refused.length).toBeGreaterThan(20);
  expect(String(refused[0]?.reason)).toBe(
    'RESOURCE_EXHAUSTED: kedge: too many requests: 127.0.0.1 sends more than 1 request a second; try again later',
  );
  const json = await Promise.all(
    Array.from({ length: 20 }, () =>
      fetch(`http://${other.server.endpoint}/v3/kv/range`, { method: 'POST', body: '{"key":"YQ=="}' }),
    ),
  );
  const limited = json.filter(({ status }) => status === 429).length;
  expect(limited).toBeGreaterThan(0);
  const metrics = await (await fetch(`http://${other.server.endpoint}/metrics`)).text();
  expect(Number(/^kedge_client_requests_limited_total (\d+)/m.exec(metrics)?.[1])).toBe(refused.length + limited);
  server.mustBeAlive();
}, 60_000);

test('slow requests are named with their stages, a few a second; what waits by nature is not', async () => {
  const { client, server } = await start('--slow-request=1us', '--log-format=json');
  await client.call('Lock/Lock', { name: b('l') });
  await Promise.all(Array.from({ length: 100 }, () => client.call('KV/Put', { key: b('SLOWKEY') })));
  await sleep(1100);
  await client.call('KV/Put', { key: b('SLOWKEY') });
  while (!server.output.includes('more_not_shown')) await sleep(20);
  const lines = server.output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const slow = lines.filter(({ msg }) => msg === 'slow request');
  expect(slow.length).toBeLessThan(40);
  expect(slow[0]).toMatchObject({ level: 'warn', method: '/etcdserverpb.KV/Put', who: '127.0.0.1' });
  for (const { elapsed_ms, handle_ms, store_ms, send_ms } of slow) {
    const sum = Number(handle_ms) + Number(store_ms) + Number(send_ms);
    expect(Math.abs(Number(elapsed_ms) - sum)).toBeLessThanOrEqual(0.2);
  }
  expect(server.output).not.toContain('v3lockpb');
  expect(server.output).not.toContain('SLOWKEY');
}, 60_000);
