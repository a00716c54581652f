import type { Clock } from '../base/clock.ts';
import type { AlarmSet } from './alarm-set.ts';
import { decide, ValueNotLoaded, type WriteResult } from './decide.ts';
import { Draft } from './draft.ts';
import type { KeyIndex } from './key-index.ts';
import type { LeaseView } from './lease-book.ts';
import { type AppendBatch, type Log, LogError } from './log.ts';
import { Messages, type MissingMessage } from './messages.ts';
import { costOf, type Quota } from './quota.ts';
import type { Records } from './records.ts';
import { StoreError, type WriteRequest } from './requests.ts';
import { sameChanges } from './same-changes.ts';
import { toStoreError } from './store-error.ts';
import type { StoreStats } from './store-stats.ts';
import type { Tail } from './tail.ts';
import { type Change, type CommitId, type Cursor, type Revision, sameCursor } from './types.ts';
import type { ValueCache } from './value-cache.ts';
import type { ValueLoader } from './value-loader.ts';

/**
 * The Writer: everything that changes the store goes through it, one batch after the other.
 *
 *              ┌──────────────────────────── next batch: all that has queued meanwhile ────────────┐
 *              ▼                                                                                   │
 *   queue ─▶ take ─▶ load values ─▶ decide each ─▶ append ─┬─ committed ─▶ Tail.apply ─▶ answer ───┤
 *                    (rarely any)   (pure, Draft)  (1 trip)├─ moved ─────▶ Tail.catchUp ─▶ decide anew
 *                                                          ├─ unavailable ▶ reject all ────────────┤
 *                                                          └─ ambiguous ──▶ settle by reading ─────┘
 *
 * While an append is under way requests gather; the slower the disk, the larger the batches: group commit without a
 * timer. Errors of single requests are told after the commit too, for they may rest on what the batch writes.
 * A batch that writes nothing is answered without an append.
 */
export class Writer {
  readonly #parts: WriterParts;
  readonly #limits: WriterLimits;
  #queue: Queued[] = [];
  #queuedBytes = 0;
  #running = false;
  #stopped = false;
  #idle: (() => void)[] = [];
  /** An append whose fate is not known. Nothing else is written before it is. */
  #unsettled: { readonly batch: AppendBatch; readonly cursor: Cursor } | undefined;

  constructor(parts: WriterParts, limits: WriterLimits) {
    this.#parts = parts;
    this.#limits = limits;
  }

  /** Nothing waits and nothing is under way. */
  get isIdle(): boolean {
    return !this.#running;
  }

