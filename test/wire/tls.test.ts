import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { Client, credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Rig, startRig, until } from './rig.ts';

const run = promisify(execFile);

async function has(program: string): Promise<boolean> {
  return await run('which', [program]).then(
    () => true,
    () => false,
  );
}

const HAS_OPENSSL = await has('openssl');
const HAS_CURL = await has('curl');

describe.runIf(HAS_OPENSSL)('TLS (needs openssl)', () => {
  let rig: Rig;
  let folder: string;
  let certificate: Buffer;
  let port: number;

  beforeAll(async () => {
    rig = await startRig({ prefaceTimeoutMs: 1000 });
    folder = await mkdtemp(join(tmpdir(), 'kedge-tls-'));
    const [keyPath, certificatePath] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
    await run('openssl', ['req', '-x509', '-nodes', ...curve, ...subject, '-keyout', keyPath, '-out', certificatePath]);
    certificate = await readFile(certificatePath);
    const tls = { key: await readFile(keyPath), cert: certificate };
    const address = await rig.server.listen({ host: '127.0.0.1', port: 0, tls });
    port = typeof address === 'string' ? 0 : address.port;
  });

  afterAll(async () => {
    await rig.close();
    await rm(folder, { recursive: true });
  });

  function open(protocols: readonly string[]): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, ca: certificate, ALPNProtocols: [...protocols] };
      const socket = connect(options, () => resolve(socket));
      socket.on('error', reject);
    });
  }

  it('grpc-js: small and large, a hundred at once', async () => {
    const client = new Client(`localhost:${port}`, credentials.createSsl(certificate), {
      'grpc.max_receive_message_length': -1,
    });
    const same = (bytes: Buffer): Buffer => bytes;
    const call = (method: string, body: Buffer): Promise<Buffer> =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(`/test.Echo/${method}`, same, same, body, (error, value) => {
          if (error !== null) reject(error);
          else resolve(value ?? Buffer.alloc(0));
        });
      });
    expect((await call('Unary', Buffer.alloc(1_500_000, 5))).equals(Buffer.alloc(1_500_000, 5))).toBe(true);
    expect((await call('Big', Buffer.from('3000000'))).length).toBe(3_000_000);
    const bodies = Array.from({ length: 100 }, (_, i) => Buffer.alloc(i * 100, i));
    expect(await Promise.all(bodies.map((body) => call('Later', body)))).toEqual(bodies);
    client.close();
  });

  it('ALPN: h2 first, then http/1.1; anything else is refused', async () => {
    const both = await open(['http/1.1', 'h2']);
    expect(both.alpnProtocol).toBe('h2');
    both.destroy();
    const old = await open(['http/1.1']);
    expect(old.alpnProtocol).toBe('http/1.1');
    old.destroy();
    await expect(open(['spdy/3'])).rejects.toThrow();
  });

  it('a connection that never begins its handshake is closed in time', async () => {
    const { connect: connectTcp } = await import('node:net');
    const socket = connectTcp({ host: '127.0.0.1', port });
    let isClosed = false;
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      isClosed = true;
    });
    await until(() => isClosed);
  });

  it.runIf(HAS_CURL)('curl over HTTP/1.1 and HTTP/2', async () => {
    for (const version of ['--http1.1', '--http2']) {
      const args = ['-sS', '--cacert', join(folder, 'cert.pem'), version, '-w', ' %{http_version}'];
      const { stdout } = await run('curl', [...args, `https://localhost:${port}/health`]);
      expect(stdout).toContain('"path":"/health"');
      expect(stdout.endsWith(version === '--http2' ? ' 2' : ' 1.1')).toBe(true);
    }
  });
});
