import type { Clock } from '../base/clock.ts';
import { hashKv } from './hash-kv.ts';
import type { KeyIndex } from './key-index.ts';
import type { Log } from './log.ts';
import { type HashResult, StoreError } from './requests.ts';
import { toStoreError } from './store-error.ts';
import type { StoreStats } from './store-stats.ts';
import type { Revision } from './types.ts';

/** Answers HashKV, while writes and compactions go on. */
export class Hasher {
  readonly #parts: HasherParts;

  constructor(parts: HasherParts) {
    this.#parts = parts;
  }

  /** At a revision, 0 or less: the newest. Rejects with StoreError. */
  async hash(revision: Revision): Promise<HashResult> {
    const { confirm, horizon } = this.#parts;
    if (confirm === undefined) return this.#hashOnce(revision);
    await confirm();
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const before = horizon();
      const result = await this.#hashOnce(revision);
      // Others who sweep a shared log do not wait for us.
      await confirm();
      if (horizon() === before) return result;
    }
    throw new StoreError('unavailable', 'compactions were faster than the hash, time and again');
  }

  async #hashOnce(revision: Revision): Promise<HashResult> {
    const { log, index, stats, clock } = this.#parts;
    const head = this.#parts.head();
    const horizon = this.#parts.horizon();
    if (revision > 0 && revision < horizon) throw new StoreError('compacted');
    if (revision > head) throw new StoreError('future-revision');
    const hashRevision = revision <= 0 ? head : revision;
    const beganMs = clock.monotonicMs();
    const release = this.#parts.holdSweep();
    try {
      const hash = await hashKv(log, index, horizon, hashRevision);
      stats.hashSeconds.observe((clock.monotonicMs() - beganMs) / 1000);
      // etcd says -1 before the first compaction.
      return { hash, revision: head, compactRevision: horizon === 0 ? -1 : horizon, hashRevision };
    } catch (error) {
      throw toStoreError(error);
    } finally {
      release();
    }
  }
}

const ATTEMPTS = 5;

export interface HasherParts {
  readonly log: Log;
  readonly index: KeyIndex;
  readonly stats: StoreStats;
  readonly clock: Clock;
  /** The applied head. */
  readonly head: () => Revision;
  readonly horizon: () => Revision;
  /** Compactor.hold. */
  readonly holdSweep: () => () => void;
  /** With a shared log: Follower.confirm. */
  readonly confirm: (() => Promise<void>) | undefined;
}
