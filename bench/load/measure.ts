import type { Peer } from '../peers/peer.ts';
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

/** Runs the workload against a peer for `seconds` after a short warm-up. Throws when a connection breaks. */
export async function measure(peer: Peer, shape: Shape, workload: Workload, seconds: number): Promise<Measured> {
  const loop = await Loop.open(peer.port, shape, workload);
  try {
    loop.start();
    await sleep(loop, warmUpSeconds);
    const start = new Reading(peer);
    loop.startMeasuring();
    await sleep(loop, seconds);
    loop.stopMeasuring();
    const end = new Reading(peer);
    loop.stop();
    await loop.rest;
    return measured(start, end, loop, peer);
  } finally {
    loop.close();
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

function measured(start: Reading, end: Reading, loop: Loop, peer: Peer): Measured {
  const seconds = (end.at - start.at) / 1000;
  const answers = loop.latency.count;
  const generatorMicroseconds =
    end.generator.user + end.generator.system - start.generator.user - start.generator.system;
  return {
    rate: answers / seconds,
    p50Milliseconds: loop.latency.percentile(0.5),
    p99Milliseconds: loop.latency.percentile(0.99),
    cpuSeconds: ((end.serverCpuSeconds - start.serverCpuSeconds) / Math.max(1, answers)) * 100_000,
    generatorShare: generatorMicroseconds / 1e6 / seconds,
    residentMebibytes: peer.residentMebibytes(),
    errors: loop.errors,
    firstError: loop.firstError,
  };
}

/** Waits, unless the run fails before. */
async function sleep(loop: Loop, seconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const elapsed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, seconds * 1000);
  });
  await Promise.race([elapsed, loop.rest.then(() => elapsed)]);
  clearTimeout(timer);
}
