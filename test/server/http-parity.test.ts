import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EtcdClient } from '../support/client.ts';
import { mustHave, startEtcd } from '../support/etcd.ts';
import { startKedge } from '../support/kedge.ts';
import type { ServerProcess } from '../support/server-process.ts';

/*
 * What probes, browsers and Prometheus ask on the client port, answered as a real etcd answers it.
 */
let kedge: ServerProcess;

beforeAll(async () => {
  kedge = await startKedge();
});
afterAll(async () => {
  await kedge.stop();
});

const PATHS = [
  '/health',
  '/health?serializable=true',
  '/health?exclude=NOSPACE',
  '/livez',
  '/livez?verbose',
  '/livez/serializable_read?verbose',
  '/livez/linearizable_read',
  '/readyz',
  '/readyz?exclude=no_such_check',
  '/readyz?verbose&exclude=data_corruption&exclude=serializable_read&exclude=non_learner',
  '/readyz/data_corruption?verbose',
  '/readyz/serializable_read',
  '/readyz/linearizable_read?verbose',
  '/readyz/non_learner?verbose',
  '/readyz/no_such_check',
  '/no-such-path',
];

const HEADERS = ['content-type', 'x-content-type-options', 'allow', 'access-control-allow-origin', 'content-length'];

async function ask(server: ServerProcess, path: string, method = 'GET') {
  const response = await fetch(`http://${server.endpoint}${path}`, { method });
  const headers = HEADERS.map((name) => `${name}: ${response.headers.get(name)}`);
  return { status: response.status, headers, body: await response.text() };
}

/** Names of families, and of those with samples the labels. */
async function metricNames(server: ServerProcess): Promise<Map<string, string>> {
  const { body } = await ask(server, '/metrics');
  return new Map([...body.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [name, type]));
}

describe.skipIf(!mustHave('3.5'))('beside etcd 3.5', () => {
  let etcd: ServerProcess;
  beforeAll(async () => {
    etcd = await startEtcd('3.5');
  });
  afterAll(async () => {
    await etcd.stop();
  });

  it.each(PATHS)('GET %s', async (path) => {
    expect(await ask(kedge, path)).toEqual(await ask(etcd, path));
  });

  it.each(['/health', '/livez', '/readyz', '/readyz/data_corruption', '/version'])('POST %s', async (path) => {
    expect(await ask(kedge, path, 'POST')).toEqual(await ask(etcd, path, 'POST'));
  });

  it('GET /readyz?verbose, whose order is by chance in etcd', async () => {
    const sorted = (body: string) => body.split('\n').sort();
    expect(sorted((await ask(kedge, '/readyz?verbose')).body)).toEqual(
      sorted((await ask(etcd, '/readyz?verbose')).body),
    );
  });

  it('GET /version names the version that is shown, in the same form', async () => {
    const form = /^\{"etcdserver":"3\.\d+\.\d+","etcdcluster":"3\.\d+\.0"\}$/;
    expect((await ask(etcd, '/version')).body).toMatch(form);
    expect((await ask(kedge, '/version')).body).toMatch(form);
  });

  it.each(['NOSPACE', 'CORRUPT'])('the alarm %s shows as in etcd', async (alarm) => {
    const other = alarm === 'NOSPACE' ? 'CORRUPT' : 'NOSPACE';
    const raise = async (server: ServerProcess, action: string) => {
      const client = new EtcdClient(server.endpoint);
      await client.call('Maintenance/Alarm', { action, alarm, memberID: 0 });
      client.close();
    };
    for (const server of [kedge, etcd]) await raise(server, 'ACTIVATE');
    for (const path of [
      '/health',
      `/health?exclude=${alarm}`,
      `/health?exclude=${other}`,
      '/livez',
      '/readyz/data_corruption',
      '/readyz/data_corruption?verbose',
      '/readyz?exclude=data_corruption',
      '/readyz?exclude=serializable_read&exclude=linearizable_read&exclude=non_learner',
    ]) {
      expect({ path, ...(await ask(kedge, path)) }).toEqual({ path, ...(await ask(etcd, path)) });
    }
    for (const server of [kedge, etcd]) await raise(server, 'DEACTIVATE');
    expect((await ask(kedge, '/health')).status).toBe(200);
  });

  it('metrics have the names and types that dashboards and alerts ask for', async () => {
    const ours = await metricNames(kedge);
    const theirs = await metricNames(etcd);
    const differing = [...theirs]
      .filter(([name]) => !ABSENT.some((absent) => name.startsWith(absent)))
      .filter(([name, type]) => ours.get(name) !== type)
      .map(([name, type]) => `${name}: ${type} there, ${ours.get(name)} here`);
    expect(differing).toEqual([]);
    // What is listed as absent for a reason is really absent, and really etcd's.
    expect(ABSENT.filter((absent) => ![...theirs.keys()].some((name) => name.startsWith(absent)))).toEqual([]);
  });
});

/** Families of etcd's that have no meaning here, by how their names begin. */
const ABSENT = [
  'go_', // Go's runtime; nodejs_* instead
  'promhttp_', // Go's handler
  'etcd_server_go_version',
  'etcd_grpc_proxy_', // another program
  'etcd_debugging_auth_revision', // there are no users yet
  'etcd_debugging_disk_backend_commit_', // parts of a bbolt commit
  'etcd_debugging_snap_', // Raft's snapshots
  'etcd_debugging_store_', // the v2 store
  'etcd_disk_backend_defrag_duration_seconds',
  'etcd_disk_backend_snapshot_duration_seconds',
  'etcd_disk_defrag_inflight',
  'etcd_disk_wal_write_', // the log is SQLite's
  'etcd_mvcc_db_open_read_transactions',
  'etcd_mvcc_hash_duration_seconds',
  'etcd_server_apply_duration_seconds',
  'etcd_server_client_requests_total',
  'etcd_server_learner_promote_successes',
  'etcd_server_snapshot_apply_in_progress_total',
  'etcd_snap_',
  'os_fd_', // process_open_fds and process_max_fds say it
  'process_network_',
  'process_virtual_memory_max_bytes',
];

it('metrics move with what is done', async () => {
  const value = async (name: string) => {
    const { body } = await ask(kedge, '/metrics');
    const line = body.split('\n').find((sample) => sample.startsWith(`${name} `) || sample.startsWith(`${name}{`));
    return Number(line?.split(' ').at(-1));
  };
  const before = await value('etcd_server_health_success');
  await ask(kedge, '/health');
  expect(await value('etcd_server_health_success')).toBe(before + 1);
  expect(await value('etcd_server_has_leader')).toBe(1);
  expect(await value('etcd_debugging_mvcc_current_revision')).toBe(1);
  expect(await value('etcd_mvcc_db_total_size_in_bytes')).toBeGreaterThan(0);
  expect(await value('process_resident_memory_bytes')).toBeGreaterThan(0);
  expect(await value('etcd_server_quota_backend_bytes')).toBe(2 ** 31);
});
