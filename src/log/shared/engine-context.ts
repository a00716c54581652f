import { type Random, systemRandom } from '../../base/chance.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import { type Logger, silentLogger } from '../../base/logger.ts';
import type { DatabaseStats } from './database-stats.ts';

/** What an engine in a database is given from outside. */
export interface EngineContext {
  /** For deadlines and pauses on this side; leases live by the database's clock. */
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Cells to go on with, for a log that follows another one of the same store. */
  readonly stats?: DatabaseStats;
}

/** The machine's clock and chance, and no word in the log. */
export const SYSTEM_CONTEXT: EngineContext = { clock: systemClock, random: systemRandom, logger: silentLogger };
