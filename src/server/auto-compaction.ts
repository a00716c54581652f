import type { Clock, Timer } from '../base/clock.ts';
import { formatDurationMs, parseDurationMs } from '../base/duration.ts';
import type { Logger } from '../base/logger.ts';
import { UsageError } from '../base/usage-error.ts';
import type { StoreApi } from '../mvcc/api.ts';
import { StoreError } from '../mvcc/requests.ts';
import type { Revision } from '../mvcc/types.ts';

/**
 * Compacts by itself, with etcd's semantics (server/etcdserver/api/v3compactor):
 *
 *  - `revision`: every five minutes (--compact-interval), keep the last n revisions.
 *  - `periodic`: note the revision ten times per period (at least every six minutes) in a window that spans the
 *    retention; the oldest one is compacted, first after one whole retention, then once per period (an hour at most).
 *    What failed, or found nothing new, is tried again at the next note.
 */
export type Retention =
  | { readonly mode: 'off' }
  | { readonly mode: 'periodic'; readonly ms: number }
  | { readonly mode: 'revision'; readonly revisions: number };

const HOUR_MS = 3_600_000;
const NOTES_PER_PERIOD = 10;

/** Reads --auto-compaction-retention: a bare number means hours in periodic mode. Throws UsageError. */
export function parseRetention(mode: 'periodic' | 'revision', written: string): Retention {
  const count = /^\d+$/.test(written) ? Number(written) : undefined;
  if (count === 0) return { mode: 'off' };
  if (mode === 'revision') {
    if (count !== undefined) return { mode, revisions: count };
    throw new UsageError(`--auto-compaction-retention: "${written}" is not a number of revisions`);
  }
  const ms = count === undefined ? parseDurationMs(written) : count * HOUR_MS;
  if (ms === undefined) {
    throw new UsageError(
      `--auto-compaction-retention: "${written}" is not a duration such as 5m, or a number of hours`,
    );
  }
  return ms === 0 ? { mode: 'off' } : { mode, ms };
}

export class AutoCompaction {
  readonly #store: Pick<StoreApi, 'revision' | 'compact'>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #retention: Retention;
  readonly #intervalMs: number;
  #timer: Timer | undefined;
  #stopped = false;
  #lastCompacted: Revision = 0;

  constructor(options: {
    readonly store: Pick<StoreApi, 'revision' | 'compact'>;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly retention: Retention;
    /** Between two compactions of mode `revision`. etcd's is five minutes. */
    readonly intervalMs: number;
  }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#retention = options.retention;
    this.#intervalMs = options.intervalMs;
  }

  start(): void {
    const retention = this.#retention;
    if (retention.mode === 'periodic') this.#runPeriodic(retention.ms);
    if (retention.mode === 'revision') this.#runRevision(retention.revisions);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #runPeriodic(retentionMs: number): void {
    const periodMs = Math.min(retentionMs, HOUR_MS);
    const noteEveryMs = periodMs / NOTES_PER_PERIOD;
    const notesMax = Math.floor(retentionMs / noteEveryMs) + 1;
    const notes: Revision[] = [];
    let dueAt = this.#clock.monotonicMs() + retentionMs;
    const note = () => {
      notes.push(this.#store.revision);
      if (notes.length > notesMax) notes.shift();
      this.#again(noteEveryMs, async () => {
        const oldest = notes[0] ?? 0;
        // Half a note of slack: a timer may fire a touch early, and a whole note late would be a tenth of the period.
        const due = this.#clock.monotonicMs() >= dueAt - noteEveryMs / 2;
        if (due && oldest !== this.#lastCompacted && (await this.#compact(oldest))) {
          dueAt = this.#clock.monotonicMs() + periodMs;
        }
        if (!this.#stopped) note();
      });
    };
    note();
  }

  #runRevision(retained: number): void {
    this.#again(this.#intervalMs, async () => {
      const revision = this.#store.revision - retained;
      if (revision > 0 && revision !== this.#lastCompacted) await this.#compact(revision);
      if (!this.#stopped) this.#runRevision(retained);
    });
  }

  #again(delayMs: number, task: () => Promise<void>): void {
    this.#timer = this.#clock.after(delayMs, () => void task());
  }

  /** Whether the history up to the revision is gone now. */
  async #compact(revision: Revision): Promise<boolean> {
    const startedMs = this.#clock.monotonicMs();
    try {
      await this.#store.compact(revision, false);
    } catch (error) {
      // Somebody else (kube-apiserver does) compacted further already: as good as done.
      if (!(error instanceof StoreError && error.code === 'compacted')) {
        const reason = error instanceof Error ? error.message : String(error);
        this.#logger.warn('auto compaction failed; will try again', { revision, reason });
        return false;
      }
    }
    this.#lastCompacted = revision;
    const took_ms = Math.round(this.#clock.monotonicMs() - startedMs);
    this.#logger.info('auto compaction done', { revision, retention: formatRetention(this.#retention), took_ms });
    return true;
  }
}

/** For people: `off`, `5m`, `10000 revisions`. */
export function formatRetention(retention: Retention): string {
  switch (retention.mode) {
    case 'off':
      return 'off';
    case 'periodic':
      return formatDurationMs(retention.ms);
    case 'revision':
      return `${retention.revisions} revisions`;
  }
}
