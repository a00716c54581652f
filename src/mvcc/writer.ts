import type { Clock } from '../base/clock.ts';
import { invariant } from '../base/invariant.ts';
import type { Admission } from './admission.ts';
import type { WriteResult } from './decide.ts';
import { Draft, type DraftGround } from './draft.ts';
import { type AppendBatch, type AppendResult, type Log, LogError } from './log.ts';
import { Messages } from './messages.ts';
import { StoreError, type WriteRequest } from './requests.ts';
import { settle } from './settle.ts';
import { toStoreError } from './store-error.ts';
import type { StoreStats } from './store-stats.ts';
import type { Tail } from './tail.ts';
import type { Turns } from './turns.ts';
import { type CommitId, type Cursor, type LeaseId, type Revision, sameCursor } from './types.ts';
import type { ValueCache } from './value-cache.ts';
import type { LoadedMessages, ValueLoader } from './value-loader.ts';
import { WriteBatch } from './write-batch.ts';
import { QueuedWrite, WriteQueue, type WriteQueueLimits } from './write-queue.ts';

/**
 * The Writer: everything that changes the store goes through it, one batch after the other. Two things go on at once:
 * a batch is on its way to the disk, and the next one, the open batch, is decided on its draft, request by request as
 * they come.
 *
 *   queue ─▶ load values ─▶ decide ─▶ open batch ─▶ log.append ─┬─ committed ─▶ send the open batch; Tail.apply, answer
 *     ▲      (rarely any)   (pure, Draft above the              ├─ moved ─▶ Follower; decide both anew ──────┐
 *     │                      one under way)                     ├─ unavailable ─▶ reject it; the open ───────┤
 *     │                                                         └─ ambiguous ─▶ settle     batch rested on it│
 *     └──────────────────────────────────────────────────────────────────────────────────────────────────────┘
 *
 * The open batch is sent when the one under way is known to be committed and never before, so it can only be written
 * upon what it was decided on, whatever other writers of the log do. Requests gather in it for as long as the append
 * takes; the slower the disk, the larger the batches: group commit without a timer. Errors of single requests are told
 * after the commit too, for they may rest on what the batch or the one below writes. A batch that writes nothing is
 * answered without an append, after the one below.
 */
export class Writer {
  readonly #parts: WriterParts;
  readonly #limits: WriterLimits;
  readonly #queue: WriteQueue;
  /** Decided and not sent: because another one is under way. */
  #open: WriteBatch | undefined;
  #underWay: WriteBatch | undefined;
  /** Its append was given up without knowing its fate. Nothing is decided before that is known. */
  #unsettled: WriteBatch | undefined;
  #deciding = false;
  #appending = false;
  /** What comes next must be decided on the index alone, with nothing under way. */
  #waitsForIndex = false;
  /** The Tail reads what others have written. */
  #catchingUp = false;
  /** How often others were first, since the last commit. */
  #moves = 0;
  #stopped = false;
  #idle: (() => void)[] = [];

  constructor(parts: WriterParts, limits: WriterLimits) {
    this.#parts = parts;
    this.#limits = limits;
    this.#queue = new WriteQueue(limits, parts.stats);
  }

  /** Nothing waits and nothing is under way. */
  get isIdle(): boolean {
    return !this.#deciding && !this.#appending && this.#queue.length === 0;
  }

