import type { Position, Revision } from '../../mvcc/types.ts';

/*
 * Positions as a condition that both servers turn into ranges of the primary key (MariaDB reads the whole table for
 * `(revision, sub) IN (…)`). Most transactions are of one change, so by sub there are few lists. What a compaction takes
 * is often one revision after the other: a run is found as one range, for two thirds of the processor time.
 */

/** From so many revisions on a run is a range. */
const RUN_MIN = 8;

/** The condition of standing at one of the positions, of which there is at least one. */
export function isAt(positions: readonly Position[]): string {
  const revisionsBySub = new Map<number, Revision[]>();
  for (const { revision, sub } of positions) {
    const revisions = revisionsBySub.get(sub);
    if (revisions === undefined) revisionsBySub.set(sub, [revision]);
    else revisions.push(revision);
  }
  return [...revisionsBySub].flatMap(([sub, revisions]) => conditionsOf(sub, revisions)).join(' OR ');
}

function conditionsOf(sub: number, revisions: Revision[]): string[] {
  const conditions: string[] = [];
  const alone: Revision[] = [];
  for (const run of runsOf(revisions.sort((a, b) => a - b))) {
    const [first = 0] = run;
    if (run.length < RUN_MIN) alone.push(...run);
    else conditions.push(`(revision BETWEEN ${first} AND ${first + run.length - 1} AND sub = ${sub})`);
  }
  if (alone.length > 0) conditions.push(`(revision IN (${alone.join(',')}) AND sub = ${sub})`);
  return conditions;
}

/** Cut wherever the next one is not the next number. */
function runsOf(sorted: readonly Revision[]): Revision[][] {
  const runs: Revision[][] = [];
  for (const revision of sorted) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    if (revision === last) continue;
    if (last !== undefined && revision === last + 1) run?.push(revision);
    else runs.push([revision]);
  }
  return runs;
}
