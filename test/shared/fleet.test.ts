import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { showEvent } from '../crash/journal.ts';
import { Random, seedOf } from '../support/random.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';
import { DATABASES, type Database, pause } from './database.ts';
import { Fleet } from './fleet.ts';
import { checkHistory } from './history.ts';
import { LiveWatch } from './live-watch.ts';
import { Load } from './load.ts';

/**
 * Three kedges on one real database, clients that write and read through all of them, and something that goes wrong.
 * Afterwards the history of every call must be linearizable, no answered write lost, every replica's watch must have
 * told every event once and in order, and all replicas must hash to the same. KEDGE_SHARED_ROUNDS makes it longer.
 */
const rounds = Number(process.env['KEDGE_SHARED_ROUNDS'] ?? 1);
const CLIENTS = 12;
const seed = seedOf(17);

interface Stage {
  readonly database: Database;
  readonly fleet: Fleet;
  readonly proxies: readonly TcpProxy[];
  readonly random: Random;
}

const FAULTS: Readonly<Record<string, (stage: Stage) => Promise<void>>> = {
  'nothing at all': () => pause(3_000),
  'kill -9 of replicas, one after the other': async ({ fleet, random }) => {
    for (let i = 0; i < 4; i += 1) {
      const victim = random.below(3);
      await pause(random.between(200, 900));
      await fleet.killReplica(victim);
      await pause(random.between(0, 300));
      await fleet.startReplica(victim);
    }
  },
  'kill -9 of the database': async ({ database, random }) => {
    for (let i = 0; i < 2; i += 1) {
      await pause(random.between(300, 1_000));
      await database.crash();
    }
    await pause(1_000);
  },
  'a restart of the database': async ({ database }) => {
    await pause(500);
    await database.restart();
    await pause(1_000);
  },
  'a database that stands still': async ({ database }) => {
    await pause(500);
    await database.freeze(6_000);
    await pause(1_000);
  },
  'connections that are cut, in the middle of commits too': async ({ proxies, random }) => {
    for (let i = 0; i < 60; i += 1) {
      const proxy = random.pick(proxies);
      const die = random.below(3);
      if (die === 0) proxy.cutUpAfter(random.between(1, 4_000));
      else if (die === 1) proxy.cutDownAfter(random.between(1, 400));
      else proxy.cutAll();
      await pause(random.between(20, 120));
    }
    for (const proxy of proxies) proxy.disarm();
  },
  'a replica that is cut off from the database': async ({ proxies }) => {
    await pause(300);
    proxies[1]?.refuse(true);
    proxies[1]?.cutAll();
    await pause(4_000);
    proxies[1]?.refuse(false);
    await pause(500);
  },
  'a slow way to the database': async ({ proxies }) => {
    for (const proxy of proxies) proxy.delayMs = 100;
    await pause(3_000);
    for (const proxy of proxies) proxy.delayMs = 0;
  },
  'a replica that is stopped and wakes up': async ({ fleet }) => {
    await pause(300);
    const { pid } = fleet.replica(2);
    process.kill(pid, 'SIGSTOP');
    await pause(8_000);
    process.kill(pid, 'SIGCONT');
    await pause(500);
  },
};

for (const { name, isThere, start } of DATABASES) {
  describe.skipIf(!isThere)(`three replicas on ${name}`, () => {
    let database: Database;
    let fleet: Fleet;
    const proxies: TcpProxy[] = [];

    beforeAll(async () => {
      database = await start();
      for (let i = 0; i < 3; i += 1) proxies.push(await database.proxy());
      fleet = await Fleet.start(proxies.map((proxy) => database.url(proxy)));
    }, 120_000);

    afterAll(async () => {
      await fleet?.stop();
      for (const proxy of proxies) await proxy.stop();
      await database?.dispose();
    }, 60_000);

    for (const [fault, happen] of Object.entries(FAULTS)) {
      it(`stay one store: ${fault}`, { timeout: 180_000 * rounds }, async () => {
        for (let round = 0; round < rounds; round += 1) {
          const random = new Random(seed + round);
          const load = await runWith({ database, fleet, proxies, random }, happen);
          const lost = [...load.unanswered].map(([code, count]) => `${code} ${count}`).join(', ');
          console.log(
            `${name}, ${fault}: seed ${seed + round}, ${load.calls.length} calls, unanswered: ${lost || 'none'}`,
          );
        }
      });
    }
  });
}

/** Every load's history begins where the last one's ended: the log is checked as a whole, the calls of all loads too. */
const loads = new Map<Database, Load[]>();

async function runWith(stage: Stage, happen: (stage: Stage) => Promise<void>): Promise<Load> {
  const { database, fleet, random } = stage;
  const earlier = loads.get(database) ?? [];
  const load = new Load(fleet.endpoints, random, earlier.at(-1));
  loads.set(database, [...earlier, load]);
  const watches = await Promise.all(fleet.endpoints.map((endpoint) => LiveWatch.start(endpoint)));
  const running = load.run(CLIENTS);
  await happen(stage);
  await fleet.healthy();
  const before = load.answered;
  for (let i = 0; load.answered < before + 50 && i < 300; i += 1) await pause(100);
  expect(load.answered, 'all go on after it').toBeGreaterThanOrEqual(before + 50);
  load.stop();
  await running;
  await fleet.quiet();
  const logs = await Promise.all(fleet.endpoints.map((_, i) => fleet.events(i)));
  const [log] = logs;
  if (log === undefined) throw new Error('no replicas');
  for (const other of logs) expect(other.map(showEvent)).toEqual(log.map(showEvent));
  checkHistory(
    [...earlier, load].flatMap(({ calls }) => calls),
    log,
  );
  const newest = Number(log.at(-1)?.kv?.mod_revision ?? 1);
  for (const watch of watches) await watch.check(log, newest);
  expect(new Set(await fleet.hashes()).size, 'replicas hash to the same').toBe(1);
  return load;
}
