import { load } from '../experiments.ts';
import type { Finding } from '../finding.ts';
import { Loop } from '../load/loop.ts';
import { measure } from '../load/measure.ts';
import { shapeOf, type Workload } from '../load/workload.ts';
import { Peer } from '../peers/peer.ts';
import { median } from '../rounds.ts';
import { GetWorkload } from '../workloads/get.ts';
import { PutWorkload } from '../workloads/put.ts';
import type { Section } from './section.ts';

const fewKeys = 1000;
const manyKeys = 1_000_000;
const historyRounds = 1000;
const valueBytes = 256;
const inFlight = 64;
/** A shared machine's speed is another one after a second: what is compared must be close together. */
const sliceSeconds = 0.25;
const growthMax = 1.2;
const percentMax = Math.round((growthMax - 1) * 100);

interface Condition {
  readonly what: string;
  readonly peer: Peer;
  readonly keys: number;
}

interface Run {
  /** Per second. */
  readonly rate: number;
  /** Seconds for 100,000. */
  readonly cpu: number;
}

/** Gets and puts with 1,000 keys against 1,000,000, and with a history of 1,000,000 revisions: the cost must stay flat. */
export const flatness: Section = {
  name: 'flatness',
  summary: 'cost per get and put with 1,000 keys, 1,000,000 keys and 1,000,000 revisions',
  isLong: true,
  run: async ({ kedge, folder, pace, progress }) => {
    const peers: Peer[] = [];
    const started = async (what: string, keys: number, rounds: number): Promise<Peer> => {
      progress(`flatness: loading ${what}`);
      const peer = await Peer.start(kedge, folder);
      peers.push(peer);
      await load(peer, keys, valueBytes, rounds);
      return peer;
    };
    try {
      const few = { what: '1,000 keys', keys: fewKeys, peer: await started('1,000 keys', fewKeys, 1) };
      const many = await started('1,000,000 keys', manyKeys, 1);
      const history = await started('1,000,000 revisions', fewKeys, historyRounds);
      const conditions: readonly Condition[] = [
        { what: 'all over 1,000,000 keys', keys: manyKeys, peer: many },
        { what: 'over 1,000 of 1,000,000 keys', keys: fewKeys, peer: many },
        { what: '1,000 keys, 1,000,000 revisions', keys: fewKeys, peer: history },
      ];
      const findings: Finding[] = [];
      for (const condition of conditions) {
        for (const workload of ['get', 'put'] as const) {
          progress(`flatness: ${workload}, ${condition.what}`);
          findings.push(...(await compare(workload, few, condition, pace)));
        }
      }
      return findings;
    } finally {
      for (const peer of peers) await peer.remove();
    }
  },
};

async function compare(
  name: 'get' | 'put',
  few: Condition,
  many: Condition,
  pace: { readonly rounds: number; readonly secondsPerRound: number },
): Promise<Finding[]> {
  const runs = { few: [] as Run[], many: [] as Run[] };
  const sides = [['few', few] as const, ['many', many] as const];
  const slices = Math.ceil((pace.rounds * pace.secondsPerRound) / sliceSeconds);
  for (let slice = 0; slice < slices; slice++) {
    for (const [side, condition] of slice % 2 === 0 ? sides : sides.toReversed()) {
      const open = (port: number) => Loop.open(port, shapeOf(inFlight), workloadOf(name, condition.keys));
      const measured = await measure(condition.peer, open, sliceSeconds);
      if (measured.errors > 0) throw new Error(`${name}, ${condition.what}: ${measured.firstError}`);
      runs[side].push({ rate: measured.rate, cpu: measured.cpuSeconds });
    }
  }
  const finding = (
    figureName: string,
    unit: string,
    of: (run: Run) => number,
    isCleared: (growth: number) => boolean,
  ) => {
    const [easy, hard] = [runs.few.map(of), runs.many.map(of)];
    const growth = median(hard.map((figure, slice) => figure / (easy[slice] ?? 0)));
    const percent = Math.round((growth - 1) * 100);
    return {
      section: 'flatness',
      what: `${name}, ${many.what}, ${figureName}`,
      figure: median(hard),
      unit,
      against: { what: few.what, figure: median(easy) },
      bar: { text: `${percent < 0 ? '' : '+'}${percent} %, within ${percentMax} %`, isCleared: isCleared(growth) },
    };
  };
  return [
    finding(
      'CPU per 100,000',
      's',
      (run) => run.cpu,
      (growth) => growth <= growthMax,
    ),
    finding(
      'rate',
      '/s',
      (run) => run.rate,
      (growth) => growth * growthMax >= 1,
    ),
  ];
}

function workloadOf(name: 'get' | 'put', keys: number): Workload {
  return name === 'get' ? new GetWorkload(keys, valueBytes) : new PutWorkload(keys, valueBytes);
}
