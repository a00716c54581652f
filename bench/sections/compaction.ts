import { setTimeout as sleep } from 'node:timers/promises';
import { load } from '../experiments.ts';
import type { Finding } from '../finding.ts';
import { Loop } from '../load/loop.ts';
import { runToEnd } from '../load/measure.ts';
import { shapeOf } from '../load/workload.ts';
import { Peer } from '../peers/peer.ts';
import { CompactOnce } from '../workloads/compact.ts';
import { PutWorkload } from '../workloads/put.ts';
import type { Section } from './section.ts';

const keys = 1000;
const rounds = 1001;
const valueBytes = 256;
const inFlight = 64;
const secondsBefore = 3;
const growthMax = 2;

/** The p99 of puts while 1,000,000 superseded revisions are compacted, against the p99 just before. */
export const compaction: Section = {
  name: 'compaction',
  summary: 'p99 of puts while 1,000,000 superseded revisions are compacted',
  isLong: true,
  run: async ({ kedge, folder, progress }) => {
    progress('compaction: loading 1,000,000 superseded revisions');
    const peer = await Peer.start(kedge, folder);
    try {
      const revision = await load(peer, keys, valueBytes, rounds);
      progress('compaction: putting and compacting');
      return await putWhileCompacting(peer, revision);
    } finally {
      await peer.remove();
    }
  },
};

async function putWhileCompacting(peer: Peer, revision: number): Promise<Finding[]> {
  const puts = await Loop.open(peer.port, shapeOf(inFlight), new PutWorkload(keys, valueBytes));
  try {
    puts.start();
    await sleep(500);
    puts.startMeasuring();
    await Promise.race([sleep(secondsBefore * 1000), puts.rest]);
    const before = puts.latency.percentile(0.99);
    puts.startMeasuring();
    const startedAt = performance.now();
    await Promise.race([runToEnd(peer.port, shapeOf(1), new CompactOnce(revision)), puts.rest]);
    const seconds = (performance.now() - startedAt) / 1000;
    puts.stopMeasuring();
    const during = puts.latency.percentile(0.99);
    puts.stop();
    await puts.rest;
    if (puts.errors > 0) throw new Error(`puts while compacting: ${puts.firstError}`);
    return [
      {
        section: 'compaction',
        what: 'p99 of puts while 1,000,000 revisions are swept',
        figure: during,
        unit: 'ms',
        against: { what: 'before', figure: before },
        bar: { text: `at most ${growthMax} times`, isCleared: during <= before * growthMax },
      },
      { section: 'compaction', what: 'the sweep took', figure: seconds, unit: 's' },
    ];
  } finally {
    puts.close();
  }
}