  /**
   * Resolves when the request is durable and applied. Rejects with StoreError. The request's bytes are read until then.
   */
  submit(request: WriteRequest): Promise<WriteResult> {
    return new Promise((resolve, reject) => {
      const bytes = bytesOf(request);
      if (this.#stopped) return reject(new StoreError('stopped'));
      const { queueRequestsMax, queueBytesMax } = this.#limits;
      if (
        this.#queue.length >= queueRequestsMax ||
        (this.#queuedBytes + bytes > queueBytesMax && this.#queuedBytes > 0)
      ) {
        return reject(new StoreError('too-many-requests'));
      }
      this.#queue.push(new Queued(request, bytes, resolve, reject));
      this.#queuedBytes += bytes;
      this.#noteQueue();
      if (this.#running) return;
      this.#running = true;
      // What else comes in this turn shares the batch.
      queueMicrotask(() => void this.#run());
    });
  }

  /** Takes no more requests; resolves when those taken are answered. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#running) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) await this.#writeBatch(this.#take());
    this.#running = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #take(): Queued[] {
    const { batchRequestsMax, batchBytesMax } = this.#limits;
    let count = 0;
    let bytes = 0;
    for (const queued of this.#queue) {
      if (count > 0 && (count >= batchRequestsMax || bytes + queued.bytes > batchBytesMax)) break;
      bytes += queued.bytes;
      count += 1;
    }
    const batch = count === this.#queue.length ? this.#queue : this.#queue.slice(0, count);
    this.#queue = count === this.#queue.length ? [] : this.#queue.slice(count);
    this.#queuedBytes -= bytes;
    this.#noteQueue();
    this.#parts.stats.batchRequests.observe(count);
    return batch;
  }

  #noteQueue(): void {
    this.#parts.stats.queuedRequests.value = this.#queue.length;
    this.#parts.stats.queuedBytes.value = this.#queuedBytes;
  }

  async #writeBatch(batch: Queued[]): Promise<void> {
    try {
      if (this.#unsettled !== undefined) await this.#settle();
      const allowed = await this.#checkQuota(batch);
      let rest = allowed;
      while (rest.length > 0) rest = await this.#decideAndAppend(rest);
    } catch (error) {
      rejectAll(batch, error);
    }
  }

  /** Decides as many of the requests as can be decided together, appends, answers. Answers those left over. */
  async #decideAndAppend(batch: Queued[]): Promise<Queued[]> {
    const { index, cache, leases, records, tail } = this.#parts;
    for (let attempt = 0; attempt < this.#limits.attemptsMax; attempt += 1) {
      const loading = this.#parts.loader.load(batch);
      const loaded = loading instanceof Map ? loading : await loading;
      const draft = new Draft(index, leases, records, tail.head);
      const messages = new Messages(cache, loaded);
      const decided = this.#decideAll(batch, draft, messages);
      const done = decided === batch.length ? batch : batch.slice(0, decided);
      // Rows that answers lack must still be there after the append.
      const release = done.some((queued) => queued.missing.length > 0) ? this.#parts.holdSweep() : undefined;
      try {
        if ((await this.#append(draft)) === 'applied') {
          this.#answer(done);
          return decided === batch.length ? NOTHING_LEFT : batch.slice(decided);
        }
      } finally {
        release?.();
      }
      this.#parts.stats.appendsMoved.value += 1;
      await this.#parts.confirm?.();
    }
    throw new StoreError('unavailable', 'other writers were first, time and again');
  }

  /** Answers how many were decided; fewer than all when one needs a value that an earlier one of the batch brings up. */
  #decideAll(batch: readonly Queued[], draft: Draft, messages: Messages): number {
    const context = { horizon: this.#parts.horizon(), messages };
    for (let i = 0; i < batch.length; i += 1) {
      const queued = batch[i];
      if (queued === undefined) return i;
      messages.missing = [];
      try {
        queued.error = undefined;
        queued.result = decide(draft, queued.request, context);
        queued.missing = messages.missing;
      } catch (error) {
        if (error instanceof ValueNotLoaded && i > 0) return i;
        if (!(error instanceof StoreError)) throw error;
        queued.error = error;
      }
      if (draft.changes.length >= this.#limits.batchChangesMax) return i + 1;
    }
    return batch.length;
  }

  async #append(draft: Draft): Promise<'applied' | 'moved'> {
    const { log, tail, stats, clock } = this.#parts;
    const { changes, notes } = draft;
    const expected = tail.cursor;
    if (changes.length === 0 && notes.length === 0) {
      // Nothing is written, but what was decided must hold at a moment after the request came.
      await this.#parts.confirm?.();
      return sameCursor(tail.cursor, expected) ? 'applied' : 'moved';
    }
    const commit = this.#parts.newCommitId();
    const batch: AppendBatch = { expected, commit, changes, notes };
    const cursor: Cursor = { revision: draft.revision, notes: expected.notes + notes.length, commit };
    const beganMs = clock.monotonicMs();
    try {
      const result = await log.append(batch);
      stats.commitSeconds.observe((clock.monotonicMs() - beganMs) / 1000);
      if (result.kind === 'moved') return 'moved';
    } catch (error) {
      stats.appendsFailed.value += 1;
      if (!(error instanceof LogError) || error.code !== 'ambiguous') throw error;
      this.#unsettled = { batch, cursor };
      await this.#settle(error);
      return 'applied';
    }
    this.#apply(batch, cursor);
    return 'applied';
  }

  /**
   * Finds out whether the unsettled append was committed, by reading what the log has in its place. It was when the
   * same changes stand there; then they are applied, lease changes and all. Rejects with LogError `ambiguous` when it
   * cannot be said, `unavailable` when nothing was written.
   */
  async #settle(cause?: LogError): Promise<void> {
    const unsettled = this.#unsettled;
    if (unsettled === undefined) return;
    const { batch, cursor } = unsettled;
    const { log, clock } = this.#parts;
    let head: Revision | undefined;
    for (let attempt = 0; attempt < SETTLE_ATTEMPTS && head === undefined; attempt += 1) {
      if (attempt > 0) await pause(clock, SETTLE_PAUSE_MS * 2 ** attempt);
      head = await log.head().catch(ignoreLogError);
    }
    if (head === undefined) throw cause ?? new LogError('unavailable', 'an earlier commit is not settled yet');
    if (batch.changes.length === 0) {
      // Lease changes alone leave no trace in the log that could be asked for.
      this.#unsettled = undefined;
      if (cause !== undefined) throw cause;
      return;
    }
    if (head > batch.expected.revision) {
      const there = await readBack(log, batch);
      if (there !== undefined && sameChanges(there, batch.changes)) {
        this.#unsettled = undefined;
        this.#apply(batch, cursor);
        return;
      }
      if (there === undefined) throw cause ?? new LogError('unavailable', 'an earlier commit is not settled yet');
    }
    this.#unsettled = undefined;
    if (cause !== undefined) throw new LogError('unavailable', cause.message, { cause });
  }

  /** A shared log's news may have told the Tail of it already. */
  #apply(batch: AppendBatch, cursor: Cursor): void {
    const { tail } = this.#parts;
    if (sameCursor(tail.cursor, batch.expected)) tail.apply(batch.changes, batch.notes, cursor);
  }

  #answer(batch: readonly Queued[]): void {
    for (const queued of batch) {
      if (queued.error !== undefined) queued.reject(queued.error);
      else if (queued.result !== undefined) {
        if (queued.request.kind === 'txn') this.#parts.stats.txns.value += 1;
        if (queued.missing.length === 0) queued.resolve(queued.result);
        else void this.#answerLater(queued, queued.result);
      }
    }
  }

  /** The writing is done; the answer waits for values that only the log has. */
  async #answerLater(queued: Queued, result: WriteResult): Promise<void> {
    try {
      await this.#parts.loader.fill(queued.missing);
      queued.resolve(result);
    } catch (error) {
      queued.reject(toStoreError(error));
    }
  }

