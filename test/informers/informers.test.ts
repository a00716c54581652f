import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { EtcdClient } from '../support/client.ts';
import { Random, seedOf } from '../support/random.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { startSubject } from '../support/subject.ts';
import { apply, difference, list, registry } from './informer.ts';
import { write } from './writers.ts';

/**
 * What an informer believes after list and watch is what is there. List, watch from behind the list's revision, apply
 * events while others write, ask for progress, and compare with a list of exactly that revision: thousands of times.
 * KEDGE_INFORMER_ROUNDS makes it longer.
 */
const rounds = Number(process.env['KEDGE_INFORMER_ROUNDS'] ?? 2000);
const INFORMERS = 8;
const WRITERS = 4;
const seed = seedOf(11);
let server: ServerProcess;
let writing = true;
let writers: Promise<number[]>;
const clients: EtcdClient[] = [];

function newClient(): EtcdClient {
  const client = new EtcdClient(server.endpoint);
  clients.push(client);
  return client;
}

beforeAll(async () => {
  server = await startSubject({
    args: ['--watch-progress-notify-interval=100ms'],
    etcdArgs: ['--experimental-watch-progress-notify-interval=100ms'],
  });
  writers = Promise.all(
    Array.from({ length: WRITERS }, (_, i) => write(newClient(), new Random(seed + i), () => writing)),
  );
});

afterEach(() => server.mustBeAlive());

afterAll(async () => {
  writing = false;
  console.log(`informers: seed ${seed}, writes ${(await writers.catch(String)).toString()}`);
  for (const client of clients) client.close();
  await server.kill();
});

describe('an informer', () => {
  test(`believes what is there, ${rounds} rounds`, { timeout: 300_000 }, async () => {
    const informer = async (number: number) => {
      const random = new Random(seed + 100 + number);
      const client = newClient();
      for (let round = 0; round < rounds / INFORMERS; round++) await listAndWatch(client, random);
    };
    await Promise.all(Array.from({ length: INFORMERS }, (_, i) => informer(i)));
  });

  test('is never told progress ahead of events', { timeout: 120_000 }, async () => {
    const client = newClient();
    const stream = client.stream('Watch/Watch');
    const { picture, revision } = await list(client, 0);
    stream.send({ create_request: { ...registry, start_revision: revision + 1, progress_notify: true } });
    // A watch of something that nobody writes: it is told of progress while the other is told of events.
    const quiet = client.stream('Watch/Watch');
    quiet.send({ create_request: { key: Buffer.from('/quiet'), progress_notify: true } });
    expect((await quiet.take()).created).toBe(true);
    let newest = revision;
    for (let notified = 0; notified < 20; ) {
      const heard = await quiet.take();
      if (heard.events.length > 0) throw new Error('an event out of nothing');
      notified++;
      // Bring the busy watch to at least that revision, and compare.
      const wanted = Number(heard.header?.revision);
      while (newest < wanted) {
        stream.send({ progress_request: {} });
        if (!(await stream.anythingWithin(100))) continue;
        const answer = await stream.take();
        newest = apply(picture, answer.events, newest);
        if (answer.events.length === 0 && !answer.created) {
          newest = Number(answer.header?.revision);
          expect(difference(picture, (await list(client, 0, newest)).picture)).toEqual([]);
        }
      }
    }
    stream.cancel();
    quiet.cancel();
  });
});

async function listAndWatch(client: EtcdClient, random: Random): Promise<void> {
  const { picture, revision } = await list(client, random.pick([0, 0, 7, 50, 500]));
  if (random.chance(20)) {
    const again = await list(client, random.pick([0, 13]), revision);
    expect(difference(picture, again.picture), `lists of revision ${revision}`).toEqual([]);
  }
  const stream = client.stream('Watch/Watch');
  stream.send({
    create_request: {
      ...registry,
      start_revision: revision + 1,
      prev_kv: random.chance(20),
      fragment: random.chance(20),
    },
  });
  let newest = revision;
  const enough = revision + random.below(30);
  for (;;) {
    // A request for progress is not answered while a watch is behind: ask again.
    if (newest >= enough) stream.send({ progress_request: {} });
    if (!(await stream.anythingWithin(newest >= enough ? 100 : 20_000))) continue;
    const answer = await stream.take();
    if (answer.canceled) throw new Error(`canceled: ${answer.cancel_reason}`);
    newest = apply(picture, answer.events, newest);
    if (answer.events.length > 0 || answer.created) continue;
    // Progress: whatever is at or before it has been told.
    const told = Number(answer.header?.revision);
    if (told < newest) throw new Error(`progress ${told} behind event ${newest}`);
    const there = await list(client, 0, told);
    expect(difference(picture, there.picture), `at revision ${told}, listed at ${revision}`).toEqual([]);
    break;
  }
  stream.cancel();
}