  /**
   * Resolves when the request is durable and applied. Rejects with StoreError. The request's bytes are read until then.
   */
  submit(request: WriteRequest): Promise<WriteResult> {
    return new Promise((resolve, reject) => {
      const write = new QueuedWrite(request, resolve, reject);
      if (this.#stopped) return reject(new StoreError('stopped'));
      if (!this.#queue.hasRoom(write.bytes)) return reject(new StoreError('too-many-requests'));
      this.#queue.add(write);
      if (this.#deciding) return;
      this.#deciding = true;
      // What else comes in this turn shares the batch.
      queueMicrotask(() => void this.#decideQueued());
    });
  }

  /** Takes no more requests; resolves when those taken are answered. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (!this.isIdle) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  // ── Deciding ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Decides what has queued, as far as the open batch has room for it. Waits for nothing in the usual case. */
  async #decideQueued(): Promise<void> {
    this.#deciding = true;
    for (let taken = this.#take(); taken.length > 0; taken = this.#take()) {
      try {
        if (this.#unsettled !== undefined) await this.#settleEarlier(this.#unsettled);
        if (this.#isBusy && this.#parts.admission.asksLog(taken)) {
          this.#waitsForIndex = true;
          this.#queue.putBack(taken);
          continue;
        }
        const admitting = this.#parts.admission.admit(taken);
        const admitted = admitting instanceof Promise ? await admitting : admitting;
        const loading = this.#parts.loader.load(admitted);
        const loaded = loading instanceof Promise ? await loading : loading;
        // While values were read the batch under way may have failed, and what was decided on it waits again.
        const isTheirTurn = !this.#catchingUp && this.#unsettled === undefined && !this.#queue.hasOlderThan(admitted);
        if (isTheirTurn) this.#decide(admitted, loaded);
        else this.#queue.putBack(admitted);
      } catch (error) {
        rejectAll(taken, error);
      }
      if (!this.#appending) void this.#appendAll();
    }
    this.#deciding = false;
    this.#noteIdle();
  }

  /** Takes from the queue what can be decided now. */
  #take(): readonly QueuedWrite[] {
    if (this.#queue.length === 0 || this.#catchingUp) return NOTHING;
    if (this.#waitsForIndex && this.#isBusy) return NOTHING;
    if (this.#isOthersTurn()) return NOTHING;
    this.#waitsForIndex = false;
    const { batchRequestsMax, batchBytesMax, batchChangesMax } = this.#limits;
    const open = this.#open;
    if (open === undefined) return this.#queue.take(batchRequestsMax, batchBytesMax, true);
    if (open.draft.changes.length >= batchChangesMax) return NOTHING;
    return this.#queue.take(batchRequestsMax - open.writes.length, batchBytesMax - open.bytes, false);
  }

  /** With others writing, nothing is decided ahead: it would rest on a place in the log that is theirs. */
  #isOthersTurn(): boolean {
    const { turns } = this.#parts;
    if (turns === undefined || !turns.areTaken) return false;
    if (this.#isBusy) return true;
    if (turns.restMs === 0) return false;
    turns.await((isKnown) => void this.#takeTurn(isKnown));
    return true;
  }

  /** What another one may have written in its turn is read first. */
  async #takeTurn(isKnown: boolean): Promise<void> {
    if (!isKnown && !this.#catchingUp) {
      this.#catchingUp = true;
      // Whatever is wrong, the append will be told.
      await this.#parts.confirm?.().catch(() => undefined);
      this.#catchingUp = false;
    }
    if (!this.#deciding) void this.#decideQueued();
  }

  #decide(writes: readonly QueuedWrite[], loaded: LoadedMessages): void {
    const { cache, horizon, holdSweep } = this.#parts;
    const { batchChangesMax } = this.#limits;
    const open = this.#open ?? new WriteBatch(this.#newDraft());
    const context = { horizon: horizon(), messages: new Messages(cache, loaded) };
    const decided = open.decide(writes, context, batchChangesMax, holdSweep);
    if (open.writes.length > 0) this.#open = open;
    if (decided === writes.length) return;
    this.#queue.putBack(writes.slice(decided));
    if (open.draft.changes.length >= batchChangesMax) return;
    // The next one rests on a value that an earlier one brings up, or that the cache has lost meanwhile.
    invariant(this.#isBusy || loaded.size > 0, 'a decision needs a value that was not loaded for it');
    this.#waitsForIndex = true;
  }

  #newDraft(): Draft {
    const { applied, tail, newCommitId } = this.#parts;
    const commit = newCommitId();
    return this.#underWay === undefined ? new Draft(applied, tail.cursor, commit) : this.#underWay.draft.above(commit);
  }

  get #isBusy(): boolean {
    return this.#open !== undefined || this.#underWay !== undefined;
  }

  // ── Appending ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Sends the open batch, then the one that was decided meanwhile, and so on as long as there is one. */
  async #appendAll(): Promise<void> {
    this.#appending = true;
    for (let sent = this.#send(); sent !== undefined; ) {
      const { batch, outcome } = sent;
      sent = undefined;
      try {
        const result = await outcome;
        if (result.kind === 'committed') {
          this.#moves = 0;
          // Before this one is applied, so that the log and the store work at the same time.
          sent = this.#send();
          this.#apply(batch);
          sent?.batch.draft.landed();
          this.#answer(batch);
        } else if (result.kind === 'moved') await this.#decideAnew(batch);
        else this.#decideWithout(batch, new Set(result.leases));
      } catch (error) {
        this.#giveUp(batch, error);
      }
      batch.release();
      if (!this.#deciding && this.#queue.length > 0) void this.#decideQueued();
      sent ??= this.#send();
    }
    this.#appending = false;
    this.#noteIdle();
  }

  #send(): Sent | undefined {
    const batch = this.#open;
    this.#open = undefined;
    this.#underWay = batch;
    if (batch === undefined) return undefined;
    this.#parts.stats.batchRequests.observe(batch.writes.length);
    return { batch, outcome: this.#append(batch) };
  }

  /** Rejects with LogError when the batch is not written, or nobody knows. */
  async #append(batch: WriteBatch): Promise<AppendResult> {
    const { log, tail, stats, clock, confirm, turns, onAppend } = this.#parts;
    const { draft } = batch;
    if (draft.isEmpty) {
      // What was decided must hold at a moment after the requests came.
      await confirm?.();
      const stands = confirm === undefined || sameCursor(tail.cursor, draft.expected);
      return stands ? COMMITTED : { kind: 'moved' };
    }
    const beganMs = clock.monotonicMs();
    try {
      const appending = log.append(draft.toAppend());
      onAppend?.(draft.toAppend());
      const result = await appending;
      const tookMs = clock.monotonicMs() - beganMs;
      stats.commitSeconds.observe(tookMs / 1000);
      if (result.kind === 'committed') turns?.committed(tookMs);
      return result;
    } catch (error) {
      stats.appendsFailed.value += 1;
      if (!(error instanceof LogError) || error.code !== 'ambiguous') throw error;
      const fate = await settle(log, clock, draft.toAppend());
      if (fate === 'committed') return COMMITTED;
      if (fate === 'not-committed') throw new LogError('unavailable', error.message, { cause: error });
      if (fate === 'unknown') this.#unsettled = batch;
      throw error;
    }
  }

  #apply({ draft }: WriteBatch): void {
    const { tail } = this.#parts;
    // A shared log's news may have told the Tail of it already, and of more.
    if (draft.isEmpty) return;
    // Others need not wait until we are done with it.
    this.#parts.onCommit(draft.cursor.revision);
    if (sameCursor(tail.cursor, draft.expected)) tail.apply(draft.changes, draft.notes, draft.cursor);
  }

  #answer({ writes }: WriteBatch): void {
    for (const write of writes) {
      if (write.error !== undefined) write.reject(write.error);
      else if (write.result !== undefined) {
        if (write.request.kind === 'txn') this.#parts.stats.txns.value += 1;
        if (write.missing.length === 0) write.resolve(write.result);
        else void this.#answerLater(write, write.result);
      }
    }
  }

  /** The writing is done; the answer waits for values that only the log has. */
  async #answerLater(write: QueuedWrite, result: WriteResult): Promise<void> {
    try {
      await this.#parts.loader.fill(write.missing);
      write.resolve(result);
    } catch (error) {
      write.reject(toStoreError(error));
    }
  }

  /** Others were first: what was decided waits again until the Tail has read what they wrote. Rejects with LogError. */
  async #decideAnew(batch: WriteBatch): Promise<void> {
    this.#parts.stats.appendsMoved.value += 1;
    this.#moves += 1;
    if (this.#moves >= this.#limits.attemptsMax) {
      throw new StoreError('unavailable', 'other writers were first, time and again');
    }
    this.#catchingUp = true;
    try {
      await this.#parts.turns?.moved(this.#moves);
      await this.#parts.passed(batch.draft.expected);
    } finally {
      this.#catchingUp = false;
    }
    this.#queue.putBack(batch.writes);
    this.#putOpenBack();
  }

  /** Leases that were to expire are alive: all but their ends is decided anew. */
  #decideWithout(batch: WriteBatch, renewed: ReadonlySet<LeaseId>): void {
    const left: QueuedWrite[] = [];
    for (const write of batch.writes) {
      const { request } = write;
      if (request.kind === 'lease-expire' && renewed.has(request.id)) write.reject(new StoreError('lease-renewed'));
      else left.push(write);
    }
    this.#queue.putBack(left);
    this.#putOpenBack();
  }

