/** Runs an experiment on all peers in turn, several short rounds, so that the machine's noise falls on all of them alike. */
import type { Experiment } from './experiments.ts';
import { type Measured, measure } from './load/measure.ts';
import { Peer, type PeerProgram } from './peers/peer.ts';

export interface Pace {
  readonly rounds: number;
  readonly secondsPerRound: number;
  readonly isQuick: boolean;
  /** Only these numbers in flight; empty: all. */
  readonly inFlight: readonly number[];
}

/** One row of the table: medians over the rounds, by the peer's name. */
export interface Row {
  readonly experiment: string;
  readonly valueBytes: number;
  readonly inFlight: number;
  readonly peers: Readonly<Record<string, Measured>>;
}

/** What `--quick` leaves out. */
const middleInFlight = 64;

export async function runExperiment(
  experiment: Experiment,
  programs: readonly PeerProgram[],
  folder: string,
  pace: Pace,
  progress: (text: string) => void,
): Promise<Row[]> {
  const peers: Peer[] = [];
  const inFlight = experiment.inFlight.filter((calls) =>
    pace.inFlight.length > 0 ? pace.inFlight.includes(calls) : !pace.isQuick || calls !== middleInFlight,
  );
  if (inFlight.length === 0) return [];
  const results = new Map<string, Measured[]>();
  try {
    const contenders = [];
    for (const program of programs) {
      progress(`${experiment.name}: starting and loading ${program.name}`);
      const peer = await Peer.start(program, folder);
      peers.push(peer);
      contenders.push({ peer, open: await experiment.prepare(peer) });
    }
    for (let round = 0; round < pace.rounds; round++) {
      for (const calls of inFlight) {
        for (const { peer, open } of round % 2 === 0 ? contenders : contenders.toReversed()) {
          const name = peer.program.name;
          progress(`${experiment.name}: round ${round + 1} of ${pace.rounds}, ${calls} in flight, ${name}`);
          const measured = await measure(peer, open(calls), pace.secondsPerRound);
          const key = `${name} ${calls}`;
          results.set(key, [...(results.get(key) ?? []), measured]);
        }
      }
    }
  } finally {
    for (const peer of peers) await peer.remove();
  }
  return inFlight.map((calls) => ({
    experiment: experiment.name,
    valueBytes: experiment.valueBytes,
    inFlight: calls,
    peers: Object.fromEntries(programs.map(({ name }) => [name, medians(results.get(`${name} ${calls}`) ?? [])])),
  }));
}

function medians(runs: readonly Measured[]): Measured {
  const of = (figure: (run: Measured) => number): number => median(runs.map(figure));
  return {
    rate: of((run) => run.rate),
    p50Milliseconds: of((run) => run.p50Milliseconds),
    p99Milliseconds: of((run) => run.p99Milliseconds),
    cpuSeconds: of((run) => run.cpuSeconds),
    generatorShare: of((run) => run.generatorShare),
    residentMebibytes: runs.at(-1)?.residentMebibytes ?? 0,
    errors: runs.reduce((sum, run) => sum + run.errors, 0),
    firstError: runs.find((run) => run.errors > 0)?.firstError ?? '',
  };
}

/** The middle one; of an even number the mean of the middle two; 0 of none. */
export function median(figures: readonly number[]): number {
  const sorted = figures.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? 0)) / 2;
}

/** 0 of none. */
export function mean(figures: readonly number[]): number {
  return figures.reduce((sum, figure) => sum + figure, 0) / Math.max(1, figures.length);
}
