import type { Clock } from '../base/clock.ts';
import { type AppendBatch, isShared, type Log, LogError } from './log.ts';
import { sameChanges } from './same-changes.ts';
import type { Change } from './types.ts';

/**
 * What became of an append whose answer was lost, as far as reading the log can tell.
 *  - `unknown`: the log cannot be read now. Ask again, and write nothing before.
 *  - `untold`: it had notes alone, which leave no trace in the log that could be asked for.
 */
export type Fate = 'committed' | 'not-committed' | 'unknown' | 'untold';

/**
 * A shared log knows its commits by name and fences the append. Of another one it is read what stands in the place of
 * the append: it was committed when the same changes do.
 */
export async function settle(log: Log, clock: Clock, batch: AppendBatch): Promise<Fate> {
  if (isShared(log)) {
    const committed = await again(clock, () => log.settle(batch));
    if (committed === undefined) return 'unknown';
    return committed ? 'committed' : 'not-committed';
  }
  const head = await again(clock, () => log.head());
  if (head === undefined) return 'unknown';
  if (batch.changes.length === 0) return 'untold';
  if (head <= batch.expected.revision) return 'not-committed';
  const there = await readBack(log, batch);
  if (there === undefined) return 'unknown';
  return sameChanges(there, batch.changes) ? 'committed' : 'not-committed';
}

/** Asks until the log answers, some times; undefined when it does not. */
async function again<T>(clock: Clock, ask: () => Promise<T>): Promise<T | undefined> {
  let answer: T | undefined;
  for (let attempt = 0; attempt < ATTEMPTS && answer === undefined; attempt += 1) {
    if (attempt > 0) await pause(clock, PAUSE_MS * 2 ** attempt);
    answer = await ask().catch(ignoreLogError);
  }
  return answer;
}

const ATTEMPTS = 5;
const PAUSE_MS = 20;
const READ_BYTES = 4 * 1024 * 1024;

/** What the log has where the batch should be; undefined when it cannot be read. */
async function readBack(log: Log, batch: AppendBatch): Promise<readonly Change[] | undefined> {
  const found: Change[] = [];
  let after = batch.expected.revision;
  while (found.length < batch.changes.length) {
    const changes = await log.changes(after, READ_BYTES).catch(ignoreLogError);
    if (changes === undefined) return undefined;
    const last = changes[changes.length - 1];
    if (last === undefined) break;
    for (const change of changes) found.push(change);
    after = last.revision;
  }
  return found.slice(0, batch.changes.length);
}

function ignoreLogError(error: unknown): undefined {
  if (!(error instanceof LogError)) throw error;
  return undefined;
}

function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => clock.after(delayMs, resolve));
}
