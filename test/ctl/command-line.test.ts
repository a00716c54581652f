import { describe, expect, it } from 'vitest';
import { type Command, ExitCode, type Invocation } from '../../src/base/command.ts';
import { runCommandLine } from '../../src/ctl/command-line.ts';
import { ETCD_FLAGS } from '../../src/server/etcd-flags.ts';
import { checkServeOptions, SERVE_OPTIONS, type ServeOptions } from '../../src/server/options.ts';

/** Runs a command line against serve's own declaration; what serve would have been told comes back. */
async function kedge(words: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  let out = '';
  let err = '';
  let told: Invocation<typeof SERVE_OPTIONS> | undefined;
  const serve: Command<typeof SERVE_OPTIONS> = {
    name: 'serve',
    summary: 'serve',
    operands: [],
    options: SERVE_OPTIONS,
    inertFlags: ETCD_FLAGS,
    async run(invocation) {
      checkServeOptions(invocation.options);
      told = invocation;
      return ExitCode.ok;
    },
  };
  const restore: Command = {
    name: 'snapshot restore',
    summary: 'restore',
    operands: [{ name: 'file', help: 'file', required: true }],
    options: {},
    run: async ({ operands }) => (operands[0] === 'there' ? ExitCode.ok : ExitCode.failed),
  };
  const code = await runCommandLine(words, {
    commands: [serve, restore],
    version: '1.2.3',
    environment,
    output: { out: (text) => (out += text), err: (text) => (err += text), columns: 100 },
  });
  const options: Partial<ServeOptions> = told?.options ?? {};
  return { code, out, err, options, inert: told?.inert.map(({ flag }) => flag) };
}

