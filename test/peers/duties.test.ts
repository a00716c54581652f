import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXPIRE_DUTIES } from '../../src/mvcc/duty-names.ts';
import type { DutyReport, PeersReport } from '../../src/peers/report.ts';
import { EtcdClient } from '../support/client.ts';
import { freePort } from '../support/ports.ts';
import { hasPostgres, PostgresServer } from '../support/postgres.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { pause } from './member.ts';
import { startPatiently } from './patient-kedge.ts';

/** Replicas that share out the duties of one PostgreSQL: who has which, and what becomes of them when one dies or freezes. */
describe.runIf(hasPostgres())('duties of replicas on one PostgreSQL', { timeout: 240_000 }, () => {
  let database: PostgresServer;
  let url = '';
  const replicas: ServerProcess[] = [];
  const start = async (i: number): Promise<ServerProcess> => {
    const args = [
      ...[`--name=replica-${i}`, `--store=${url}`, `--peer-listen=127.0.7.${i + 1}:0`, '--peer-trust=store'],
      ...['--peer-heartbeat=1s', '--peer-dead-after=5s', '--check-interval=1s'],
    ];
    const folder = temporaryFolder('replica');
    return await startPatiently(join(folder, 'data'), await freePort(), args, folder);
  };

  beforeAll(async () => {
    database = await PostgresServer.start();
    url = database.url(database.freshDatabase());
    for (let i = 0; i < 3; i++) replicas.push(await start(i));
    await untilAllLinked();
    // A lease in each part, so that each has something to be looked after.
    const client = new EtcdClient(replicas[0]?.endpoint ?? '');
    for (const [part] of EXPIRE_DUTIES.entries()) {
      await client.call('Lease/LeaseGrant', { ID: String(1600 + part), TTL: 3600 });
    }
    client.close();
  }, 300_000);

  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.kill()));
    await database.dispose();
  });

  const alive = (): ServerProcess[] => replicas.filter((replica) => replica.alive);
  const report = async (replica: ServerProcess): Promise<PeersReport> =>
    (await (await fetch(`http://${replica.endpoint}/peers`)).json()) as PeersReport;
  const untilAllLinked = (): Promise<void> =>
    untilTrue(async () =>
      (await Promise.all(alive().map(report))).every(({ linked }) => linked === alive().length - 1),
    );
  const expireDuties = ({ duties }: PeersReport): readonly DutyReport[] =>
    duties.filter(({ name }) => EXPIRE_DUTIES.includes(name));
  const holders = (seen: PeersReport): Map<string, string | undefined> =>
    new Map(expireDuties(seen).map(({ name, holder }) => [name, holder]));

  /** Until every part is done by whom the rule names, as this replica sees it. */
  async function settled(witness: ServerProcess): Promise<PeersReport> {
    await untilTrue(async () =>
      expireDuties(await report(witness)).every(({ holder, owner }) => holder !== undefined && holder === owner),
    );
    return await report(witness);
  }

  /** Leases of two seconds in these parts, each with a key; the promise within: when each ended, after its grant. */
  async function shortLeases(endpoint: string, parts: readonly string[]) {
    const client = new EtcdClient(endpoint, { timeoutMs: 60_000 });
    const stream = client.stream('Watch/Watch');
    stream.send({ create_request: { key: Buffer.from('short/'), range_end: Buffer.from('short0') } });
    await stream.take();
    const askedMs = new Map<string, number>();
    for (const part of parts) {
      const id = String(160_000 + 16 * leases++ + EXPIRE_DUTIES.indexOf(part));
      askedMs.set(`short/${id}`, performance.now());
      await client.call('Lease/LeaseGrant', { ID: id, TTL: 2 });
      await client.call('KV/Put', { key: Buffer.from(`short/${id}`), value: Buffer.from('v'), lease: id });
    }
    const until = async (): Promise<number[]> => {
      const tookMs: number[] = [];
      while (tookMs.length < parts.length) {
        for (const { type, kv } of (await stream.take()).events ?? []) {
          if (type === 'DELETE') tookMs.push(performance.now() - (askedMs.get(kv?.key.toString() ?? '') ?? 0));
        }
      }
      client.close();
      return tookMs;
    };
    return { ended: until() };
  }
  let leases = 0;

  it('are shared out, each done by whom the rule names, and all see the same', async () => {
    const seen = await Promise.all(alive().map(settled));
    const [first] = seen;
    if (first === undefined) throw new Error('nobody');
    for (const each of seen) expect(holders(each)).toEqual(holders(first));
    expect(new Set(holders(first).values()).size).toBeGreaterThan(1);
    const held = seen.flatMap(({ self }) => self.duties.filter((name) => EXPIRE_DUTIES.includes(name)));
    expect(held.sort()).toEqual(EXPIRE_DUTIES);
    expect(first.duties.map(({ name }) => name)).toEqual([...EXPIRE_DUTIES, 'compact', 'vacuum', 'check']);
    // One check a second for all three, not three.
    await untilTrue(async () => (await dutyNamed('check')).epoch > 5);
    const checks = await Promise.all(alive().map((replica) => metric(replica, /^kedge_check_runs_total (\d+)$/m)));
    const { epoch } = await dutyNamed('check');
    expect(checks.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(epoch + 3);
  });

  it('are in the metrics of each', async () => {
    const [replica] = alive() as [ServerProcess];
    const text = await (await fetch(`http://${replica.endpoint}/metrics`)).text();
    const epochs = [...text.matchAll(/^kedge_duty_epoch\{duty="(expire-\d\d)"\} (\d+)$/gm)];
    expect(epochs.map(([, name]) => name)).toEqual(EXPIRE_DUTIES);
    for (const [, , epoch] of epochs) expect(Number(epoch)).toBeGreaterThan(0);
    expect([...text.matchAll(/^kedge_duty_late_seconds\{duty="expire-\d\d"\} [\d.e-]+$/gm)]).toHaveLength(16);
    const { self } = await report(replica);
    expect(text).toMatch(new RegExp(`^kedge_duties_held ${self.duties.length}$`, 'm'));
    expect(text).toMatch(/^kedge_duty_runs_total [1-9]\d*$/m);
  });

  it('of one that is killed move to others, those of others stay, and leases end in time, none early', async () => {
    const [witness, victim] = alive() as [ServerProcess, ServerProcess];
    const before = await settled(witness);
    const victimId = (await report(victim)).self.id;
    const orphans = expireDuties(before).filter(({ holder }) => holder === victimId);
    expect(orphans.length).toBeGreaterThan(0);
    const { ended } = await shortLeases(
      witness.endpoint,
      orphans.map(({ name }) => name),
    );
    await victim.kill();
    for (const tookMs of await ended) expect(tookMs).toBeGreaterThan(2000);
    const after = await settled(witness);
    for (const [name, holder] of holders(before)) {
      if (holder === victimId) expect(holders(after).get(name)).not.toBe(victimId);
      else expect(holders(after).get(name)).toBe(holder);
    }
    replicas.push(await start(3));
    await untilAllLinked();
  });

  it('of one that is frozen are done by others, and nothing bad comes of it when it wakes', async () => {
    const [witness] = alive() as [ServerProcess];
    const before = await settled(witness);
    const frozen = alive().at(-1) ?? witness;
    const frozenId = (await report(frozen)).self.id;
    const orphans = expireDuties(before).filter(({ holder }) => holder === frozenId);
    expect(orphans.length).toBeGreaterThan(0);
    const { ended } = await shortLeases(
      witness.endpoint,
      orphans.map(({ name }) => name),
    );
    process.kill(frozen.pid, 'SIGSTOP');
    try {
      for (const tookMs of await ended) expect(tookMs).toBeGreaterThan(2000);
      const during = await report(witness);
      for (const { name } of orphans) expect(holders(during).get(name)).not.toBe(frozenId);
    } finally {
      process.kill(frozen.pid, 'SIGCONT');
    }
    await untilAllLinked();
    frozen.mustBeAlive();
    const again = await shortLeases(frozen.endpoint, EXPIRE_DUTIES);
    const tooks = await again.ended;
    expect(tooks).toHaveLength(16);
    for (const tookMs of tooks) expect(tookMs).toBeGreaterThan(2000);
  });

  it('are taken at once when a replica takes its leave', async () => {
    const [leaver, witness] = alive().reverse() as [ServerProcess, ServerProcess];
    const leaverId = (await report(leaver)).self.id;
    expect(await leaver.stop()).toBe(0);
    await settled(witness);
    expect([...holders(await report(witness)).values()]).not.toContain(leaverId);
  });

  async function dutyNamed(name: string): Promise<DutyReport> {
    const found = (await report(alive()[0] as ServerProcess)).duties.find((duty) => duty.name === name);
    if (found === undefined) throw new Error(`no duty ${name}`);
    return found;
  }

  async function metric(replica: ServerProcess, what: RegExp): Promise<number> {
    const text = await (await fetch(`http://${replica.endpoint}/metrics`)).text();
    const found = what.exec(text);
    if (found === null) throw new Error(`no ${what} in the metrics`);
    return Number(found[1]);
  }
});

async function untilTrue(holds: () => Promise<boolean>, withinMs = 90_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms`);
    await pause(50);
  }
}
