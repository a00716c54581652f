import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { etcdctlProgram, etcdProgram, mustHave } from '../support/etcd.ts';
import { freePorts } from '../support/ports.ts';
import { ServerProcess } from '../support/server-process.ts';
import { removeFolder, temporaryFolder } from '../support/temporary.ts';
import { runClient } from './in-process.ts';

function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version']);
    return true;
  } catch (error) {
    if (process.env['CI'] !== undefined) throw error;
    return false;
  }
}

/** A real etcd that asks for client certificates. */
describe.runIf(mustHave('3.5') && hasOpenssl())('TLS (needs openssl)', () => {
  const folder = temporaryFolder('client-tls');
  const file = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  let server: ServerProcess;
  let address: string;

  beforeAll(async () => {
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    for (const ca of ['ca', 'other']) {
      openssl('req', '-x509', ...curve, '-subj', `/CN=${ca}`, '-keyout', `${ca}.key`, '-out', `${ca}.crt`);
    }
    writeFileSync(file('server.ext'), 'subjectAltName=IP:127.0.0.1,DNS:localhost');
    writeFileSync(file('client.ext'), 'extendedKeyUsage=clientAuth');
    for (const name of ['server', 'client']) {
      openssl('req', ...curve, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
      openssl(
        'x509',
        '-req',
        '-in',
        `${name}.csr`,
        '-CA',
        'ca.crt',
        '-CAkey',
        'ca.key',
        '-CAcreateserial',
        '-extfile',
        `${name}.ext`,
        '-out',
        `${name}.crt`,
      );
    }
    const [port = 0, peer = 0] = await freePorts(2);
    address = `127.0.0.1:${port}`;
    server = new ServerProcess(
      [
        etcdProgram('3.5') ?? '',
        `--data-dir=${file('data')}`,
        `--listen-client-urls=https://${address}`,
        `--advertise-client-urls=https://${address}`,
        `--listen-peer-urls=http://127.0.0.1:${peer}`,
        `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
        `--initial-cluster=default=http://127.0.0.1:${peer}`,
        `--cert-file=${file('server.crt')}`,
        `--key-file=${file('server.key')}`,
        `--trusted-ca-file=${file('ca.crt')}`,
        '--client-cert-auth',
        '--log-level=error',
      ],
      port,
    );
    // Its health cannot be asked in plain text: etcdctl waits for it.
    const flags = [`--endpoints=https://${address}`, ...all(), '--command-timeout=30s', 'endpoint', 'health'];
    execFileSync(etcdctlProgram('3.5') ?? '', flags, { stdio: 'pipe' });
  });
  afterAll(async () => {
    await server.kill();
    removeFolder(folder);
  });

  const all = () => [`--cacert=${file('ca.crt')}`, `--cert=${file('client.crt')}`, `--key=${file('client.key')}`];
  const mine = () => [`--cert=${file('client.crt')}`, `--key=${file('client.key')}`];
  const put = (endpoint: string, flags: readonly string[], environment = {}) =>
    runClient(['put', 'a', '1', '--endpoints', endpoint, '--command-timeout=2s', ...flags], environment);

  test('with certificates, by URL or by flag, name or address', async () => {
    expect(await put(`https://${address}`, all())).toEqual({ code: 0, stdout: 'OK\n', stderr: '' });
    expect((await put(address, all())).code).toBe(0);
    expect((await put(`https://localhost:${server.port}`, all())).code).toBe(0);
    expect((await put(`https://${address}`, [...mine(), '--insecure-skip-tls-verify'])).code).toBe(0);
    const environment = {
      ETCDCTL_CACERT: file('ca.crt'),
      ETCDCTL_CERT: file('client.crt'),
      KEDGE_KEY: file('client.key'),
    };
    expect((await put(`https://${address}`, [], environment)).code).toBe(0);
  });

  test('says what is wrong', async () => {
    const wrong = await put(`https://${address}`, [...mine(), `--cacert=${file('other.crt')}`]);
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toMatch(/^Error: context deadline exceeded\n\(.*certificate/);
    expect((await put(`https://${address}`, [`--cacert=${file('ca.crt')}`])).code).toBe(1);
    // Plain text to a port that speaks TLS.
    expect((await put(`http://${address}`, all())).code).toBe(1);
    expect(await put(`https://${address}`, ['--cert='])).toMatchObject({
      code: 128,
      stderr: 'Error: empty string is passed to --cert option\n',
    });
    expect((await put(`https://${address}`, [`--cert=${file('client.crt')}`])).stderr).toContain('go together');
    expect((await put(`https://${address}`, ['--cacert=/not/there'])).stderr).toContain('--cacert: ENOENT');
    expect((await put('ftp://x', [])).stderr).toContain('neither host:port nor');
  });
});
