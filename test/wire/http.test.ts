import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RawClient, request } from './raw-client.ts';
import { type Rig, startRig, until } from './rig.ts';

/*
 * Plain HTTP on the gRPC port: curl, Node's clients and nghttp2's programs.
 */

const run = promisify(execFile);

let rig: Rig;
let origin: string;

beforeAll(async () => {
  rig = await startRig({ requestBytesMax: 200_000, httpBodyBytesMax: 200_000 });
  origin = `http://127.0.0.1:${rig.port}`;
});

afterAll(() => rig.close());

async function has(program: string): Promise<boolean> {
  return await run('which', [program]).then(
    () => true,
    () => false,
  );
}

const HAS_CURL = await has('curl');
const HAS_NGHTTP = (await has('nghttp')) && (await has('h2load'));

describe.runIf(HAS_CURL)('curl', () => {
  for (const version of ['--http1.1', '--http2-prior-knowledge', '--http1.0']) {
    const curl = async (...args: string[]): Promise<string> => (await run('curl', ['-sS', version, ...args])).stdout;

    it(`${version}: GET, POST, HEAD, a large answer, an error`, async () => {
      const seen = JSON.parse(await curl('-H', 'X-Agent: a', `${origin}/health?verbose&a=b%20c`));
      const query = [
        ['verbose', ''],
        ['a', 'b c'],
      ];
      expect(seen).toEqual({ method: 'GET', path: '/health', query, agent: 'a', bytes: 0 });
      expect(JSON.parse(await curl('-d', 'x'.repeat(100_000), `${origin}/post`)).bytes).toBe(100_000);
      expect(await curl('-I', `${origin}/health`)).toMatch(/^HTTP\/[\d.]+ 200[\s\S]*content-length: \d\d/i);
      expect((await curl(`${origin}/large`)).length).toBe(1_000_000);
      expect(await curl('-o', '/dev/null', '-w', '%{http_code}', `${origin}/throw`)).toBe('500');
      expect(await curl('-o', '/dev/null', '-w', '%{http_code}', `${origin}/nothing`)).toBe('204');
    });

    it(`${version}: too large a body is 413`, async () => {
      const args = ['-o', '/dev/null', '-w', '%{http_code}', '-H', 'Expect:', '--data-binary', '@-', `${origin}/post`];
      const child = run('curl', ['-sS', version, ...args]);
      child.child.stdin?.on('error', () => child.child.stdin?.destroy());
      child.child.stdin?.end('x'.repeat(300_000));
      // curl may also see the connection closed while it sends: what it must not see is success.
      const code = await child.then(
        ({ stdout }) => stdout,
        (error: { stdout: string }) => error.stdout,
      );
      expect(['413', '000']).toContain(code);
    });
  }
});

describe.runIf(HAS_NGHTTP)('nghttp2', () => {
  it('nghttp reads an answer', async () => {
    const { stdout } = await run('nghttp', ['-v', `${origin}/health`]);
    expect(stdout).toContain('"path":"/health"');
    expect(stdout).toContain(':status: 200');
  });

  it('h2load: every one of 20,000 requests succeeds', async () => {
    const { stdout } = await run('h2load', ['-n20000', '-c20', '-m50', `${origin}/health`]);
    expect(stdout).toMatch(/20000 succeeded, 0 failed, 0 errored/);
  });
});

describe('Node\u2019s own clients', () => {
  it('HTTP/1.1 keep-alive and pipelining', async () => {
    const socket = connect({ host: '127.0.0.1', port: rig.port });
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    // The request line in two pieces, so that sniffing sees but a part.
    socket.write('G');
    await sleep(20);
    socket.write('ET /one HTTP/1.1\r\nHost: x\r\n\r\nGET /two HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => text.includes('/two'));
    expect(text.indexOf('/one')).toBeLessThan(text.indexOf('/two'));
    socket.destroy();
  });

  it('a method that begins as the preface does', async () => {
    const socket = connect({ host: '127.0.0.1', port: rig.port });
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.write('P');
    await sleep(20);
    socket.write('UT /put HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi');
    await until(() => text.includes('"method":"PUT"'));
    socket.destroy();
  });

  it('node:http2, with many requests at once and a small window', async () => {
    const session = connectHttp2(origin, { settings: { initialWindowSize: 1000 } });
    const lengths = await Promise.all(
      Array.from(
        { length: 20 },
        () =>
          new Promise<number>((resolve, reject) => {
            const stream = session.request({ ':path': '/large' });
            let bytes = 0;
            stream.on('data', (chunk: Buffer) => {
              bytes += chunk.length;
            });
            stream.on('end', () => resolve(bytes));
            stream.on('error', reject);
          }),
      ),
    );
    expect(new Set(lengths)).toEqual(new Set([1_000_000]));
    session.destroy();
  });
});

describe('a Unix socket', () => {
  it('serves gRPC and HTTP, and the peer is the path', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kedge-wire-'));
    const path = join(folder, 'socket');
    expect(await rig.server.listen({ path })).toBe(path);
    const body = await new Promise<string>((resolve, reject) => {
      httpRequest({ socketPath: path, path: '/health' }, (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => resolve(text));
      })
        .on('error', reject)
        .end();
    });
    expect(JSON.parse(body).path).toBe('/health');
    await rm(folder, { recursive: true });
  });
});

describe('many idle connections', () => {
  it('a thousand, and the next call is answered', async () => {
    const idle = await Promise.all(Array.from({ length: 1000 }, () => RawClient.open(rig.port)));
    expect(rig.stats.connections.value).toBeGreaterThanOrEqual(1000);
    const client = await RawClient.open(rig.port);
    client.send(request(1, '/test.Echo/Unary', 'x'));
    await client.trailers(1);
    for (const one of [client, ...idle]) one.close();
    await until(() => rig.stats.connections.value < 100);
  });
});
