import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startKedge } from '../support/kedge.ts';
import { freePorts } from '../support/ports.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary.ts';

/**
 * A real Patroni with two PostgreSQL nodes, which keeps its leader and its members in kedge through the JSON gateway:
 * leases, compare-and-swap, watches. The leader is killed with everything it has; the other takes over with the data.
 */
const PATRONI = '/usr/bin/patroni';
const PYTHON = '/usr/bin/python3';

function postgresFolder(): string | undefined {
  const base = '/usr/lib/postgresql';
  if (!existsSync(base)) return undefined;
  const bin = readdirSync(base)
    .map((version) => join(base, version, 'bin'))
    .find((path) => existsSync(join(path, 'initdb')));
  return bin;
}

/** Neither initdb nor postgres runs as root. */
const isRoot = process.getuid?.() === 0;
const asUser = isRoot ? ['runuser', '-u', 'postgres', '--'] : [];
const bin = postgresFolder();
const isThere = existsSync(PATRONI) && bin !== undefined;
if (!isThere && process.env['CI'] !== undefined) throw new Error('no patroni or PostgreSQL: bin/test installs them');

interface Node {
  readonly name: string;
  readonly postgresPort: number;
  readonly restPort: number;
  pid: number;
}

interface NodeState {
  readonly state: string;
  readonly role: string;
  readonly timeline?: number;
}

describe.skipIf(!isThere)('Patroni (etcd3)', () => {
  let kedge: ServerProcess;
  let folder: string;
  const nodes: Node[] = [];

  beforeAll(async () => {
    kedge = await startKedge();
    folder = temporaryFolder('patroni');
    chmodSync(folder, 0o777);
    const ports = await freePorts(4);
    for (const [i, name] of ['one', 'two'].entries()) {
      nodes.push({ name, postgresPort: ports[2 * i] ?? 0, restPort: ports[2 * i + 1] ?? 0, pid: 0 });
    }
  }, 60_000);

  afterAll(async () => {
    for (const node of nodes) kill(node);
    await kedge.kill();
  });

  function start(node: Node): void {
    const { name, postgresPort, restPort } = node;
    const data = join(folder, name);
    const config = {
      scope: 'pair',
      name,
      restapi: { listen: `127.0.0.1:${restPort}`, connect_address: `127.0.0.1:${restPort}` },
      etcd3: { hosts: [kedge.endpoint] },
      bootstrap: {
        dcs: { ttl: 20, loop_wait: 1, retry_timeout: 3, postgresql: { use_pg_rewind: true } },
        initdb: ['data-checksums', { encoding: 'UTF8' }, { auth: 'trust' }],
        pg_hba: ['host all all 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 trust'],
      },
      postgresql: {
        listen: `127.0.0.1:${postgresPort}`,
        connect_address: `127.0.0.1:${postgresPort}`,
        data_dir: data,
        remove_data_directory_on_rewind_failure: true,
        remove_data_directory_on_diverged_timelines: true,
        bin_dir: bin,
        pgpass: join(folder, `pgpass-${name}`),
        authentication: { superuser: { username: 'postgres' }, replication: { username: 'replicator' } },
        parameters: { unix_socket_directories: folder, shared_buffers: '16MB', fsync: 'off' },
      },
    };
    mkdirSync(join(folder, 'conf'), { recursive: true });
    const file = join(folder, 'conf', `${name}.yml`);
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(config));
    const [program = '', ...args] = [...asUser, PYTHON, PATRONI, file];
    const log = join(folder, 'conf', `${name}.log`);
    const child = spawn('sh', ['-c', 'exec "$0" "$@" >>"$LOG" 2>&1', program, ...args], {
      detached: true,
      stdio: 'ignore',
      env: { ...process.env, LOG: log },
    });
    node.pid = child.pid ?? 0;
  }

  /** The node's whole process group, PostgreSQL included, at once. */
  function kill(node: Node): void {
    if (node.pid === 0) return;
    const pidFile = join(folder, node.name, 'postmaster.pid');
    try {
      process.kill(-node.pid, 'SIGKILL');
    } catch {
      // Gone already.
    }
    if (existsSync(pidFile)) {
      const postmaster = Number(execFileSync('head', ['-n', '1', pidFile]).toString());
      try {
        process.kill(postmaster, 'SIGQUIT');
      } catch {
        // It went with its group.
      }
    }
    node.pid = 0;
  }

  async function stateOf({ restPort }: Node): Promise<NodeState | undefined> {
    try {
      return (await (await fetch(`http://127.0.0.1:${restPort}/patroni`)).json()) as NodeState;
    } catch {
      return undefined; // Not yet up, or gone.
    }
  }

  async function until(node: Node, isSo: (state: NodeState) => boolean): Promise<NodeState> {
    for (;;) {
      const state = await stateOf(node);
      if (state !== undefined && isSo(state)) return state;
      kedge.mustBeAlive();
      await sleep(200);
    }
  }

  function sql({ postgresPort }: Node, statement: string): string {
    const args = ['-h', '127.0.0.1', '-p', String(postgresPort), '-U', 'postgres', '-Atc', statement];
    return execFileSync(join(bin ?? '', 'psql'), args, { stdio: ['ignore', 'pipe', 'pipe'] })
      .toString()
      .trim();
  }

  /** Until it says so. A node that is becoming a replica stops and starts its server, whatever state it has told. */
  async function says(node: Node, statement: string, answer: string): Promise<void> {
    for (;;) {
      try {
        if (sql(node, statement) === answer) return;
      } catch (error) {
        if (!/Connection refused|starting up|shutting down|server closed/.test(String(error))) throw error;
      }
      kedge.mustBeAlive();
      await sleep(200);
    }
  }

  const isLeader = ({ role, state }: NodeState): boolean => /master|primary/.test(role) && state === 'running';

  test('two nodes elect a leader; when it dies the other takes over, and the dead one comes back as its replica', async () => {
    const [one, two] = nodes as [Node, Node];
    start(one);
    await until(one, isLeader);
    sql(one, 'CREATE TABLE kept (n int); INSERT INTO kept VALUES (42)');
    start(two);
    await until(two, ({ role, state }) => role === 'replica' && /running|streaming/.test(state));
    await says(two, "SELECT to_regclass('kept') IS NOT NULL", 't');
    await says(two, 'SELECT n FROM kept', '42');

    kill(one);
    await until(two, isLeader);
    sql(two, 'INSERT INTO kept VALUES (43)');

    start(one);
    await until(one, ({ role, state }) => role === 'replica' && /running|streaming/.test(state));
    await says(one, 'SELECT count(*) FROM kept', '2');
    await says(one, 'SELECT pg_is_in_recovery()', 't');
    expect(sql(two, 'SELECT pg_is_in_recovery()')).toBe('f');
  }, 240_000);
});
