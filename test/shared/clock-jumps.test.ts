import { afterEach, describe, expect, it } from 'vitest';
import { EtcdClient } from '../support/client.ts';
import { FakeTime, hasFakeTime } from '../support/fake-time.ts';
import { Random, seedOf } from '../support/random.ts';
import { DATABASES, pause } from './database.ts';
import { Fleet } from './fleet.ts';
import { everything, type Load, PREFIX } from './load.ts';
import { kedgeCheck, Run, showUnanswered } from './run.ts';

/*
 * The clocks of all three replicas jump, days ahead and days back, each on its own; the database's does not. Nothing may
 * come of it: leases live by the database's clock. One that is kept alive stays, one that has an hour keeps it, one that
 * nobody keeps alive ends, and all under load with every history checked.
 */
const seed = seedOf(31);
const DAY_SECONDS = 86_400;
/** A machine that is busy keeps a lease late. */
const KEPT_SECONDS = 12;
const LEFT_SECONDS = 3;
const LONG_SECONDS = 3_600;

for (const { name, isThere, start } of DATABASES) {
  describe.skipIf(!isThere || !hasFakeTime())(`replicas on ${name} whose clocks jump`, () => {
    const closing: (() => Promise<void>)[] = [];
    afterEach(async () => {
      for (const close of closing.splice(0).reverse()) await close();
    });

    it("keep leases by the database's clock, and everything else", async () => {
      const database = await start();
      closing.push(() => database.dispose());
      const clocks = [new FakeTime(), new FakeTime(), new FakeTime()];
      // Wrong from the start, each in its own way.
      clocks.forEach((clock, i) => {
        clock.jump((i - 1) * DAY_SECONDS);
      });
      const url = database.url();
      const fleet = await Fleet.start(clocks.map(({ environment }) => ({ url, environment })));
      closing.push(() => fleet.stop());
      expect(await clockDifferences(fleet)).toEqual([1, 0, -1]);
      const clients = fleet.endpoints.map((endpoint) => new EtcdClient(endpoint));
      closing.push(async () => {
        for (const client of clients) client.close();
      });
      const random = new Random(seed);
      const at = (): EtcdClient => random.pick(clients);
      const load = await new Run(fleet).through(random, async (running) => {
        const kept = await grant(at(), running, 'kept', KEPT_SECONDS);
        const long = await grant(at(), running, 'long', LONG_SECONDS);
        const left = await grant(at(), running, 'left', LEFT_SECONDS);
        for (let i = 0; i < KEPT_SECONDS + 2; i += 1) {
          random.pick(clocks).jump(random.between(-3, 3) * DAY_SECONDS + random.between(-5_000, 5_000));
          expect(await keepAlive(at(), kept), 'kept alive').toBe(KEPT_SECONDS);
          await pause(1_000);
        }
        for (let i = 0; (await leftSeconds(at(), left)) !== -1; i += 1) {
          if (i > 120) throw new Error('a lease that nobody keeps does not end');
          await keepAlive(at(), kept);
          await pause(250);
        }
        expect(await leftSeconds(at(), kept)).toBeGreaterThanOrEqual(0);
        const seconds = await leftSeconds(at(), long);
        expect(seconds).toBeGreaterThan(LONG_SECONDS / 2);
        expect(seconds).toBeLessThanOrEqual(LONG_SECONDS);
        const { kvs } = await at().call('KV/Range', everything);
        const there = kvs.map(({ key }) => key.toString());
        expect(there.filter((key) => key.startsWith(`${PREFIX}lease/`))).toEqual([keyOf('kept'), keyOf('long')]);
        // Else it ended while the history is told.
        note(running, { kind: 'delete', key: keyOf('kept') });
        await at().call('Lease/LeaseRevoke', { ID: kept });
      });
      console.log(`${name}: seed ${seed}, ${load.calls.length} calls, unanswered: ${showUnanswered(load)}`);
      expect(await kedgeCheck(fleet.endpoints)).toContain('all replicas hold the same');
    }, 180_000);
  });
}

/** A lease and a key that goes with it. */
async function grant(client: EtcdClient, load: Load, name: string, ttl: number): Promise<string> {
  const { ID } = await client.call('Lease/LeaseGrant', { TTL: ttl });
  const value = `of ${name}`;
  note(load, { kind: 'put', keys: [keyOf(name)], value });
  await client.call('KV/Put', { key: Buffer.from(keyOf(name)), value: Buffer.from(value), lease: ID });
  if (name === 'left') note(load, { kind: 'delete', key: keyOf(name) });
  return ID;
}

/** What the checker of the history must know of: it may happen from now on. */
function note(load: Load, what: Load['calls'][number]['what']): void {
  const nowMs = performance.now();
  load.calls.push({ beganMs: nowMs, endedMs: nowMs, what, answer: undefined });
}

function keyOf(name: string): string {
  return `${PREFIX}lease/${name}`;
}

async function keepAlive(client: EtcdClient, id: string): Promise<number> {
  const stream = client.stream('Lease/LeaseKeepAlive');
  stream.send({ ID: id });
  const { TTL } = await stream.take();
  stream.cancel();
  return Number(TTL);
}

async function leftSeconds(client: EtcdClient, id: string): Promise<number> {
  return Number((await client.call('Lease/LeaseTimeToLive', { ID: id })).TTL);
}

/** In whole days, as metrics tell them. */
async function clockDifferences(fleet: Fleet): Promise<number[]> {
  const seconds = await Promise.all(
    fleet.endpoints.map((_, i) => fleet.metric(i, 'kedge_database_clock_difference_seconds')),
  );
  return seconds.map((each) => Math.round(each / DAY_SECONDS) + 0);
}