  #giveUp(batch: WriteBatch, error: unknown): void {
    this.#putOpenBack();
    rejectAll(batch.writes, error);
  }

  /** It rests on what was not committed. */
  #putOpenBack(): void {
    const open = this.#open;
    this.#open = undefined;
    this.#underWay = undefined;
    if (open === undefined) return;
    open.release();
    this.#queue.putBack(open.writes);
  }

  /** An append was given up without knowing its fate: finds it out now. Rejects with LogError when it cannot be. */
  async #settleEarlier(batch: WriteBatch): Promise<void> {
    const fate = await settle(this.#parts.log, this.#parts.clock, batch.draft.toAppend());
    if (fate === 'unknown') throw new LogError('unavailable', 'an earlier commit is not settled yet');
    this.#unsettled = undefined;
    if (fate === 'committed') this.#apply(batch);
  }

  #noteIdle(): void {
    if (this.isIdle) for (const resolve of this.#idle.splice(0)) resolve();
  }
}

/** A batch and what will come of it. */
interface Sent {
  readonly batch: WriteBatch;
  readonly outcome: Promise<AppendResult>;
}

/** What the Writer works with. */
export interface WriterParts {
  readonly log: Log;
  readonly applied: DraftGround;
  readonly cache: ValueCache;
  readonly tail: Tail;
  readonly loader: ValueLoader;
  readonly admission: Admission;
  readonly stats: StoreStats;
  readonly clock: Clock;
  /** With a log that others write to as well: Follower.confirm. */
  readonly confirm: (() => Promise<void>) | undefined;
  /** With such a log: Follower.passed. */
  readonly passed: (cursor: Cursor) => Promise<void> | undefined;
  /** With such a log. */
  readonly turns: Turns | undefined;
  /** Hears of each batch as it is sent to the log. Must not throw. */
  readonly onAppend: ((batch: AppendBatch) => void) | undefined;
  /** Hears of each batch of this Writer that is committed, before it is applied. Must not throw. */
  readonly onCommit: (head: Revision) => void;
  /** With such a log a new one each time; else 0. */
  readonly newCommitId: () => CommitId;
  readonly horizon: () => Revision;
  /** Compactor.hold. */
  readonly holdSweep: () => () => void;
}

export interface WriterLimits extends WriteQueueLimits {
  readonly batchRequestsMax: number;
  readonly batchBytesMax: number;
  /** A batch is cut after the request that reaches it. */
  readonly batchChangesMax: number;
  /** How often in a row others may be first before a batch is given up. */
  readonly attemptsMax: number;
}

const COMMITTED: AppendResult = { kind: 'committed' };
const NOTHING: readonly QueuedWrite[] = [];

function rejectAll(writes: readonly QueuedWrite[], error: unknown): void {
  const storeError = toStoreError(error);
  for (const write of writes) write.reject(storeError);
}
