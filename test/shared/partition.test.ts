import { afterEach, describe, expect, it } from 'vitest';
import { Door } from '../peers/partition.ts';
import { EtcdClient, RpcError } from '../support/client.ts';
import { NetworkNamespace } from '../support/network-namespace.ts';
import { Random, seedOf } from '../support/random.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { DATABASES, type Database, pause } from './database.ts';
import { Fleet, type Place } from './fleet.ts';
import { everything, PREFIX } from './load.ts';
import { kedgeCheck, Run, showUnanswered } from './run.ts';

/*
 * The way from one of three replicas to the database is cut without a sound: what is sent arrives nowhere, nothing is
 * refused, nothing ends. Nobody may wait for TCP to give up, which takes minutes: what needs the database fails well
 * within an ordinary deadline, what does not goes on, and so do the other replicas. Healed, it is back.
 *
 * By a network namespace where this machine allows one, else by a door that loses bytes. KEDGE_PARTITION_SECONDS makes
 * it longer, KEDGE_PARTITION=door takes the door.
 */
const seed = seedOf(29);
const cutMs = 1000 * Number(process.env['KEDGE_PARTITION_SECONDS'] ?? 6);
const CUT_OFF = 2;

interface Way {
  readonly kind: string;
  /** Within which what cannot be done must be refused. */
  readonly deadlineMs: number;
  readonly place: Place;
  cut(): void;
  heal(): void;
  close(): Promise<void>;
}

async function wayTo(database: Database): Promise<Way> {
  const isByDoor = process.env['KEDGE_PARTITION'] === 'door' || !NetworkNamespace.isAllowed();
  return isByDoor ? doorTo(database) : namespaceBefore(database);
}

async function doorTo(database: Database): Promise<Way> {
  const door = await Door.open('127.0.0.1', 0, () => `127.0.0.1:${database.port}`);
  const port = Number(door.address.split(':')[1]);
  return {
    kind: 'a door',
    // It takes new connections, as a server would that stands still: that is waited for.
    deadlineMs: 60_000,
    place: { url: database.url({ host: '127.0.0.1', port }) },
    cut: () => door.shut(),
    heal: () => door.reopen(),
    close: async () => door.close(),
  };
}

async function namespaceBefore(database: Database): Promise<Way> {
  const namespace = NetworkNamespace.make();
  const proxy = await TcpProxy.start(database.port, namespace.outerHost);
  return {
    kind: 'a network namespace',
    deadlineMs: 30_000,
    place: { url: database.url(proxy), host: namespace.innerHost, prefix: namespace.prefix },
    cut: () => namespace.cut(),
    heal: () => namespace.heal(),
    async close() {
      await proxy.stop();
      namespace.remove();
    },
  };
}

for (const { name, isThere, start } of DATABASES) {
  describe.skipIf(!isThere)(`a replica that is cut off from ${name} without a sound`, () => {
    const closing: (() => Promise<void>)[] = [];
    afterEach(async () => {
      for (const close of closing.splice(0).reverse()) await close();
    });

    it('refuses in time, keeps nobody waiting, and comes back', async () => {
      const database = await start();
      closing.push(() => database.dispose());
      const way = await wayTo(database);
      closing.push(() => way.close());
      const url = database.url();
      const fleet = await Fleet.start([{ url }, { url }, way.place]);
      closing.push(() => fleet.stop());
      const run = new Run(fleet);
      const told: string[] = [];
      const load = await run.through(new Random(seed), async () => {
        await pause(1_000);
        const beganMs = performance.now();
        way.cut();
        const endpoint = fleet.endpoints[CUT_OFF] ?? '';
        expect(await outcome(endpoint, serializable, way.deadlineMs)).toMatch(/^answered/);
        // Some come at once, when nobody knows yet, others later.
        const calls = [read, write, read, write, grant].map(async (call, i) => {
          await pause(i * 1_000);
          const said = await outcome(endpoint, call, way.deadlineMs);
          told.push(`${call.name} ${said}`);
          // Unknown: a write that was on its way when the wire was cut.
          expect(said, call.name).toMatch(call === read ? /^UNAVAILABLE/ : /^UNAVAILABLE|^UNKNOWN/);
        });
        await Promise.all(calls);
        expect(await outcome(endpoint, serializable, way.deadlineMs)).toMatch(/^answered/);
        await pause(Math.max(0, cutMs - (performance.now() - beganMs)));
        way.heal();
        const healedMs = performance.now();
        for (let i = 0; !(await outcome(endpoint, read, way.deadlineMs)).startsWith('answered'); i += 1) {
          if (i > 100) throw new Error('the replica does not come back');
          await pause(100);
        }
        told.push(`back after ${seconds(healedMs)}`);
      });
      console.log(`${name}, by ${way.kind}: ${told.join('; ')}; load unanswered: ${showUnanswered(load)}`);
      expect(await kedgeCheck(fleet.endpoints)).toContain('all replicas hold the same');
    }, 240_000);
  });
}

function serializable(client: EtcdClient): Promise<unknown> {
  return client.call('KV/Range', { ...everything, serializable: true, count_only: true });
}

function read(client: EtcdClient): Promise<unknown> {
  return client.call('KV/Range', { ...everything, count_only: true });
}

/** Not a key of the load's: its history is checked. */
function write(client: EtcdClient): Promise<unknown> {
  return client.call('KV/DeleteRange', { key: Buffer.from(`${PREFIX}nobody`) });
}

function grant(client: EtcdClient): Promise<unknown> {
  return client.call('Lease/LeaseGrant', { TTL: 60 });
}

/** What a call came to, and how long it took. */
async function outcome(
  endpoint: string,
  call: (client: EtcdClient) => Promise<unknown>,
  timeoutMs: number,
): Promise<string> {
  const client = new EtcdClient(endpoint, { timeoutMs });
  const beganMs = performance.now();
  try {
    await call(client);
    return `answered after ${seconds(beganMs)}`;
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    return `${error.code} after ${seconds(beganMs)}`;
  } finally {
    client.close();
  }
}

function seconds(sinceMs: number): string {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;
}
