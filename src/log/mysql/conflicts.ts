import { isConflict } from './errors.ts';

/** How often a transaction that was in another's way is tried again. */
const ATTEMPTS_MAX = 6;

/** Runs it again when another transaction was in its way: a deadlock, or Galera's certification. */
export async function retryConflicts<T>(task: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await task();
    } catch (error) {
      if (!isConflict(error) || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}
