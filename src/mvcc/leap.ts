import type { Revision } from './types.ts';

/*
 * Leaps. A shared log can lose commits that were seen: its database went on from a standby that lacked the last ones, or
 * from a backup. Their revisions will be given out a second time, for other changes, and whoever comes back with one of
 * them would go on from a state that never was: a watch from there tells only what comes later.
 *
 *   what was seen    1 … 700, 701 … 740
 *   the log now      1 … 700 ─────────────── leap ──▶ 2,000,000, 2,000,001 …
 *                                                    horizon
 *
 * So whoever finds it out takes the head far beyond all that anybody can have seen, and the horizon with it: a watch or
 * read from below is answered as compacted, and clients list anew. etcd does the same when a snapshot is restored with
 * --bump-revision and --mark-compacted.
 */

/** More than a standby lacks: at 20,000 commits a second what it is behind after 50 s. */
const LEAP_REVISIONS = 1_000_000;

/**
 * Where to, when so much was seen. At least LEAP_REVISIONS further, to a round number: replicas that have seen nearly the
 * same leap to the same place, once.
 */
export function leapFrom(seen: Revision): Revision {
  return (Math.floor(seen / LEAP_REVISIONS) + 2) * LEAP_REVISIONS;
}
