import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EtcdClient } from '../support/client.ts';
import { mustHave, startEtcd } from '../support/etcd.ts';
import { startKedge } from '../support/kedge.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { clientScenarios } from './client-scenarios.ts';
import { scenarios, Told } from './scenarios.ts';

/** Locks, elections, queues and barriers side by side with the real etcd: the same story, word for word the same answers. */
describe.skipIf(!mustHave('3.5'))('recipes, as etcd 3.5 answers them', () => {
  let etcd: ServerProcess;
  let kedge: ServerProcess;
  let clients: EtcdClient[];

  beforeAll(async () => {
    [etcd, kedge] = await Promise.all([startEtcd('3.5'), startKedge()]);
    clients = [etcd, kedge].map(({ endpoint }) => new EtcdClient(endpoint));
  }, 60_000);

  afterAll(async () => {
    for (const client of clients) client.close();
    await Promise.all([etcd.kill(), kedge.kill()]);
  });

  test.each([...scenarios, ...clientScenarios])(
    '$name',
    async ({ run }) => {
      const [theirs, ours] = await Promise.all(
        clients.map(async (client) => {
          const told = new Told();
          await run(client, told);
          return told.lines;
        }),
      );
      expect(theirs?.length).toBeGreaterThan(0);
      expect(ours).toEqual(theirs);
    },
    60_000,
  );
});
