import { fileURLToPath } from 'node:url';
import { Loop } from '../load/loop.ts';
import { measure } from '../load/measure.ts';
import { shapeOf } from '../load/workload.ts';
import { Peer, type PeerProgram } from '../peers/peer.ts';
import { PutWorkload } from '../workloads/put.ts';
import type { Section } from './section.ts';

const keys = 10_000;
const valueBytes = 512;

const responder: PeerProgram = {
  name: 'responder',
  command: (_dataFolder, port) => [
    process.execPath,
    fileURLToPath(new URL('../peers/responder.js', import.meta.url)),
    String(port),
  ],
};

/** What the generator itself can do: puts against a server that does nothing but answer. */
export const generator: Section = {
  name: 'generator',
  summary: 'what the load generator can do against a server that only answers',
  isLong: false,
  run: async ({ folder, pace, progress }) => {
    progress('generator: puts against a server that only answers');
    const peer = await Peer.start(responder, folder);
    try {
      const open = (port: number) => Loop.open(port, shapeOf(1000), new PutWorkload(keys, valueBytes));
      const { rate, generatorShare } = await measure(peer, open, pace.secondsPerRound);
      return [
        { section: 'generator', what: 'puts of 512 B answered by nothing, 1,000 in flight', figure: rate, unit: '/s' },
        { section: 'generator', what: 'its own CPU per request', figure: (generatorShare / rate) * 1e6, unit: 'µs' },
      ];
    } finally {
      await peer.remove();
    }
  },
};
