/** The table's rows: what is loaded beforehand, what is asked, and the bar kedge has to clear against etcd in the same run. */
import { Loop } from './load/loop.ts';
import { type OpenLoad, runToEnd } from './load/measure.ts';
import { WatchLoad } from './load/watch-load.ts';
import { shapeOf, type Workload } from './load/workload.ts';
import type { Peer } from './peers/peer.ts';
import { GetWorkload, MixedWorkload } from './workloads/get.ts';
import { GrantWorkload, KeepAliveWorkload } from './workloads/keep-alive.ts';
import { ListWorkload } from './workloads/list.ts';
import { LoadWorkload, PutWorkload } from './workloads/put.ts';
import { TxnCreateWorkload, TxnUpdateWorkload } from './workloads/txn.ts';

/** What kedge must reach of etcd's figure of the same row. */
export interface Bar {
  /** At least this many times etcd's rate. */
  readonly rateRatioMin: number;
  /** p99 at most etcd's. */
  readonly isP99Judged: boolean;
}

/** One workload on servers of its own, at several numbers of requests in flight (or of watchers). */
export interface Experiment {
  readonly name: string;
  /** For help: one line, no full stop. */
  readonly summary: string;
  readonly valueBytes: number;
  readonly inFlight: readonly number[];
  /** Not part of `--quick`. */
  readonly isLong: boolean;
  bar(inFlight: number): Bar | undefined;
  /** Loads what the workload needs into a fresh server; what it returns opens a load at a number in flight, again and again. */
  prepare(peer: Peer): Promise<(inFlight: number) => OpenLoad>;
}

const smallKeyspace = 10_000;
const listedKeys = 100_000;
/** In flight while data are loaded: enough for group commits on both servers. */
const loadInFlight = 200;
const valueSizes: readonly number[] = [512, 4096];
const inFlight: readonly number[] = [1, 64, 1000];
/** Pages are half a megabyte and more: a thousand in flight would measure memory. */
const listsInFlight: readonly number[] = [1, 8, 64];
const watchers: readonly number[] = [1, 100, 1000];

const noBar = (): undefined => undefined;
const writeBar = (calls: number): Bar | undefined => {
  if (calls === 1) return { rateRatioMin: 1.5, isP99Judged: false };
  return calls === 1000 ? { rateRatioMin: 2, isP99Judged: true } : undefined;
};
const barAt =
  (judged: number, rateRatioMin: number) =>
  (calls: number): Bar | undefined =>
    calls === judged ? { rateRatioMin, isP99Judged: false } : undefined;

const keepAlive: Experiment = {
  name: 'keepalive',
  summary: `lease keepalives on streams`,
  valueBytes: 0,
  inFlight,
  isLong: false,
  bar: noBar,
  prepare: async (peer) => {
    await runToEnd(peer.port, shapeOf(loadInFlight), new GrantWorkload(Math.max(...inFlight)));
    return (calls) => closedLoop(calls, new KeepAliveWorkload());
  },
};

export const experiments: readonly Experiment[] = valueSizes.flatMap((valueBytes): Experiment[] => {
  const common = { valueBytes, inFlight, isLong: valueBytes > 512 };
  return [
    {
      ...common,
      name: 'put',
      summary: `durable puts over 10,000 keys`,
      bar: writeBar,
      prepare: async (peer) => {
        await load(peer, smallKeyspace, valueBytes);
        return (calls) => closedLoop(calls, new PutWorkload(smallKeyspace, valueBytes));
      },
    },
    {
      ...common,
      name: 'txn-create',
      summary: `Kubernetes' creation: put if the key does not exist, else range`,
      bar: writeBar,
      prepare: async () => {
        let last = new TxnCreateWorkload(0, valueBytes);
        return (calls) => {
          const workload = new TxnCreateWorkload(last.nextKey, valueBytes);
          last = workload;
          return closedLoop(calls, workload);
        };
      },
    },
    {
      ...common,
      name: 'txn-update',
      summary: `Kubernetes' update: put if the mod revision is the known one, else range`,
      bar: writeBar,
      prepare: async () => {
        const revisions = new Float64Array(smallKeyspace);
        return (calls) => closedLoop(calls, new TxnUpdateWorkload(revisions, calls, valueBytes));
      },
    },
    {
      ...common,
      name: 'get',
      summary: `linearizable gets of single keys`,
      bar: barAt(1000, 4),
      prepare: async (peer) => {
        await load(peer, smallKeyspace, valueBytes);
        return (calls) => closedLoop(calls, new GetWorkload(smallKeyspace, valueBytes));
      },
    },
    {
      ...common,
      name: 'mixed',
      summary: `four gets and one put`,
      bar: noBar,
      prepare: async (peer) => {
        await load(peer, smallKeyspace, valueBytes);
        return (calls) => closedLoop(calls, new MixedWorkload(smallKeyspace, valueBytes));
      },
    },
    {
      ...common,
      name: 'list',
      summary: `100,000 keys by pages of 500, at the first page's revision`,
      inFlight: listsInFlight,
      bar: () => ({ rateRatioMin: 1.5, isP99Judged: false }),
      prepare: async (peer) => {
        await load(peer, listedKeys, valueBytes);
        return (calls) => closedLoop(calls, new ListWorkload(listedKeys));
      },
    },
    {
      ...common,
      name: 'watch',
      summary: `events delivered to 1, 100 and 1,000 watchers of one key`,
      inFlight: watchers,
      bar: barAt(1000, 2),
      prepare: async () => (calls) => (port) => WatchLoad.open(port, calls, valueBytes),
    },
    ...(valueBytes === 512 ? [keepAlive] : []),
  ];
});

function closedLoop(calls: number, workload: Workload): OpenLoad {
  return (port) => Loop.open(port, shapeOf(calls), workload);
}

/** Writes keys 0 to `keys` (exclusive), `rounds` times each. Resolves with the newest revision. */
export async function load(peer: Peer, keys: number, valueBytes: number, rounds = 1): Promise<number> {
  const workload = new LoadWorkload(0, keys, valueBytes, rounds);
  await runToEnd(peer.port, shapeOf(loadInFlight), workload);
  return workload.revision;
}
