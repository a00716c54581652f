import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Etcdctl } from '../clients/etcdctl.ts';
import { type EtcdVersion, mustHave, startEtcd } from '../support/etcd.ts';
import { startKedge } from '../support/kedge.ts';
import type { ServerProcess } from '../support/server-process.ts';

const ARGS = ['--bcrypt-cost=4'];
const ROOT = '--user=root:r00t';
const ALICE = '--user=alice:wonderland';

/** What a user types, on kedge and on a real etcd 3.5: output and exit code must be the same. */
const COMMANDS: readonly (readonly string[])[] = [
  ['auth', 'status'],
  ['user', 'add', 'root:r00t'],
  ['user', 'add', 'alice:wonderland'],
  ['user', 'add', 'alice:again'],
  ['user', 'add', 'bob', '--no-password'],
  ['user', 'list'],
  ['role', 'add', 'root'],
  ['role', 'add', 'apps'],
  ['role', 'grant-permission', 'apps', '--prefix=true', 'readwrite', '/apps/'],
  ['role', 'grant-permission', 'apps', 'read', '/config'],
  ['role', 'grant-permission', 'apps', '--from-key=true', 'read', 'z'],
  ['role', 'get', 'apps'],
  ['role', 'list'],
  ['user', 'grant-role', 'root', 'root'],
  ['user', 'grant-role', 'alice', 'apps'],
  ['user', 'grant-role', 'alice', 'nothing'],
  ['user', 'get', 'alice', '--detail'],
  ['put', '/config', 'shared'],
  ['auth', 'enable'],
  ['get', '/config'],
  ['get', '/config', ALICE],
  ['get', '/config', '--user=alice:wrong'],
  ['get', '/config', '--user=bob:'],
  ['put', '/config', 'mine', ALICE],
  ['put', '/apps/a', '1', ALICE],
  ['get', '--prefix', '/apps/', ALICE],
  ['get', '--prefix', '', ALICE],
  ['get', '--prefix', '', ROOT],
  ['del', '/config', ALICE],
  ['user', 'get', 'alice', ALICE],
  ['user', 'list', ALICE],
  ['user', 'list', ROOT],
  ['compaction', '1', ALICE],
  ['auth', 'status', ROOT],
  ['user', 'revoke-role', 'alice', 'apps', ROOT],
  ['get', '/apps/a', ALICE],
  ['user', 'delete', 'root', ROOT],
  ['role', 'delete', 'apps', ROOT],
  ['user', 'delete', 'bob', ROOT],
  ['auth', 'disable', ALICE],
  ['auth', 'disable', ROOT],
  ['get', '/apps/a'],
];

describe.each(['3.5', '3.4'] as const)('etcdctl %s', { timeout: 240_000 }, (version: EtcdVersion) => {
  if (!mustHave('3.5') || !mustHave(version)) return it.skip(`no etcd ${version}`);
  let servers: readonly ServerProcess[] = [];
  beforeAll(async () => {
    servers = await Promise.all([startEtcd('3.5', { args: ARGS }), startKedge({ args: ARGS })]);
  }, 120_000);
  afterAll(() => Promise.all(servers.map((server) => server.kill())));

  it('user, role and auth commands', async () => {
    const [etcd = [], kedge = []] = await Promise.all(
      servers.map(async (server) => {
        const etcdctl = new Etcdctl(version, server.endpoint);
        const told: string[] = [];
        for (const command of COMMANDS) {
          const { code, stdout, stderr } = await etcdctl.run(command);
          told.push(`etcdctl ${command.join(' ')}\n${code}: ${stdout}${plain(stderr)}`);
        }
        return told;
      }),
    );
    for (const [i, told] of kedge.entries()) expect(told).toBe(etcd[i]);
  });
});

/** Without the client's own log lines, which have times and addresses. */
function plain(stderr: string): string {
  return stderr
    .split('\n')
    .filter((line) => !line.startsWith('{'))
    .join('\n');
}
