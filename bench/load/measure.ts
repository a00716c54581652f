import type { Peer } from '../peers/peer.ts';
import type { Load } from './load.ts';
import { Loop } from './loop.ts';
import { cpuSecondsOf } from './usage.ts';
import type { Shape, Workload } from './workload.ts';

/** What one run showed. */
export interface Measured {
  /** Answers per second. */
  readonly rate: number;
  readonly p50Milliseconds: number;
  readonly p99Milliseconds: number;
  /** CPU seconds of the server per 100,000 answers. */
  readonly cpuSeconds: number;
  /** The generator's own use of one core, 0 to 1: near 1 it was the limit, not the server. */
  readonly generatorShare: number;
  /** The server's resident memory after the run, in MiB. */
  readonly residentMebibytes: number;
  readonly errors: number;
  readonly firstError: string;
}

const warmUpSeconds = 0.3;

/** Opens the load against a peer. */
export type OpenLoad = (port: number) => Promise<Load>;

/** Runs the load against a peer for `seconds` after a short warm-up. Throws when a connection breaks. */
export async function measure(peer: Peer, open: OpenLoad, seconds: number): Promise<Measured> {
  const load = await open(peer.port);
  try {
    load.start();
    await sleep(load, warmUpSeconds);
    const start = new Reading(peer);
    load.startMeasuring();
    await sleep(load, seconds);
    load.stopMeasuring();
    const end = new Reading(peer);
    load.stop();
    await load.rest;
    return measured(start, end, load, peer);
  } finally {
    load.close();
  }
}

/** Lets the workload run until it has nothing left to ask. Throws on any wrong answer: what was to be loaded is not there. */
export async function runToEnd(port: number, shape: Shape, workload: Workload): Promise<void> {
  const loop = await Loop.open(port, shape, workload);
  try {
    loop.start();
    await loop.rest;
    if (loop.errors > 0) throw new Error(`${loop.errors} wrong answers while loading; the first: ${loop.firstError}`);
  } finally {
    loop.close();
  }
}

/** The clocks at one instant. */
class Reading {
  readonly at = performance.now();
  readonly generator = process.cpuUsage();
  readonly serverCpuSeconds: number;

  constructor(peer: Peer) {
    this.serverCpuSeconds = cpuSecondsOf(peer.pids);
  }
}

function measured(start: Reading, end: Reading, load: Load, peer: Peer): Measured {
  const seconds = (end.at - start.at) / 1000;
  const answers = load.latency.count;
  const generatorMicroseconds =
    end.generator.user + end.generator.system - start.generator.user - start.generator.system;
  return {
    rate: answers / seconds,
    p50Milliseconds: load.latency.percentile(0.5),
    p99Milliseconds: load.latency.percentile(0.99),
    cpuSeconds: ((end.serverCpuSeconds - start.serverCpuSeconds) / Math.max(1, answers)) * 100_000,
    generatorShare: generatorMicroseconds / 1e6 / seconds,
    residentMebibytes: peer.residentMebibytes(),
    errors: load.errors,
    firstError: load.firstError,
  };
}

/** Waits, unless the run fails before. */
async function sleep(load: Load, seconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const elapsed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, seconds * 1000);
  });
  await Promise.race([elapsed, load.rest.then(() => elapsed)]);
  clearTimeout(timer);
}
