import { setTimeout as sleep } from 'node:timers/promises';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { EtcdClient } from '../../test/support/client.ts';
import { hasMariadb, MariadbServer } from '../../test/support/mariadb.ts';
import { hasPostgres, PostgresServer } from '../../test/support/postgres.ts';
import { load } from '../experiments.ts';
import type { Finding } from '../finding.ts';
import { Loop } from '../load/loop.ts';
import { measure } from '../load/measure.ts';
import { shapeOf } from '../load/workload.ts';
import { Peer, type PeerProgram } from '../peers/peer.ts';
import { onStore } from '../peers/programs.ts';
import { median } from '../rounds.ts';
import { GetWorkload } from '../workloads/get.ts';
import { PutWorkload } from '../workloads/put.ts';
import type { Section, SectionContext } from './section.ts';
import { putTogether } from './shared-together.ts';

/*
 * Replicas on one database, which is as durable as it comes: against etcd in the same run, against the database's own
 * commits, and against one replica alone.
 */

const keys = 10_000;
const valueBytes = 512;
const putsInFlight = 256;
const getsInFlight = 1000;
const replicas = 3;
const watchedPuts = 200;
const watchedPerSecond = 50;
const commitsTimed = 400;
const rounds = 3;
const togetherRounds = 6;
/** Where a bar depends on it. */
const togetherRoundsBarred = 12;
const togetherSecondsMax = 2;
/** What several replicas together must do of what one does. */
const togetherPartMin = 0.8;

/** A database server for the while. */
interface Database {
  url(): string;
  /** Milliseconds of a commit of one row of the size of a put, and of a bare round trip: medians. */
  timeCommits(): Promise<{ readonly commitMs: number; readonly roundTripMs: number }>;
  dispose(): Promise<void>;
}

interface Engine {
  readonly name: string;
  readonly isThere: () => boolean;
  /** Of the watch on another replica, in milliseconds. */
  readonly watchBars: { readonly p50: number; readonly p99: number | undefined };
  /** Puts per second at least, and at least this part of etcd's. undefined: nothing is asked. */
  readonly putBars: { readonly rate: number; readonly part: number; readonly putsPerCommit: number } | undefined;
  start(): Promise<Database>;
}

const engines: readonly Engine[] = [
  {
    name: 'postgres',
    isThere: hasPostgres,
    watchBars: { p50: 5, p99: 50 },
    putBars: { rate: 8000, part: 0.6, putsPerCommit: 32 },
    start: startPostgres,
  },
  {
    name: 'mariadb',
    isThere: hasMariadb,
    watchBars: { p50: 30, p99: undefined },
    putBars: undefined,
    start: startMariadb,
  },
];

export const sharedSections: readonly Section[] = engines.map((engine) => ({
  name: engine.name,
  summary: `replicas on one ${engine.name === 'postgres' ? 'PostgreSQL' : 'MariaDB'}`,
  isLong: true,
  run: (context) => run(engine, context),
}));

