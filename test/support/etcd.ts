import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from './ports.ts';
import { ServerProcess } from './server-process.ts';
import { temporaryFolder } from './temporary.ts';

/** The real etcds that kedge is held against. 3.5 is the specification, 3.4 the oldest that Kubernetes still meets. */
export type EtcdVersion = '3.5' | '3.4';

const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'kedge-etcd');

/** Where each is looked for: the environment first (`bin/test` sets it), then where the tools put it. */
const places: Readonly<Record<EtcdVersion, readonly (string | undefined)[]>> = {
  '3.5': [process.env['KEDGE_ETCD35'], join(cache, 'root/usr/bin/etcd')],
  '3.4': [process.env['KEDGE_ETCD34'], '/usr/bin/etcd'],
};

/** The server's program, or undefined when it is not installed. KEDGE_ETCD35 and KEDGE_ETCD34 may name it or its folder. */
export function etcdProgram(version: EtcdVersion): string | undefined {
  for (const place of places[version]) {
    if (place === undefined) continue;
    const inFolder = join(place, 'etcd');
    if (existsSync(inFolder)) return inFolder;
    if (existsSync(place)) return place;
  }
  return undefined;
}

/** etcdctl of the same version: it lies beside the server. */
export function etcdctlProgram(version: EtcdVersion): string | undefined {
  const server = etcdProgram(version);
  return server === undefined ? undefined : `${server}ctl`;
}

/** In CI nothing may be missing: there a missing program is a failure, elsewhere the tests that need it are skipped by name. */
export function mustHave(version: EtcdVersion): boolean {
  if (etcdProgram(version) !== undefined) return true;
  if (process.env['CI'] !== undefined)
    throw new Error(`no etcd ${version}: bin/test installs it, KEDGE_ETCD${version.replace('.', '')} names it`);
  return false;
}

export interface EtcdOptions {
  readonly dataDir?: string;
  readonly port?: number;
  readonly args?: readonly string[];
}

/** Starts a fresh one-member etcd and waits until it serves. Not durable: nobody kills these. */
export async function startEtcd(version: EtcdVersion, options: EtcdOptions = {}): Promise<ServerProcess> {
  const program = etcdProgram(version);
  if (program === undefined) throw new Error(`no etcd ${version}`);
  const [freeClient = 0, peer = 0] = await freePorts(2);
  const client = options.port ?? freeClient;
  const ownFolder = options.dataDir === undefined ? temporaryFolder(`etcd-${version}`) : undefined;
  const dataDir = options.dataDir ?? join(ownFolder ?? '', 'data');
  const server = new ServerProcess(
    [
      program,
      `--data-dir=${dataDir}`,
      `--listen-client-urls=http://127.0.0.1:${client}`,
      `--advertise-client-urls=http://127.0.0.1:${client}`,
      `--listen-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-cluster=default=http://127.0.0.1:${peer}`,
      // One member elects itself: no reason to wait the second that etcd would.
      '--heartbeat-interval=10',
      '--election-timeout=100',
      '--log-level=error',
      ...(version === '3.4' ? ['--logger=zap'] : ['--unsafe-no-fsync']),
      ...(options.args ?? []),
    ],
    client,
    {},
    ownFolder,
  );
  await server.ready();
  return server;
}
