import { Peer } from '../peers/peer.ts';
import type { Section } from './section.ts';

const questions = 30;
const readMillisecondsMax = 50;

/** How long kedge takes to read the machine it runs on, as whoever asks it anew waits for it. */
export const resources: Section = {
  name: 'resources',
  summary: 'milliseconds to read this machine anew, over HTTP',
  isLong: false,
  run: async ({ kedge, folder, progress }) => {
    progress('resources: asking');
    const peer = await Peer.start(kedge, folder);
    try {
      const elapsed: number[] = [];
      for (let i = 0; i < questions; i += 1) {
        const askedAt = performance.now();
        const response = await fetch(`http://127.0.0.1:${peer.port}/resources/cpu-flags?refresh=true`);
        const answer = (await response.json()) as { readonly isComplete?: unknown };
        if (answer.isComplete !== true) throw new Error(`resources: ${JSON.stringify(answer)}`);
        elapsed.push(performance.now() - askedAt);
      }
      const [first = Number.NaN, ...later] = elapsed;
      const median = later.sort((a, b) => a - b)[Math.floor(later.length / 2)] ?? Number.NaN;
      const bar = { text: `under ${readMillisecondsMax} ms`, isCleared: median < readMillisecondsMax };
      return [
        { section: 'resources', what: 'reading this machine, median', figure: median, unit: 'ms', bar },
        { section: 'resources', what: 'the first time', figure: first, unit: 'ms' },
      ];
    } finally {
      await peer.remove();
    }
  },
};
