/*
 * What is scattered in memory costs a processor more to fetch than to work on: some 50 to 100 ns each time. It fetches
 * many things side by side, but looks ahead only so far; not from one change to the next. So what a handful of changes
 * is about to use is read in a short loop of its own before: half of what applying a batch costs.
 */

/** How many at a time: more than are fetched side by side, and so few that the first are still there for the last. */
export const PREFETCHED = 32;

const read = new Int32Array(1);

/** Of what was read ahead, anything: what nobody uses is not read at all. */
export function keepRead(sum: number): void {
  read[0] = sum;
}