describe('the command line', () => {
  it('needs no flags', async () => {
    const { code, options } = await kedge(['serve']);
    expect(code).toBe(ExitCode.ok);
    expect(options.listenClientUrls).toEqual([{ kind: 'tcp', tls: false, host: '127.0.0.1', port: 2379 }]);
    expect(options).toMatchObject({
      name: 'default',
      dataDir: 'kedge-data',
      quotaBackendBytes: 2 ** 31,
      maxTxnOps: 128,
    });
  });

  it('takes flags as etcd does: =, a space, one dash, bare switches', async () => {
    const { options } = await kedge(['serve', '--name=a', '-data-dir', '/d', '--quiet', '--max-txn-ops', '7']);
    expect(options).toMatchObject({ name: 'a', dataDir: '/d', quiet: true, maxTxnOps: 7 });
    expect((await kedge(['serve', '--quiet=false'])).options.quiet).toBe(false);
  });

  it('takes the old name of a flag', async () => {
    const { options } = await kedge(['serve', '--experimental-watch-progress-notify-interval=5s']);
    expect(options.watchProgressNotifyInterval).toBe(5000);
  });

  it('takes the environment, after flags', async () => {
    const environment = { KEDGE_NAME: 'k', ETCD_NAME: 'e', ETCD_DATA_DIR: '/e' };
    expect((await kedge(['serve'], environment)).options).toMatchObject({ name: 'k', dataDir: '/e' });
    expect((await kedge(['serve', '--name', 'f'], environment)).options.name).toBe('f');
  });

  it('starts from a static pod that was written for etcd', async () => {
    const { code, inert, options } = await kedge([
      'serve',
      '--advertise-client-urls=https://192.168.1.5:2379',
      '--cert-file=/etc/kubernetes/pki/etcd/server.crt',
      '--client-cert-auth=true',
      '--data-dir=/var/lib/etcd',
      '--experimental-initial-corrupt-check=true',
      '--experimental-watch-progress-notify-interval=5s',
      '--initial-advertise-peer-urls=https://192.168.1.5:2380',
      '--initial-cluster=node=https://192.168.1.5:2380',
      '--key-file=/etc/kubernetes/pki/etcd/server.key',
      '--listen-client-urls=https://127.0.0.1:2379,https://192.168.1.5:2379',
      '--listen-metrics-urls=http://127.0.0.1:2381',
      '--listen-peer-urls=https://192.168.1.5:2380',
      '--name=node',
      '--peer-cert-file=/etc/kubernetes/pki/etcd/peer.crt',
      '--peer-client-cert-auth=true',
      '--peer-key-file=/etc/kubernetes/pki/etcd/peer.key',
      '--peer-trusted-ca-file=/etc/kubernetes/pki/etcd/ca.crt',
      '--snapshot-count=10000',
      '--trusted-ca-file=/etc/kubernetes/pki/etcd/ca.crt',
    ]);
    expect(code).toBe(ExitCode.ok);
    expect(options.listenClientUrls?.length).toBe(2);
    expect(inert).toEqual(expect.arrayContaining(['initial-cluster', 'snapshot-count', 'peer-client-cert-auth']));
    expect(inert?.length).toBe(6);
  });

  it.each([
    [['serve', '--cert-file=/x'], '--key-file is missing'],
    [['serve', '--client-cert-auth'], 'needs --trusted-ca-file'],
    [['serve', '--client-cert-auth=true', '--trusted-ca-file=/x'], 'no URL of --listen-client-urls is https://'],
    [['serve', '--listen-client-urls=https://127.0.0.1:2379'], 'needs --cert-file and --key-file'],
    [['serve', '--listen-client-urls=http://0.0.0.0:2379'], 'is plain text beyond this machine'],
  ])('refuses to serve in plain text where TLS was asked for, or is needed: %j', async (words, reason) => {
    const { code, err } = await kedge(words);
    expect(code).toBe(ExitCode.usage);
    expect(err).toContain(reason);
  });

  it('takes TLS from the environment too, and its absence', async () => {
    expect((await kedge(['serve'], { ETCD_TRUSTED_CA_FILE: '/x' })).code).toBe(ExitCode.usage);
    expect((await kedge(['serve', '--client-cert-auth=false'], { ETCD_CERT_FILE: '' })).code).toBe(ExitCode.ok);
  });

  it.each([
    [['serve', '--dta-dir', 'x'], '--data-dir'],
    [['serve', '--listen-client-url=http://127.0.0.1:1'], '--listen-client-urls'],
    [['sevre'], 'serve'],
    [['snapshot', 'restoer'], 'restore'],
  ])('names the nearest for %j', async (words, meant) => {
    const { code, err } = await kedge(words);
    expect(code).toBe(ExitCode.usage);
    expect(err).toContain(`(Did you mean ${meant}?)`);
  });

  it.each([
    [['serve', '--max-txn-ops=0'], '--max-txn-ops: "0" is not a whole number from 1'],
    [['serve', '--listen-client-urls=127.0.0.1:2379'], '--listen-client-urls: "127.0.0.1:2379" is not'],
    [['serve', '--listen-client-urls=http://example.com:2379'], 'an address of this machine'],
    [['serve', '--listen-client-urls=http://127.0.0.1'], 'a URL with a port'],
    [['serve', '--listen-client-urls='], 'at least one URL'],
    [['serve', '--auto-compaction-retention=soon'], '--auto-compaction-retention: "soon" is not a duration'],
    [['serve', 'extra'], 'too many arguments'],
    [['snapshot', 'restore'], "missing required argument 'file'"],
  ])('says what is wrong with %j', async (words, message) => {
    const { code, err } = await kedge(words);
    expect(code).toBe(ExitCode.usage);
    expect(err).toContain(message);
  });

  it('passes on what a command exits with', async () => {
    expect((await kedge(['snapshot', 'restore', 'there'])).code).toBe(ExitCode.ok);
    expect((await kedge(['snapshot', 'restore', 'gone'])).code).toBe(ExitCode.failed);
  });

  it('shows every option with its default and its environment variable', async () => {
    const { code, out } = await kedge(['serve', '--help']);
    expect(code).toBe(ExitCode.ok);
    for (const spec of Object.values(SERVE_OPTIONS)) {
      expect(out).toContain(`--${spec.flag}`);
      expect(out).toContain(`[$KEDGE_${spec.flag.toUpperCase().replaceAll('-', '_')}]`);
    }
    expect(out).toMatch(/--max-request-bytes <bytes> +default: 1\.5MiB\n/);
    expect(out).not.toContain('initial-cluster');
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
  });

  it('prints its version', async () => {
    expect(await kedge(['--version'])).toMatchObject({ code: ExitCode.ok, out: '1.2.3\n' });
  });
});
