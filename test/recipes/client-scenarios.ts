import type { EtcdClient } from '../support/client.ts';
import { Barrier, DoubleBarrier, Queue } from './client-recipes.ts';
import type { Scenario } from './scenarios.ts';

const TTL_SECONDS = 60;
const ELEMENTS = 20;

/** Stories of the recipes that clients play on keys, leases and watches. */
export const clientScenarios: readonly Scenario[] = [
  {
    name: 'a queue gives in the order of putting in, and waits when it is empty',
    async run(client, told) {
      const queue = new Queue(client, 'queue/one/');
      // Names do not count, only when they came.
      for (const name of ['c', 'a', 'b']) told.note(`${name} ${await queue.put(name, `value of ${name}`)}`);
      told.note(`a again ${await queue.put('a', 'another')}`);
      for (let i = 0; i < 3; i++) told.note(await queue.take());
      const late = queue.take();
      told.note(`late ${await queue.put('a', 'late')}`);
      told.note(await late);
    },
  },
  {
    name: 'a queue gives each element to one of many takers',
    async run(client, told) {
      const queue = new Queue(client, 'queue/many/');
      const taken = Array.from({ length: ELEMENTS }, () => queue.take());
      await Promise.all(Array.from({ length: ELEMENTS }, (_, i) => queue.put(`${i % 7}-${i}`, `${i}`)));
      const values = (await Promise.all(taken)).map(Number).sort((a, b) => a - b);
      told.note(values.join());
      told.note(`${new Set(values).size} of ${ELEMENTS}`);
    },
  },
  {
    name: 'a queue by priority gives the smallest key first, whenever it came',
    async run(client, told) {
      const queue = new Queue(client, 'queue/priority/', true);
      for (const priority of ['05', '01', '09', '03']) await queue.put(priority, `priority ${priority}`);
      told.note(await queue.take());
      await queue.put('00', 'late and urgent');
      for (let i = 0; i < 4; i++) told.note(await queue.take());
    },
  },
  {
    name: 'a barrier holds all, and lets all go at once',
    async run(client, told) {
      const barrier = new Barrier(client, 'barrier/simple');
      await barrier.wait();
      told.note(`held ${await barrier.hold()}, again ${await barrier.hold()}`);
      let through = 0;
      const waiting = Array.from({ length: 5 }, () => barrier.wait().then(() => through++));
      await new Promise((resolve) => setTimeout(resolve, 100));
      told.note(`through before: ${through}`);
      await barrier.release();
      await Promise.all(waiting);
      told.note(`through after: ${through}`);
      await barrier.wait();
    },
  },
  {
    name: 'a double barrier lets nobody in before all are there, nobody out before all go, and one too many never',
    async run(client, told) {
      const [first, second, third, fourth] = await members(client, 'barrier/double/', [0x201, 0x202, 0x203, 0x204]);
      let inside = 0;
      const entering = [first, second].map((member) => member?.enter().then((is) => (inside += is ? 1 : 0)));
      await untilWaiters(client, 'barrier/double/', 2);
      told.note(`inside with two: ${inside}`);
      await Promise.all([...entering, third?.enter().then((is) => (inside += is ? 1 : 0))]);
      told.note(`inside with three: ${inside}`);
      told.note(`a fourth: ${await fourth?.enter()}`);
      let outside = 0;
      const leaving = [second, first].map((member) => member?.leave().then(() => outside++));
      await untilWaiters(client, 'barrier/double/', 2);
      told.note(`outside with two: ${outside}`);
      // The third one dies instead of leaving: its lease ends, and with it its key.
      await client.call('Lease/LeaseRevoke', { ID: 0x203 });
      await Promise.all(leaving);
      told.note(`outside with three: ${outside}`);
      const { count } = await client.call('KV/Range', {
        key: Buffer.from('barrier/double/'),
        range_end: Buffer.from('barrier/double0'),
      });
      told.note(`keys left: ${count}`);
    },
  },
];

async function members(client: EtcdClient, prefix: string, ids: readonly number[]): Promise<readonly DoubleBarrier[]> {
  for (const ID of ids) await client.call('Lease/LeaseGrant', { ID, TTL: TTL_SECONDS });
  return ids.map((id) => new DoubleBarrier(client, prefix, 3, id));
}

/** Until as many keys are there, and those who wait had the time to be wrong. */
async function untilWaiters(client: EtcdClient, prefix: string, count: number): Promise<void> {
  const range = { key: Buffer.from(`${prefix}waiters/`), range_end: Buffer.from(`${prefix}waiters0`) };
  while ((await client.call('KV/Range', range)).kvs.length !== count) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
}
