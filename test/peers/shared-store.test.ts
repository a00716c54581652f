import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PeersReport } from '../../src/peers/report.ts';
import { EtcdClient } from '../support/client.ts';
import { hasMariadb, MariadbServer } from '../support/mariadb.ts';
import { freePort } from '../support/ports.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { pause } from './member.ts';
import { startPatiently } from './patient-kedge.ts';

/** A database that tells nobody of commits: without hints replicas would see each other's when they ask the next time. */
describe.runIf(hasMariadb())('replicas on one MariaDB', { timeout: 150_000 }, () => {
  let database: MariadbServer;
  const replicas: ServerProcess[] = [];

  beforeAll(async () => {
    database = await MariadbServer.start();
    const url = database.url(database.freshDatabase());
    for (let i = 0; i < 3; i++) {
      // No list, no DNS: the store's own table of members is where they find each other, and whom they trust.
      const args = [
        `--name=replica-${i}`,
        `--store=${url}`,
        `--peer-listen=127.0.5.${i + 1}:0`,
        '--peer-trust=store',
        '--peer-heartbeat=1s',
        '--peer-dead-after=5s',
      ];
      const folder = temporaryFolder('replica');
      replicas.push(await startPatiently(join(folder, 'data'), await freePort(), args, folder));
    }
  }, 300_000);

  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.kill()));
    await database.dispose();
  });

  const report = async (replica: ServerProcess): Promise<PeersReport> =>
    (await (await fetch(`http://${replica.endpoint}/peers`)).json()) as PeersReport;

  /** Expire in its parts, compact and vacuum. */
  const DUTIES = 18;
  /** Duties for which a replica is named by its own rule. */
  const ruled = async (): Promise<string[]> =>
    (await Promise.all(replicas.map(report))).flatMap(({ self, duties }) =>
      duties.filter(({ owner }) => owner === self.id).map(({ name }) => name),
    );

  const metric = async (replica: ServerProcess, name: string): Promise<number> => {
    const metrics = await (await fetch(`http://${replica.endpoint}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(metrics)?.[1]);
  };
  const commitsTold = (replica: ServerProcess): Promise<number> => metric(replica, 'kedge_commits_told_total');

  it('find and trust each other by its table of members', async () => {
    await untilTrue(async () => (await Promise.all(replicas.map(report))).every(({ linked }) => linked === 2));
    const reports = await Promise.all(replicas.map(report));
    expect(reports.map(({ self }) => self.trust)).toEqual(['store', 'store', 'store']);
    await untilTrue(async () => (await ruled()).length === DUTIES);
    expect(new Set(await ruled()).size).toBe(DUTIES);
    expect(reports.every(({ members }) => members.every(({ hasSameStore }) => hasSameStore))).toBe(true);
  });

  it('tell each other of commits: a watch on one hears of a write through another', async () => {
    const [a, b] = replicas as [ServerProcess, ServerProcess];
    const [writer, watcher] = [new EtcdClient(a.endpoint), new EtcdClient(b.endpoint)];
    try {
      const stream = watcher.stream('Watch/Watch');
      stream.send({ create_request: { key: Buffer.from('k') } });
      await stream.take();
      const before = await commitsTold(b);
      const appliedBefore = await metric(b, 'kedge_batches_ahead_applied_total');
      for (let i = 0; i < 20; i++) {
        const value = Buffer.from(`value ${i}`);
        const { header } = await writer.call('KV/Put', { key: Buffer.from('k'), value });
        const { events = [] } = await stream.take();
        expect(events[0]?.kv?.value.equals(value)).toBe(true);
        expect(events[0]?.kv?.mod_revision).toBe(header?.revision);
        await pause(20);
      }
      expect(await commitsTold(b)).toBeGreaterThanOrEqual(before + 18);
      // What was in it came from there as well.
      expect(await metric(b, 'kedge_batches_ahead_applied_total')).toBeGreaterThanOrEqual(appliedBefore + 15);
      // A commit is told of by who made it, and by nobody else.
      expect(await commitsTold(a)).toBe(0);
    } finally {
      writer.close();
      watcher.close();
    }
  });

  it('are one member list, each with an id of its own', async () => {
    const client = new EtcdClient(replicas[0]?.endpoint ?? '');
    try {
      const { members = [] } = await client.call('Cluster/MemberList', {});
      expect(members.map(({ name }) => name).sort()).toEqual(['replica-0', 'replica-1', 'replica-2']);
      expect(new Set(members.map(({ ID }) => ID)).size).toBe(3);
      expect(members.flatMap(({ clientURLs }) => clientURLs).sort()).toEqual(
        replicas.map(({ endpoint }) => `http://${endpoint}`).sort(),
      );
    } finally {
      client.close();
    }
  });

  it('are named for no duties while the database is away, stay linked, and are named again when it is back', async () => {
    await database.stop('kill');
    const client = new EtcdClient(replicas[0]?.endpoint ?? '', { timeoutMs: 2000 });
    try {
      await untilTrue(async () => {
        // Somebody must ask for it to be noticed: here clients, elsewhere leases and compaction do.
        await Promise.all(
          replicas.map(async ({ endpoint }) => {
            const asking = new EtcdClient(endpoint, { timeoutMs: 1000 });
            await asking.call('KV/Range', { key: Buffer.from('k') }).catch(() => undefined);
            asking.close();
          }),
        );
        return (await Promise.all(replicas.map(report))).every(({ self }) => !self.ability.isAble);
      });
      const reports = await Promise.all(replicas.map(report));
      expect(reports[0]?.self.ability.reason).toBe('its database does not answer');
      await untilTrue(async () =>
        (await Promise.all(replicas.map(report))).every(({ members }) =>
          members.every(({ ability }) => !ability.isAble),
        ),
      );
      expect(await ruled()).toEqual([]);
      expect((await Promise.all(replicas.map(report))).map(({ linked }) => linked)).toEqual([2, 2, 2]);
      await database.run();
      await untilTrue(async () => (await ruled()).length === DUTIES);
    } finally {
      client.close();
    }
  });
});

async function untilTrue(holds: () => Promise<boolean>, withinMs = 60_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms`);
    await pause(50);
  }
}
