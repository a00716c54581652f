import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { Counter, Gauge } from '../base/metrics.ts';
import type { CheckResult, FindingKind } from '../mvcc/checker.ts';
import { CHECK_DUTY } from '../mvcc/duty-names.ts';
import type { ReloadingStore } from '../mvcc/reloading-store.ts';
import { StoreError } from '../mvcc/requests.ts';
import type { Revision } from '../mvcc/types.ts';

/** Where a check is. Revisions tell the progress. */
export type CheckState =
  | { readonly state: 'never' }
  | { readonly state: 'running'; readonly revision: Revision; readonly until: Revision }
  | { readonly state: 'done'; readonly result: CheckResult; readonly tookMs: number; readonly atMs: number }
  | { readonly state: 'failed'; readonly error: string; readonly atMs: number };

const MOMENT_MS = 300;

/** What makes two answers of a store unlike each other. The others cost space, or a lease's end. */
const CORRUPTION: ReadonlySet<FindingKind> = new Set(['gap', 'order', 'chain', 'index']);

/**
 * Checks the store when asked, and by itself every --check-interval, one replica for all; one check at a time. What is found is logged and
 * counted; what means that answers may be wrong raises etcd's CORRUPT alarm when the check was our own.
 */
export class StoreChecks {
  readonly stats = new StoreChecksStats();
  readonly #parts: StoreChecksParts;
  #state: CheckState = { state: 'never' };
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(parts: StoreChecksParts) {
    this.#parts = parts;
  }

  get state(): CheckState {
    return this.#state;
  }

  start(): void {
    const { intervalMs, store } = this.#parts;
    if (intervalMs === 0) return;
    const run = async (): Promise<'done'> => {
      if (!this.#stopped) this.#running ??= this.#run(0, true);
      await this.#running;
      return 'done';
    };
    store.addDuty({ parts: [CHECK_DUTY], everyMs: intervalMs, firstAfterMs: intervalMs, run });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    // The store, which stops next, breaks it off.
    await this.#running;
  }

  /** Begins a check at a revision (0: the newest) unless one is running. Answers how it stands. */
  begin(revision: Revision): CheckState {
    if (!this.#stopped) this.#running ??= this.#run(revision, false);
    return this.#state;
  }

  /** Resolves when no check is running any more, or after a moment. */
  async moment(): Promise<void> {
    const { clock } = this.#parts;
    await Promise.race([this.#running, new Promise<void>((resolve) => clock.after(MOMENT_MS, resolve))]);
  }

  async #run(revision: Revision, isOwn: boolean): Promise<void> {
    const { store, clock, logger } = this.#parts;
    const beganMs = clock.monotonicMs();
    this.#state = { state: 'running', revision: 0, until: revision > 0 ? revision : store.revision };
    try {
      const result = await store.check(revision, (at, until) => {
        this.#state = { state: 'running', revision: at, until };
        if (this.#stopped) throw new StoreError('stopped');
      });
      const tookMs = clock.monotonicMs() - beganMs;
      this.#state = { state: 'done', result, tookMs, atMs: clock.wallMs() };
      this.stats.checks.value += 1;
      this.stats.findings.value = result.findingsTotal;
      this.stats.lastSeconds.value = Math.floor(clock.wallMs() / 1000);
      if (result.findingsTotal === 0)
        logger.debug('checked', { revision: result.revision, took_ms: Math.round(tookMs) });
      else await this.#tell(result, isOwn);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.stats.failures.value += 1;
      this.#state = { state: 'failed', error: error.message, atMs: clock.wallMs() };
      if (!this.#stopped) logger.warn('the store could not be checked', { reason: error.message });
    } finally {
      this.#running = undefined;
    }
  }

  async #tell({ findings, findingsTotal, revision }: CheckResult, isOwn: boolean): Promise<void> {
    const { store, logger } = this.#parts;
    const kinds = [...new Set(findings.map(({ kind }) => kind))];
    logger.error('the check has found what must not be: kedge check shows it', {
      revision,
      findings: findingsTotal,
      kinds: kinds.join(','),
      first: findings[0]?.detail,
    });
    if (!isOwn || !kinds.some((kind) => CORRUPTION.has(kind))) return;
    await store.raiseAlarm('corrupt').catch((error: unknown) => {
      if (!(error instanceof StoreError)) throw error;
      logger.warn('the alarm CORRUPT could not be noted down', { reason: error.message });
    });
  }
}

export interface StoreChecksParts {
  readonly store: ReloadingStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** 0: never by itself. */
  readonly intervalMs: number;
}

export class StoreChecksStats {
  readonly checks = new Counter();
  readonly failures = new Counter();
  /** Of the last check that came to its end. */
  readonly findings = new Gauge();
  /** When that was, in Unix seconds. */
  readonly lastSeconds = new Gauge();
}
