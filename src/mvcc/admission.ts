import type { AlarmSet } from './alarm-set.ts';
import { LogError } from './log.ts';
import type { Quota } from './quota.ts';
import { StoreError } from './requests.ts';
import type { QueuedWrite } from './write-queue.ts';

/** Keeps out writes that an alarm or the quota forbids, before anything is decided of them. */
export class Admission {
  readonly #quota: Quota;
  readonly #alarms: AlarmSet;

  constructor(quota: Quota, alarms: AlarmSet) {
    this.#quota = quota;
    this.#alarms = alarms;
  }

  /** Whether the log must be asked for its size first, which tells something only while nothing is being written. */
  asksLog(writes: readonly QueuedWrite[]): boolean {
    const cost = costOfAll(writes);
    return cost > 0 && this.#quota.isStale(cost);
  }

  /** Rejects what is forbidden; answers the others. Throws StoreError `corrupt`. Rejects with LogError. */
  admit(writes: readonly QueuedWrite[]): readonly QueuedWrite[] | Promise<readonly QueuedWrite[]> {
    if (this.#alarms.has('corrupt')) throw new StoreError('corrupt');
    const cost = costOfAll(writes);
    if (cost === 0) return writes;
    if (this.#alarms.has('nospace') || this.#quota.isStale(cost) || !this.#quota.allows(cost)) {
      return this.#admitEach(writes, cost);
    }
    for (const write of writes) this.#letIn(write);
    return writes;
  }

  async #admitEach(writes: readonly QueuedWrite[], cost: number): Promise<readonly QueuedWrite[]> {
    if (this.#quota.isStale(cost)) await this.#quota.refresh();
    const allowed: QueuedWrite[] = [];
    for (const write of writes) {
      if (write.cost > 0 && (this.#alarms.has('nospace') || !this.#quota.allows(write.cost))) {
        // Raised all the same when it cannot be noted down: what is full will be found full again.
        if (!this.#alarms.has('nospace')) await this.#alarms.raise('nospace').catch(ignoreLogError);
        write.reject(new StoreError('no-space'));
        continue;
      }
      this.#letIn(write);
      allowed.push(write);
    }
    return allowed;
  }

  /** A request that is decided more than once is counted once. */
  #letIn(write: QueuedWrite): void {
    this.#quota.grow(write.cost);
    write.cost = 0;
  }
}

function costOfAll(writes: readonly QueuedWrite[]): number {
  let cost = 0;
  for (const write of writes) cost += write.cost;
  return cost;
}

function ignoreLogError(error: unknown): undefined {
  if (!(error instanceof LogError)) throw error;
  return undefined;
}
