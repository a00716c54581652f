import { LogError } from '../../mvcc/log.ts';

/**
 * The database cannot be reached, or does not answer in time: what opens the breaker. Still a LogError: `ambiguous` when
 * an append was on its way, else `unavailable`.
 */
export class DatabaseAway extends LogError {
  constructor(message: string, code: 'unavailable' | 'ambiguous' = 'unavailable', options?: ErrorOptions) {
    super(code, message, options);
  }
}
