import { EtcdClient } from '../../test/support/client.ts';
import { Loop } from '../load/loop.ts';
import { measure } from '../load/measure.ts';
import { shapeOf } from '../load/workload.ts';
import type { Peer } from '../peers/peer.ts';
import { mean } from '../rounds.ts';
import { PutWorkload } from '../workloads/put.ts';

/** What is put: as by the one alone. */
export interface Puts {
  readonly keys: number;
  readonly valueBytes: number;
  /** At each replica. */
  readonly inFlight: number;
  readonly seconds: number;
  readonly rounds: number;
}

/** Replicas that have just started run code that is not compiled yet: one that does a third of the puts, for half a minute. */
const warmUpSeconds = 30;
/** The first times that others go and come back, what was compiled for one way is compiled for both. */
const warmUpRounds = 3;
/** Before each measurement: others have just gone or come back; turns find their order, and what catching up left is cleared away. */
const settleSeconds = 1;

/** Over all rounds. */
export interface Together {
  /** Puts per second of the first replica, while the others stand still. */
  readonly one: number;
  /** Of all of them, each with as many in flight as the one had. */
  readonly all: Compared;
  /** Of all of them, with as many in flight together as the one had. */
  readonly allShared: Compared;
}

export interface Compared {
  /** Puts per second. */
  readonly rate: number;
  /** Of what the one did. */
  readonly part: number;
}

/**
 * One replica alone against all together, round by round, forwards and backwards in turn: the machine is not the same for
 * long. What counts is all that they did, not the median of rounds: a database has seconds with a checkpoint and seconds
 * without, and a round has now this many of them, now that.
 */
export async function putTogether(replicas: readonly Peer[], puts: Puts): Promise<Together> {
  const [first, ...others] = replicas;
  if (first === undefined) throw new Error('no replica');
  await putThrough(replicas, puts, puts.inFlight, warmUpSeconds);
  const one: number[] = [];
  const all: number[] = [];
  const allShared: number[] = [];
  const turns = [
    async () => void one.push(await alone(first, others, puts)),
    async () => void all.push(await settled(replicas, puts, puts.inFlight)),
    async () => void allShared.push(await settled(replicas, puts, Math.ceil(puts.inFlight / replicas.length))),
  ];
  for (let round = -warmUpRounds; round < puts.rounds; round += 1) {
    if (round === 0) for (const rates of [one, all, allShared]) rates.length = 0;
    for (const turn of round % 2 === 0 ? turns : turns.toReversed()) await turn();
  }
  const compared = (rates: readonly number[]): Compared => ({ rate: mean(rates), part: mean(rates) / mean(one) });
  return { one: mean(one), all: compared(all), allShared: compared(allShared) };
}

/** While the others stand still. Afterwards they have caught up. */
async function alone(one: Peer, others: readonly Peer[], puts: Puts): Promise<number> {
  for (const other of others) other.freeze();
  let rate: number;
  try {
    rate = await settled([one], puts, puts.inFlight);
  } finally {
    for (const other of others) other.thaw();
  }
  await Promise.all(others.map(catchUp));
  return rate;
}

async function settled(replicas: readonly Peer[], puts: Puts, inFlight: number): Promise<number> {
  await putThrough(replicas, puts, inFlight, settleSeconds);
  return await putThrough(replicas, puts, inFlight);
}

async function putThrough(
  replicas: readonly Peer[],
  { keys, valueBytes, seconds }: Puts,
  inFlight: number,
  forSeconds = seconds,
): Promise<number> {
  const open = (port: number): Promise<Loop> => Loop.open(port, shapeOf(inFlight), new PutWorkload(keys, valueBytes));
  const measured = await Promise.all(replicas.map((replica) => measure(replica, open, forSeconds)));
  const broken = measured.find(({ errors }) => errors > 0);
  if (broken !== undefined) throw new Error(`puts through ${replicas.length} replicas: ${broken.firstError}`);
  return measured.reduce((sum, { rate }) => sum + rate, 0);
}

/** A linearizable read is answered when everything before it is there. */
async function catchUp(replica: Peer): Promise<void> {
  const client = new EtcdClient(`127.0.0.1:${replica.port}`);
  await client.call('KV/Range', { key: Buffer.from('/caught-up') });
  client.close();
}