async function run(engine: Engine, { kedge, etcd, folder, pace, progress }: SectionContext): Promise<Finding[]> {
  if (!engine.isThere()) return [];
  progress(`${engine.name}: starting the servers`);
  const database = await engine.start();
  const peers: Peer[] = [];
  const start = async (program: PeerProgram): Promise<Peer> => {
    const peer = await Peer.start(program, folder);
    peers.push(peer);
    return peer;
  };
  try {
    const { url } = database;
    const one = await start(onStore(kedge, url(), 'replica-1'));
    const rival = etcd === undefined ? undefined : await start(etcd);
    for (const peer of [one, rival]) if (peer !== undefined) await load(peer, keys, valueBytes);
    const seconds = pace.secondsPerRound;
    const findings: Finding[] = [];
    const note = (what: string, figure: number, unit: string, more: Partial<Finding> = {}): void => {
      findings.push({ section: engine.name, what, figure, unit, ...more });
    };

    progress(`${engine.name}: puts`);
    const before = await batches(one);
    const puts = await alternate([one, rival], putsInFlight, seconds, () => new PutWorkload(keys, valueBytes));
    const after = await batches(one);
    const perCommit = (after.requests - before.requests) / Math.max(1, after.commits - before.commits);
    const least = Math.max(engine.putBars?.rate ?? 0, (engine.putBars?.part ?? 0) * (puts[1] ?? 0));
    note(`durable puts, ${putsInFlight} in flight`, puts[0] ?? 0, '/s', {
      ...(puts[1] === undefined ? {} : { against: { what: 'etcd', figure: puts[1] } }),
      ...(engine.putBars === undefined
        ? {}
        : { bar: { text: `at least ${Math.round(least)}`, isCleared: (puts[0] ?? 0) >= least } }),
    });
    note('puts in one commit', perCommit, 'puts', {
      ...(engine.putBars === undefined
        ? {}
        : {
            bar: {
              text: `at least ${engine.putBars.putsPerCommit}`,
              isCleared: perCommit >= engine.putBars.putsPerCommit,
            },
          }),
    });

    progress(`${engine.name}: one put at a time`);
    const { putMs, commitMs, mostMs } = await timeLonePuts(one, database, seconds);
    note('a put, 1 in flight (p50)', putMs, 'ms', {
      against: { what: `the database's own commit ${commitMs.toFixed(2)} ms and two round trips`, figure: mostMs },
      bar: { text: 'at most that', isCleared: putMs <= mostMs },
    });

    progress(`${engine.name}: gets`);
    const gets = await alternate([one, rival], getsInFlight, seconds, () => new GetWorkload(keys, valueBytes));
    note(`linearizable gets, ${getsInFlight} in flight`, gets[0] ?? 0, '/s', {
      ...(gets[1] === undefined
        ? {}
        : {
            against: { what: 'etcd', figure: gets[1] },
            bar: { text: 'at least 2 times', isCleared: (gets[0] ?? 0) >= 2 * gets[1] },
          }),
    });

    const together = async (all: readonly Peer[], what: string, isBarred: boolean): Promise<void> => {
      progress(`${engine.name}: ${what}`);
      const rates = await putTogether(all, {
        keys,
        valueBytes,
        inFlight: putsInFlight,
        seconds: Math.min(seconds, togetherSecondsMax),
        rounds: isBarred ? togetherRoundsBarred : togetherRounds,
      });
      const against = { what: 'one alone', figure: rates.one };
      const bar = { text: 'at least 80 %', isCleared: rates.all.part >= togetherPartMin };
      note(`puts through ${what}, ${putsInFlight} in flight at each`, rates.all.rate, '/s', { against });
      note('of what one did in the same rounds', rates.all.part * 100, '%', isBarred ? { bar } : {});
      note(`the same, ${putsInFlight} in flight in all`, rates.allShared.rate, '/s', { against });
      note('of what one did in the same rounds', rates.allShared.part * 100, '%');
    };
    const all = [one];
    for (let i = 2; i <= replicas; i += 1) all.push(await start(onStore(kedge, url(), `replica-${i}`)));
    await together(all, `${replicas} replicas that know nothing of each other`, false);

    progress(`${engine.name}: a watch on another replica`);
    const lags = await watchLags(all[1] ?? one, one);
    const { p50, p99 } = engine.watchBars;
    note('watch on B after a write answered by A (p50)', percentile(lags, 0.5), 'ms', {
      bar: { text: `under ${p50} ms`, isCleared: percentile(lags, 0.5) < p50 },
    });
    note('the same (p99)', percentile(lags, 0.99), 'ms', {
      ...(p99 === undefined ? {} : { bar: { text: `under ${p99} ms`, isCleared: percentile(lags, 0.99) < p99 } }),
    });
    for (const peer of peers.splice(0)) await peer.remove();
    const linked: Peer[] = [];
    for (let i = 1; i <= replicas; i += 1) {
      linked.push(await start(onStore(kedge, url(), `linked-${i}`, peerFlags(i))));
    }
    await Promise.all(linked.map(untilLinked));
    await together(linked, `${replicas} replicas that are linked`, true);
    return findings;
  } finally {
    for (const peer of peers) await peer.remove();
    await database.dispose();
  }
}

/** They find each other by the store, and have patience with those that stand still meanwhile. */
function peerFlags(i: number): readonly string[] {
  return [`--peer-listen=127.0.6.${i}:0`, '--peer-trust=store', '--peer-dead-after=10m'];
}

async function untilLinked({ port }: Peer): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const { linked } = (await (await fetch(`http://127.0.0.1:${port}/peers`)).json()) as { readonly linked: number };
    if (linked === replicas - 1) return;
    if (attempt > 600) throw new Error(`the replica at port ${port} has ${linked} links`);
    await sleep(50);
  }
}

/** Medians of rates, one round after the other on each. */
async function alternate(
  peers: readonly (Peer | undefined)[],
  inFlight: number,
  seconds: number,
  workload: () => PutWorkload | GetWorkload,
): Promise<(number | undefined)[]> {
  const rates = peers.map((): number[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [i, peer] of peers.entries()) {
      if (peer === undefined) continue;
      const measured = await measure(peer, (port) => Loop.open(port, shapeOf(inFlight), workload()), seconds);
      if (measured.errors > 0) throw new Error(`${peer.program.name}: ${measured.firstError}`);
      rates[i]?.push(measured.rate);
    }
  }
  return rates.map((all) => (all.length === 0 ? undefined : median(all)));
}

