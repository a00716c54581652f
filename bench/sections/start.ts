import { load } from '../experiments.ts';
import { Peer } from '../peers/peer.ts';
import type { Section } from './section.ts';

const keys = 1_000_000;
const valueBytes = 256;
const startSecondsMax = 10;

/** How long kedge takes to start on a million keys until it answers a get. */
export const start: Section = {
  name: 'start',
  summary: 'seconds from start to the first answer with 1,000,000 keys',
  isLong: true,
  run: async ({ kedge, folder, progress }) => {
    progress('start: loading 1,000,000 keys');
    const loader = await Peer.start(kedge, folder);
    try {
      await load(loader, keys, valueBytes);
      await loader.stop();
      progress('start: starting again');
      const startedAt = performance.now();
      const peer = await Peer.start(kedge, folder, loader.dataFolder);
      const seconds = (performance.now() - startedAt) / 1000;
      const resident = peer.residentMebibytes();
      await peer.stop();
      return [
        {
          section: 'start',
          what: `1,000,000 keys of ${valueBytes} B, first answer after`,
          figure: seconds,
          unit: 's',
          bar: { text: `under ${startSecondsMax} s`, isCleared: seconds < startSecondsMax },
        },
        { section: 'start', what: 'resident memory then', figure: resident, unit: 'MiB' },
      ];
    } finally {
      await loader.remove();
    }
  },
};
