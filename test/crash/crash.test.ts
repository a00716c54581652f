import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { EtcdClient, RpcError } from '../support/client.ts';
import type { KeyValue } from '../support/messages.ts';
import { freePort } from '../support/ports.ts';
import { Random, seedOf } from '../support/random.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { startSubject } from '../support/subject.ts';
import { removeFolder, temporaryFolder } from '../support/temporary.ts';
import { type Group, showEvent, WatchJournal } from './journal.ts';
import { Load } from './load.ts';

/**
 * kill -9 under load, again and again on one store: every answered write is there, none is half there, revisions go on
 * without a gap, and a watch that is resumed behind what it saw last has seen every event once.
 * KEDGE_CRASH_ROUNDS makes it longer.
 */
const rounds = Number(process.env['KEDGE_CRASH_ROUNDS'] ?? 30);
const everything = { key: Buffer.from('/crash/'), range_end: Buffer.from('/crash0') };
let server: ServerProcess | undefined;

const folder = temporaryFolder('crash');
afterAll(async () => {
  await server?.kill();
  removeFolder(folder);
});

test(`${rounds} rounds of kill -9`, { timeout: 600_000 }, async () => {
  const seed = seedOf(7);
  console.log(`kill -9: seed ${seed}, ${rounds} rounds`);
  const random = new Random(seed);
  const dataDir = join(folder, 'data');
  const port = await freePort();
  const start = () => startSubject({ dataDir, port });
  const load = new Load(random);
  const journal = new WatchJournal();
  for (let round = 0; round < rounds; round++) {
    server = await start();
    await checkState(server, load, round);
    const watching = watchOn(server, journal);
    const loading = load.run(server.endpoint);
    await new Promise((resolve) => setTimeout(resolve, random.between(100, 900)));
    await server.kill();
    load.stop();
    await Promise.all([loading, watching]);
  }
  server = await start();
  await checkState(server, load, rounds);
  const watching = watchOn(server, journal);
  await checkHistory(server, load, journal);
  const before = await hashOf(server);
  await server.stop();
  await watching;
  server = await start();
  expect(await hashOf(server)).toEqual(before);
  console.log(`kill -9: ${load.writes} writes, ${journal.lines.length} events, compacted to ${load.compacted}`);
});

async function hashOf(on: ServerProcess): Promise<unknown> {
  const client = new EtcdClient(on.endpoint);
  const { hash, compact_revision, header } = await client.call('Maintenance/HashKV', {});
  client.close();
  return { hash, compact_revision, revision: header?.revision };
}

/** Groups stand as they were acknowledged, or as something unanswered would have left them: whole. */
async function checkState(on: ServerProcess, load: Load, round: number): Promise<void> {
  const client = new EtcdClient(on.endpoint);
  const list = await client.call('KV/Range', everything);
  const head = Number(list.header?.revision);
  expect(head, `round ${round}: the head is behind what was acknowledged`).toBeGreaterThanOrEqual(
    load.acknowledgedRevision,
  );
  const byKey = new Map(list.kvs.map((kv) => [kv.key.toString('latin1'), kv]));
  for (const group of load.groups) checkGroup(group, byKey, round);
  // Revisions go on at once, without a gap.
  const next = await client.call('KV/Put', { key: Buffer.from('/other'), value: Buffer.from(`${round}`) });
  expect(Number(next.header?.revision)).toBe(head + 1);
  client.close();
}

function checkGroup(group: Group, byKey: ReadonlyMap<string, KeyValue>, round: number): void {
  const kvs = group.keys.map((key) => byKey.get(key.toString('latin1')));
  const values = new Set(kvs.map((kv) => kv?.value.toString()));
  const revisions = new Set(kvs.map((kv) => kv?.mod_revision));
  const name = `round ${round}: ${group.keys[0]}`;
  expect(values.size, `${name}: half a transaction`).toBe(1);
  expect(revisions.size, `${name}: half a transaction`).toBe(1);
  const [value] = values;
  const revision = kvs[0] === undefined ? undefined : Number(kvs[0].mod_revision);
  const asItWas =
    value === group.acknowledged?.value && (value === undefined || revision === group.acknowledged?.revision);
  if (!asItWas) {
    expect(group.unanswered, `${name}: neither acknowledged nor asked for`).toContain(value);
    if (revision !== undefined) expect(revision).toBeGreaterThan(group.acknowledged?.revision ?? 0);
  }
  settleGroup(group, value, revision);
}

/** What is there now is what must stay. */
function settleGroup(group: Group, value: string | undefined, revision: number | undefined): void {
  group.unanswered.length = 0;
  group.acknowledged = { value, revision: revision ?? group.acknowledged?.revision ?? 0 };
}

/** Watches from behind what the journal has seen, until the server is gone. */
async function watchOn(on: ServerProcess, journal: WatchJournal): Promise<void> {
  const client = new EtcdClient(on.endpoint);
  const stream = client.stream('Watch/Watch');
  stream.send({ create_request: { ...everything, start_revision: journal.lastRevision + 1 } });
  try {
    for (;;) {
      const answer = await stream.next(600_000);
      if (answer === undefined) return;
      if (answer.canceled) throw new Error(`watch canceled at ${answer.compact_revision}: ${answer.cancel_reason}`);
      journal.take(answer.events);
    }
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
  } finally {
    client.close();
  }
}

/** What the watch saw, piece by piece over all the crashes, is what the log tells in one go. */
async function checkHistory(on: ServerProcess, load: Load, journal: WatchJournal): Promise<void> {
  const client = new EtcdClient(on.endpoint);
  const head = Number((await client.call('KV/Range', everything)).header?.revision);
  const from = load.compacted + 1;
  const stream = client.stream('Watch/Watch');
  stream.send({ create_request: { ...everything, start_revision: from } });
  const whole: string[] = [];
  const last = await client.call('KV/Put', { key: Buffer.from('/crash/last'), value: Buffer.from('last') });
  expect(Number(last.header?.revision)).toBe(head + 1);
  while (!whole.at(-1)?.includes('/crash/last')) {
    const answer = await stream.take();
    if (answer.canceled) throw new Error(`the watch from ${from} was canceled: ${answer.cancel_reason}`);
    whole.push(...answer.events.map(showEvent));
  }
  while (!journal.lines.at(-1)?.includes('/crash/last')) await new Promise((resolve) => setTimeout(resolve, 5));
  stream.cancel();
  client.close();
  const seen = journal.lines.filter((line) => Number(line.split(' ')[0]) >= from);
  expect(seen.length).toBe(whole.length);
  expect(seen).toEqual(whole);
}
