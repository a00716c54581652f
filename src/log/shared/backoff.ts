import type { Random } from '../../base/chance.ts';

const DELAY_MS_MIN = 50;
const DELAY_MS_MAX = 2_000;

/** How long to wait before the attempt after so many failed ones, spread so that replicas do not come all at once. */
export function backoffMs(failures: number, random: Random): number {
  const delay = Math.min(DELAY_MS_MAX, DELAY_MS_MIN * 2 ** Math.min(failures - 1, 16));
  return delay * (0.5 + random() / 2);
}
