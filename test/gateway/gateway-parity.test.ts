import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mustHave, startEtcd } from '../support/etcd.ts';
import { startKedge } from '../support/kedge.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { ODD_BODIES, REQUESTS } from './requests.ts';

/**
 * What is asked of a real etcd 3.5 is answered by kedge with the same status and JSON. Three things are not compared:
 * ids, spaces (protobuf's JSON writer varies them on purpose), and `error`, which etcd says in 3.4 and not in this 3.5.
 */
describe.skipIf(!mustHave('3.5'))('the gateway, as etcd 3.5 answers it', () => {
  let etcd: ServerProcess;
  let kedge: ServerProcess;

  beforeAll(async () => {
    [etcd, kedge] = await Promise.all([startEtcd('3.5'), startKedge()]);
  }, 60_000);
  afterAll(async () => {
    await Promise.all([etcd.kill(), kedge.kill()]);
  });

  async function ask(server: ServerProcess, path: string, body: string, method = 'POST'): Promise<string> {
    const init = method === 'GET' ? { method } : { method, body };
    const response = await fetch(`http://${server.endpoint}${path}`, init);
    const shown = (await response.text()).split('\n').map(normal).join('\n');
    const headers = ['content-type', 'grpc-metadata-content-type', 'access-control-allow-origin'];
    return [response.status, ...headers.map((name) => response.headers.get(name)), shown].join(' | ');
  }

  test.each(REQUESTS)('%s %s', async (path, body) => {
    expect(await ask(kedge, path, body)).toBe(await ask(etcd, path, body));
  });

  test.each(ODD_BODIES)('%s', async (body) => {
    expect(await ask(kedge, '/v3/kv/range', body)).toBe(await ask(etcd, '/v3/kv/range', body));
  });

  test.each(['GET', 'PUT', 'DELETE', 'OPTIONS'])('%s', async (method) => {
    for (const path of ['/v3/kv/range', '/v3/watch', '/health', '/version/']) {
      if (method !== 'OPTIONS' && path === '/health') continue;
      const ours = await ask(kedge, path, '{}', method);
      expect(ours).toBe(await ask(etcd, path, '{}', method));
    }
  });
});

function normal(line: string): string {
  if (!line.startsWith('{')) return line;
  const { error, ...rest } = JSON.parse(line.replaceAll('\u00a0', ' '));
  const value = typeof error === 'object' ? { error, ...rest } : rest;
  for (const header of [value.header, value.result?.header]) {
    if (header === undefined) continue;
    header.cluster_id = 'c';
    header.member_id = 'm';
  }
  return JSON.stringify(value);
}
