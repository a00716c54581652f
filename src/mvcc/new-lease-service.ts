import { silentLogger } from '../base/logger.ts';
import type { LeaseService } from './lease-service.ts';
import { Lessor } from './lessor.ts';
import type { LessorStats } from './lessor-stats.ts';
import type { SharedLog } from './log.ts';
import type { WriteRequest } from './requests.ts';
import { SharedLessor } from './shared-lessor.ts';
import type { StoreOptions } from './store-options.ts';

/** The lease service that fits the log. `shared`: the log when others write to it too. */
export function newLeaseService(
  shared: SharedLog | undefined,
  options: StoreOptions,
  stats: LessorStats,
  doors: {
    /** The Writer's door. */
    readonly submit: (request: WriteRequest) => Promise<unknown>;
    /** Follower.confirm. */
    readonly confirm: () => Promise<void>;
  },
): LeaseService {
  const { clock, logger = silentLogger, random, leaseLimits, sharedLeaseLimits } = options;
  const { submit, confirm } = doors;
  if (shared === undefined) {
    return new Lessor({
      clock,
      logger,
      random,
      submit,
      stats,
      ...(leaseLimits === undefined ? {} : { limits: leaseLimits }),
    });
  }
  return new SharedLessor({ log: shared, clock, logger, stats, random, submit, confirm }, sharedLeaseLimits);
}
