import { request } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { messageToJson } from '../../src/etcd/gateway/json-codec.ts';
import { API_METHODS } from '../../src/etcd/messages/api.ts';
import { anyValue } from '../etcd/message-tables.ts';
import { startKedge } from '../support/kedge.ts';
import type { ServerProcess } from '../support/server-process.ts';

/** Whatever is sent, somebody answers in JSON, nothing is a defect, and the next is served. */
let kedge: ServerProcess;
beforeAll(async () => {
  kedge = await startKedge();
}, 60_000);
afterAll(() => kedge.kill());

const methods = API_METHODS.filter(({ routes, name }) => routes.length > 0 && name !== 'Snapshot');

/** On a connection of its own: one that is kept may be closed for idleness just as it is used again. */
function post(path: string, body: string): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const options = {
      host: kedge.host,
      port: kedge.port,
      path,
      method: 'POST',
      agent: false,
      headers: { 'grpc-timeout': '200m', 'content-length': Buffer.byteLength(body) },
    };
    const asked = request(options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        text += piece;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', reject);
    });
    asked.on('error', (error) => reject(new Error(`${path} ${JSON.stringify(body)}: ${error.message}`)));
    asked.end(body);
  });
}

async function ask(path: string, body: string): Promise<void> {
  const { status, text } = await post(path, body);
  expect([200, 400, 404, 409, 429, 499, 500, 501, 503, 504]).toContain(status);
  for (const line of text.split('\n')) if (line !== '') JSON.parse(line);
}

test('sound messages with any content, to every route', async () => {
  const call = fc.nat(methods.length - 1).chain((which) => {
    const method = methods[which] as (typeof methods)[number];
    return anyValue(method.request).map((value) => ({
      path: method.routes[0] ?? '',
      // The watches that are made here live until the deadline: long enough.
      body: messageToJson(method.request, method.request.decode(method.request.encode(value))),
    }));
  });
  await fc.assert(
    fc.asyncProperty(fc.array(call, { minLength: 20, maxLength: 20 }), async (requests) => {
      await Promise.all(requests.map(({ path, body }) => ask(path, body)));
    }),
    { numRuns: 25, endOnFailure: true },
  );
  kedge.mustBeAlive();
  expect(kedge.output).not.toContain('defect');
}, 120_000);

test('bodies that are anything', async () => {
  const bodies = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json(),
    fc.string({ unit: fc.constantFrom(...'{}[]",:\\1e-tfn ') }),
  );
  const call = fc.tuple(fc.nat(methods.length - 1), bodies);
  await fc.assert(
    fc.asyncProperty(fc.array(call, { minLength: 20, maxLength: 20 }), async (requests) => {
      await Promise.all(requests.map(([which, body]) => ask(methods[which]?.routes[0] ?? '', body)));
    }),
    { numRuns: 25, endOnFailure: true },
  );
  const health = await fetch(`http://${kedge.endpoint}/health`);
  expect(health.status).toBeLessThan(600);
  expect(kedge.output).not.toContain('defect');
}, 120_000);