  /** Rejects what the alarm or the quota forbid; answers the others. */
  async #checkQuota(batch: Queued[]): Promise<Queued[]> {
    const { quota, alarms } = this.#parts;
    let cost = 0;
    for (const queued of batch) cost += queued.cost;
    if (alarms.has('corrupt')) throw new StoreError('corrupt');
    if (cost === 0) return batch;
    if (quota.isStale(cost)) await quota.refresh();
    if (!alarms.has('nospace') && quota.allows(cost)) {
      quota.grow(cost);
      return batch;
    }
    const allowed: Queued[] = [];
    for (const queued of batch) {
      if (queued.cost > 0 && (alarms.has('nospace') || !quota.allows(queued.cost))) {
        if (!alarms.has('nospace')) await alarms.raise('nospace').catch(ignoreLogError);
        queued.reject(new StoreError('no-space'));
        continue;
      }
      quota.grow(queued.cost);
      allowed.push(queued);
    }
    return allowed;
  }
}

/** What the Writer works with. */
export interface WriterParts {
  readonly log: Log;
  readonly index: KeyIndex;
  readonly cache: ValueCache;
  readonly leases: LeaseView;
  readonly records: Records;
  readonly tail: Tail;
  readonly loader: ValueLoader;
  readonly quota: Quota;
  readonly alarms: AlarmSet;
  readonly stats: StoreStats;
  readonly clock: Clock;
  /** With a log that others write to as well: Follower.confirm. */
  readonly confirm: (() => Promise<void>) | undefined;
  /** With such a log a new one each time; else 0. */
  readonly newCommitId: () => CommitId;
  readonly horizon: () => Revision;
  /** Compactor.hold. */
  readonly holdSweep: () => () => void;
}

export interface WriterLimits {
  readonly queueRequestsMax: number;
  readonly queueBytesMax: number;
  readonly batchRequestsMax: number;
  readonly batchBytesMax: number;
  /** A batch is cut after the request that reaches it. */
  readonly batchChangesMax: number;
  /** How often a batch is decided anew because others were first. */
  readonly attemptsMax: number;
}

const SETTLE_ATTEMPTS = 5;
const SETTLE_PAUSE_MS = 20;
const NOTHING_LEFT: Queued[] = [];
const NOTHING_MISSING: readonly MissingMessage[] = [];

/** A request on its way. */
class Queued {
  readonly request: WriteRequest;
  readonly bytes: number;
  readonly cost: number;
  readonly resolve: (result: WriteResult) => void;
  readonly reject: (error: StoreError) => void;
  result: WriteResult | undefined = undefined;
  error: StoreError | undefined = undefined;
  missing: readonly MissingMessage[] = NOTHING_MISSING;

  constructor(
    request: WriteRequest,
    bytes: number,
    resolve: (result: WriteResult) => void,
    reject: (error: StoreError) => void,
  ) {
    this.request = request;
    this.bytes = bytes;
    this.cost = costOf(request);
    this.resolve = resolve;
    this.reject = reject;
  }
}

/** What a request holds in memory, about. */
function bytesOf(request: WriteRequest): number {
  const overhead = 128;
  if (request.kind === 'put') return overhead + request.key.length + request.value.length;
  return request.kind === 'txn' ? overhead + costOf(request) : overhead;
}

function rejectAll(batch: readonly Queued[], error: unknown): void {
  const storeError = toStoreError(error);
  for (const queued of batch) queued.reject(storeError);
}

function ignoreLogError(error: unknown): undefined {
  if (!(error instanceof LogError)) throw error;
  return undefined;
}

function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => clock.after(delayMs, resolve));
}

/** What the log has where the batch should be; undefined when it cannot be read. */
async function readBack(log: Log, batch: AppendBatch): Promise<readonly Change[] | undefined> {
  const found: Change[] = [];
  let after = batch.expected.revision;
  while (found.length < batch.changes.length) {
    const changes = await log.changes(after, SETTLE_READ_BYTES).catch(ignoreLogError);
    if (changes === undefined) return undefined;
    const last = changes[changes.length - 1];
    if (last === undefined) break;
    for (const change of changes) found.push(change);
    after = last.revision;
  }
  return found.slice(0, batch.changes.length);
}

const SETTLE_READ_BYTES = 4 * 1024 * 1024;
