import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { EtcdClient } from '../support/client.ts';
import { type EtcdVersion, etcdctlProgram, etcdProgram, mustHave, startEtcd } from '../support/etcd.ts';
import { startKedge } from '../support/kedge.ts';
import { Random, seedOf } from '../support/random.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { removeFolder, temporaryFolder } from '../support/temporary.ts';
import { kedge, run, storeUrl, TIMEOUT_MS } from './command.ts';
import { Workload } from './workload.ts';

vi.setConfig({ testTimeout: TIMEOUT_MS, hookTimeout: TIMEOUT_MS });

const folder = temporaryFolder('etcd-snapshots');
afterAll(() => removeFolder(folder));
const seed = seedOf(31);
const VERSIONS: readonly EtcdVersion[] = ['3.5', '3.4'];

async function shownBy(server: ServerProcess): Promise<Record<string, unknown>> {
  const client = new EtcdClient(server.endpoint);
  try {
    return (await Workload.shown(client)) as Record<string, unknown>;
  } finally {
    client.close();
    await server.stop();
  }
}

/** etcdctl of 3.4, etcdutl of 3.5: whichever restores. */
async function restoreIntoEtcd(version: EtcdVersion, snapshot: string, dataDir: string): Promise<void> {
  const program = version === '3.4' ? etcdctlProgram('3.4') : etcdProgram('3.5')?.replace(/etcd$/, 'etcdutl');
  const cluster = ['--initial-cluster=default=http://127.0.0.1:1', '--initial-advertise-peer-urls=http://127.0.0.1:1'];
  await run(program ?? '', ['snapshot', 'restore', snapshot, `--data-dir=${dataDir}`, '--name=default', ...cluster]);
}

describe.each(VERSIONS)(`snapshots of etcd %s, seed ${seed}`, (version) => {
  const here = join(folder, version);
  const snapshot = join(here, 'etcd.db');
  const test = it.skipIf(!mustHave(version));
  let wanted: Record<string, unknown> = {};

  test('become a store with the same HashKV, keys, revisions and leases', async () => {
    const etcd = await startEtcd(version);
    try {
      await run('mkdir', ['-p', here]);
      const client = new EtcdClient(etcd.endpoint);
      const work = new Workload(client, new Random(seed));
      await work.run(150);
      await work.compactAt(60);
      await work.run(60);
      await run(etcdctlProgram(version) ?? '', [`--endpoints=${etcd.endpoint}`, 'snapshot', 'save', snapshot]);
      wanted = (await Workload.shown(client)) as Record<string, unknown>;
      client.close();
    } finally {
      await etcd.stop();
    }
    const output = await kedge(['snapshot', 'restore', snapshot, `--data-dir=${here}/restored`]);
    expect(output).toContain(`HashKV ${Number(wanted['hash']).toString(16).padStart(8, '0')}`);
    expect(await shownBy(await startKedge({ dataDir: join(here, 'restored') }))).toEqual(wanted);

    await kedge(['migrate', '--from', snapshot, '--to', storeUrl(join(here, 'newest'))]);
    const newest = await shownBy(await startKedge({ dataDir: join(here, 'newest') }));
    expect(newest).toEqual({ ...wanted, hash: newest['hash'], compacted: wanted['revision'] });
  });

  test('are told as etcd itself tells them', async () => {
    const program = version === '3.4' ? etcdctlProgram('3.4') : etcdProgram('3.5')?.replace(/etcd$/, 'etcdutl');
    for (const form of ['json', 'simple']) {
      const theirs = await run(program ?? '', ['snapshot', 'status', snapshot, `--write-out=${form}`]);
      expect(await kedge(['snapshot', 'status', snapshot, `--write-out=${form}`])).toBe(theirs);
    }
  });

  test.each(VERSIONS)('go there and back again: kedge writes one that etcd %s starts from', async (target) => {
    if (!mustHave(target)) return;
    const exported = join(here, `for-${target}.db`);
    await kedge(['snapshot', 'export', exported, `--data-dir=${here}/restored`]);
    const dataDir = join(here, `etcd-${target}`);
    await restoreIntoEtcd(target, exported, dataDir);
    const etcd = await startEtcd(target, { dataDir });
    const client = new EtcdClient(etcd.endpoint);
    // It must be an etcd like any other: it compacts and writes on.
    await client.call('KV/Put', { key: Buffer.from('after'), value: Buffer.from('x') });
    await client.call('KV/DeleteRange', { key: Buffer.from('after') });
    const shown = await client.call('Maintenance/HashKV', { revision: String(wanted['revision']) });
    expect(shown).toMatchObject({ hash: wanted['hash'], compact_revision: wanted['compacted'] });
    const { hash, revision, ...rest } = (await Workload.shown(client)) as Record<string, unknown>;
    expect({ ...rest, hash: wanted['hash'], revision: wanted['revision'] }).toEqual(wanted);
    expect([hash, revision]).not.toContain(undefined);
    await client.call('KV/Compact', { revision: Number(wanted['revision']) + 1, physical: true });
    client.close();
    await etcd.stop();
  });
});

describe('a kedge that runs', () => {
  const test = it.skipIf(!mustHave('3.5'));

  test('is exported, told and moved as an etcd is', async () => {
    const here = join(folder, 'running');
    await run('mkdir', ['-p', here]);
    const server = await startKedge();
    try {
      const client = new EtcdClient(server.endpoint);
      const work = new Workload(client, new Random(seed + 1));
      await work.run(120);
      await work.compactAt(0);
      await work.run(40);
      const wanted = (await Workload.shown(client)) as Record<string, unknown>;
      const exported = join(here, 'etcd.db');
      await kedge(['snapshot', 'export', exported, '--from', `http://${server.endpoint}`]);
      await restoreIntoEtcd('3.5', exported, join(here, 'etcd'));
      expect(await shownBy(await startEtcd('3.5', { dataDir: join(here, 'etcd') }))).toEqual(wanted);

      const saved = join(here, 'kedge.db');
      await run(etcdctlProgram('3.5') ?? '', [`--endpoints=${server.endpoint}`, 'snapshot', 'save', saved]);
      const status = JSON.parse(await kedge(['snapshot', 'status', saved, '--write-out=json'])) as object;
      const { hash, revision, kvs } = wanted as { hash: number; revision: string; kvs: readonly unknown[] };
      expect(status).toMatchObject({ hash, revision: Number(revision), totalKey: kvs.length });

      await kedge([
        'migrate',
        '--from',
        `http://${server.endpoint}`,
        '--to',
        storeUrl(join(here, 'moved')),
        '--history',
      ]);
      expect(await shownBy(await startKedge({ dataDir: join(here, 'moved') }))).toEqual(wanted);
      client.close();
    } finally {
      await server.stop();
    }
  });

  it('an empty store goes there and back', async () => {
    const here = join(folder, 'empty');
    const server = await startKedge({ dataDir: join(here, 'data') });
    await server.stop();
    await kedge(['snapshot', 'export', join(here, 'etcd.db'), `--data-dir=${here}/data`]);
    const output = await kedge(['snapshot', 'restore', join(here, 'etcd.db'), `--data-dir=${here}/again`]);
    expect(output).toContain('revision 1, 0 keys, 0 leases');
  });
});