/** Medians of rounds, each of which times the database's own commits and then puts: the machine is not the same for long. */
async function timeLonePuts(
  peer: Peer,
  database: Database,
  seconds: number,
): Promise<{ readonly putMs: number; readonly commitMs: number; readonly mostMs: number }> {
  const puts: number[] = [];
  const commits: number[] = [];
  const most: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const { commitMs, roundTripMs } = await database.timeCommits();
    commits.push(commitMs);
    most.push(commitMs + 2 * roundTripMs);
    const open = (port: number): Promise<Loop> => Loop.open(port, shapeOf(1), new PutWorkload(keys, valueBytes));
    puts.push((await measure(peer, open, seconds)).p50Milliseconds);
  }
  return { putMs: median(puts), commitMs: median(commits), mostMs: median(most) };
}

/** What /metrics says of the Writer's batches so far. */
async function batches(peer: Peer): Promise<{ readonly requests: number; readonly commits: number }> {
  const text = await (await fetch(`http://127.0.0.1:${peer.port}/metrics`)).text();
  const of = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
  return { requests: of('kedge_writer_batch_requests_sum'), commits: of('kedge_writer_batch_requests_count') };
}

/** From the answer to a put on one replica until its event on another, in milliseconds. Below 0: the event was first. */
async function watchLags(watched: Peer, written: Peer): Promise<number[]> {
  const watcher = new EtcdClient(`127.0.0.1:${watched.port}`);
  const writer = new EtcdClient(`127.0.0.1:${written.port}`);
  const stream = watcher.stream('Watch/Watch');
  const key = Buffer.from('/watched');
  stream.send({ create_request: { key } });
  await stream.take();
  const lags: number[] = [];
  for (let i = 0; i < watchedPuts; i += 1) {
    await writer.call('KV/Put', { key, value: Buffer.from(String(i)) });
    const answeredAt = performance.now();
    await stream.take();
    lags.push(performance.now() - answeredAt);
    await sleep(1000 / watchedPerSecond);
  }
  stream.cancel();
  watcher.close();
  writer.close();
  return lags;
}

function percentile(figures: readonly number[], part: number): number {
  const sorted = figures.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

async function startPostgres(): Promise<Database> {
  const server = await PostgresServer.start();
  const database = server.freshDatabase();
  return {
    url: () => server.url(database),
    async timeCommits() {
      const client = new pg.Client(server.url('postgres'));
      await client.connect();
      await client.query('DROP TABLE IF EXISTS timed');
      await client.query('CREATE TABLE timed (id int PRIMARY KEY, value bytea)');
      const value = Buffer.alloc(valueBytes, 1);
      const times = await time({
        commit: (i) => client.query({ name: 'put', text: 'INSERT INTO timed VALUES ($1, $2)', values: [i, value] }),
        roundTrip: () => client.query({ name: 'nothing', text: 'SELECT 1' }),
      });
      await client.end();
      return times;
    },
    dispose: () => server.dispose(),
  };
}

async function startMariadb(): Promise<Database> {
  const server = await MariadbServer.start();
  const database = server.freshDatabase();
  return {
    url: () => server.url(database),
    async timeCommits() {
      const client = await mysql.createConnection({ host: '127.0.0.1', port: server.port, user: 'root' });
      await client.query('DROP DATABASE IF EXISTS timed');
      await client.query('CREATE DATABASE timed');
      await client.query('CREATE TABLE timed.timed (id int PRIMARY KEY, value blob)');
      const value = Buffer.alloc(valueBytes, 1);
      const times = await time({
        commit: (i) => client.execute('INSERT INTO timed.timed VALUES (?, ?)', [i, value]),
        roundTrip: () => client.execute('SELECT 1'),
      });
      await client.end();
      return times;
    },
    dispose: () => server.dispose(),
  };
}

async function time(does: {
  readonly commit: (i: number) => Promise<unknown>;
  readonly roundTrip: () => Promise<unknown>;
}): Promise<{ commitMs: number; roundTripMs: number }> {
  const commits: number[] = [];
  const roundTrips: number[] = [];
  for (let i = 0; i < commitsTimed; i += 1) {
    const beganAt = performance.now();
    await does.commit(i);
    const committedAt = performance.now();
    await does.roundTrip();
    commits.push(committedAt - beganAt);
    roundTrips.push(performance.now() - committedAt);
  }
  return { commitMs: median(commits), roundTripMs: median(roundTrips) };
}
