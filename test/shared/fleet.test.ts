import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random, seedOf } from '../support/random.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { DATABASES, type Database, pause } from './database.ts';
import { Fleet, peerArgs } from './fleet.ts';
import { kedgeCheck, Run, showUnanswered } from './run.ts';

/**
 * Three kedges on one real database, clients that write and read through all of them, and something that goes wrong.
 * Afterwards the history of every call must be linearizable, no answered write lost, every replica's watch must have
 * told every event once and in order, and all replicas must hash to the same; at the end `kedge check` must be content.
 * KEDGE_SHARED_ROUNDS makes it longer, KEDGE_FREEZE_SECONDS the time that the database stands still, KEDGE_SEED another.
 */
const rounds = Number(process.env['KEDGE_SHARED_ROUNDS'] ?? 1);
const freezeMs = 1000 * Number(process.env['KEDGE_FREEZE_SECONDS'] ?? 6);
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
    await database.freeze(freezeMs);
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
    let run: Run;
    const proxies: TcpProxy[] = [];

    beforeAll(async () => {
      database = await start();
      for (let i = 0; i < 3; i += 1) proxies.push(await TcpProxy.start(database.port));
      // Two are linked, one knows nothing of them: each has news by both ways.
      fleet = await Fleet.start(
        proxies.map((proxy, i) => ({ url: database.url(proxy), args: i < 2 ? peerArgs(i) : [] })),
      );
      run = new Run(fleet);
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
          const load = await run.through(random, () => happen({ database, fleet, proxies, random }));
          console.log(
            `${name}, ${fault}: seed ${seed + round}, ${load.calls.length} calls, unanswered: ${showUnanswered(load)}`,
          );
        }
      });
    }

    it('were all asked everything, and are found well by kedge check', async () => {
      run.expectAllAsked();
      for (const i of [0, 1]) expect(await fleet.metric(i, 'kedge_batches_ahead_applied_total')).toBeGreaterThan(0);
      expect(await kedgeCheck(fleet.endpoints)).toContain('all replicas hold the same');
    });
  });
}
