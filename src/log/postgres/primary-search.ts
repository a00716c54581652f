import type { Clock } from '../../base/clock.ts';
import type { Host } from '../shared/host-list.ts';
import type { PgConnection } from './connection.ts';

/** A primary that answered. */
export interface FoundPrimary {
  readonly host: Host;
  readonly connection: PgConnection;
  /** The cluster's system identifier: copies of one have the same. '' where the server does not tell. */
  readonly system: string;
  /** Counts promotions: the primary with the higher one took the other one's place. */
  readonly timeline: number;
}

/** How long the others may take once one has answered. */
const OTHERS_MS = 500;

/**
 * Of several attempts at once the primary of the newest timeline: beside it, one that was replaced by a failover and
 * came back is no primary at all. undefined when all fail; what they fail with goes to `onProblem`.
 */
export function newestPrimary(
  attempts: readonly Promise<FoundPrimary>[],
  clock: Clock,
  onProblem: (error: unknown, attempt: number) => void,
): Promise<FoundPrimary | undefined> {
  return new Promise((resolve) => {
    let best: FoundPrimary | undefined;
    let left = attempts.length;
    let isDecided = false;
    const decide = () => {
      if (isDecided) return;
      isDecided = true;
      resolve(best);
    };
    const take = (found: FoundPrimary) => {
      const isBetter = !isDecided && (best === undefined || found.timeline > best.timeline);
      const other = isBetter ? best : found;
      if (isBetter) best = found;
      void other?.connection.close();
      if (isBetter && other === undefined && left > 1) clock.after(OTHERS_MS, decide);
    };
    if (attempts.length === 0) decide();
    attempts.forEach((attempt, at) => {
      attempt
        .then(take, (error: unknown) => onProblem(error, at))
        .finally(() => {
          left -= 1;
          if (left === 0) decide();
        });
    });
  });
}
