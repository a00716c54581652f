import { invariant } from '../base/invariant.ts';
import type { Admission } from './admission.ts';
import { Appender, type AppenderParts } from './appender.ts';
import { BatchesBelow } from './batches-below.ts';
import type { CommitTold } from './commit-told.ts';
import type { WriteResult } from './decide.ts';
import { Draft, type DraftGround } from './draft.ts';
import { EarlySends } from './early-sends.ts';
import type { AppendBatch, AppendResult } from './log.ts';
import { Messages } from './messages.ts';
import { StoreError, type WriteRequest } from './requests.ts';
import { toStoreError } from './store-error.ts';
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
 *
 * Where several replicas take turns, the batches under way are others'. When they have come here ahead of their commits,
 * and the turn after them is ours, the open batch is decided above them, just as above one of our own. It goes to the
 * log when they are committed, or before (EarlySends), so that the log has it ready.
 */
export class Writer {
  readonly #parts: WriterParts;
  readonly #limits: WriterLimits;
  readonly #queue: WriteQueue;
  /** Decided and not sent: because another one is under way. */
  #open: WriteBatch | undefined;
  #underWay: WriteBatch | undefined;
  readonly #appender: Appender;
  readonly #early = new EarlySends();
  /** Other replicas' batches, on which the next one is decided. */
  #below: readonly AppendBatch[] | undefined;
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
    this.#appender = new Appender(parts);
    parts.tail.onCommitted = (cursor) => this.#noteCommitted(cursor);
  }

  /** Nothing waits and nothing is under way. */
  get isIdle(): boolean {
    return !this.#deciding && !this.#appending && this.#open === undefined && this.#queue.length === 0;
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
        if (this.#appender.isUnsettled) await this.#settleEarlier();
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
        const isTheirTurn = !this.#catchingUp && !this.#appender.isUnsettled && !this.#queue.hasOlderThan(admitted);
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

  /**
   * With others writing, nothing is decided above a batch of ours, whose next place in the log is theirs. What can be
   * decided is what belongs upon theirs.
   */
  #isOthersTurn(): boolean {
    this.#below = undefined;
    const { turns, ahead } = this.#parts;
    if (turns === undefined || !turns.areTaken) return false;
    if (this.#underWay !== undefined) return true;
    if (this.#open !== undefined || turns.restMs === 0) return false;
    if (!this.#waitsForIndex) this.#below = ahead();
    if (this.#below === undefined) this.#awaitTurn();
    return this.#below === undefined;
  }

  #awaitTurn(): void {
    this.#parts.turns?.await((isKnown) => void this.#takeTurn(isKnown));
  }

  /** What another one may have written in its turn is read first. */
  async #takeTurn(isKnown: boolean): Promise<void> {
    if (!isKnown && !this.#catchingUp) {
      this.#catchingUp = true;
      // Whatever is wrong, the append will be told.
      await this.#parts.confirm?.().catch(() => undefined);
      this.#catchingUp = false;
      // What it was decided on does not come.
      if (this.#open?.below !== undefined) this.#putOpenBack();
      this.#underWay?.knowBelow(false);
    }
    const waits = this.#open?.below !== undefined || this.#underWay?.below?.areKnown === false;
    // Once given up it is not looked after again, however long the log still waits for it.
    if (waits && !this.#catchingUp) this.#awaitTurn();
    if (!this.#deciding) void this.#decideQueued();
  }

  #decide(writes: readonly QueuedWrite[], loaded: LoadedMessages): void {
    const { cache, horizon, holdSweep } = this.#parts;
    const { batchChangesMax } = this.#limits;
    const open = this.#open ?? this.#newBatch();
    const context = { horizon: horizon(), messages: new Messages(cache, loaded) };
    const decided = open.decide(writes, context, batchChangesMax, holdSweep);
    if (open.writes.length > 0) this.#open = open;
    if (decided === writes.length) return;
    this.#queue.putBack(writes.slice(decided));
    if (open.draft.changes.length >= batchChangesMax) return;
    // The next one rests on a value that an earlier one brings up, or that the cache has lost meanwhile.
    const isAbove = this.#isBusy || open.below !== undefined;
    invariant(isAbove || loaded.size > 0, 'a decision needs a value that was not loaded for it');
    this.#waitsForIndex = true;
  }

  #newBatch(): WriteBatch {
    const { applied, tail, newCommitId } = this.#parts;
    const commit = newCommitId();
    const below = this.#below;
    const [lowest] = below ?? [];
    if (this.#underWay !== undefined) return new WriteBatch(this.#underWay.draft.above(commit));
    if (below === undefined || lowest === undefined || !sameCursor(tail.cursor, lowest.expected)) {
      return new WriteBatch(new Draft(applied, tail.cursor, commit));
    }
    this.#parts.stats.batchesAbove.value += 1;
    return new WriteBatch(Draft.of(applied, below).above(commit), new BatchesBelow(below));
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
          if (batch.isEarly) this.#early.hit();
          // Before this one is applied, so that the log and the store work at the same time.
          sent = this.#send();
          this.#apply(batch);
          sent?.batch.draft.landed();
          this.#answer(batch);
        } else if (result.kind === 'moved') await this.#decideAnew(batch);
        else this.#decideWithout(batch, new Set(result.leases));
      } catch (error) {
        this.#putOpenBack();
        rejectAll(batch.writes, error);
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
    this.#underWay = undefined;
    if (batch === undefined) return undefined;
    if (batch.below !== undefined) {
      this.#awaitTurn();
      if (batch.draft.isEmpty || !this.#early.allow(batch.writes.length)) return undefined;
    }
    this.#open = undefined;
    this.#underWay = batch;
    batch.isEarly = batch.below !== undefined;
    const requests = batch.writes.length;
    this.#early.sent(requests);
    this.#parts.stats.batchRequests.observe(requests);
    return { batch, outcome: this.#appender.append(batch) };
  }

  /** The Tail goes there now. What rests on another one's batch may know by that what became of it. */
  #noteCommitted(cursor: Cursor): void {
    const open = this.#open;
    this.#underWay?.saw(cursor);
    if (open?.below === undefined) return;
    open.saw(cursor);
    if (open.below === undefined) {
      // Before it is applied, so that the log and the store work at the same time.
      if (!this.#appending) void this.#appendAll();
    } else if (open.below.areKnown) {
      this.#putOpenBack();
      queueMicrotask(() => {
        if (!this.#deciding) void this.#decideQueued();
      });
    }
  }

  #apply({ draft, messages }: WriteBatch): void {
    const { tail } = this.#parts;
    // A shared log's news may have told the Tail of it already, and of more.
    if (draft.isEmpty) return;
    // Others need not wait until we are done with it.
    this.#parts.onCommit({ upon: draft.expected.commit, cursor: draft.cursor });
    if (sameCursor(tail.cursor, draft.expected)) {
      tail.apply(draft.changes, draft.notes, draft.cursor, messages);
    }
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
    if (batch.isEarly) this.#early.missed();
    else this.#moves += 1;
    if (this.#moves >= this.#limits.attemptsMax) {
      throw new StoreError('unavailable', 'other writers were first, time and again');
    }
    this.#catchingUp = true;
    try {
      if (!batch.isEarly) await this.#parts.turns?.moved(this.#moves);
      const { cursor } = this.#parts.tail;
      if (batch.comesAfter(cursor)) await this.#parts.passed(cursor);
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
  async #settleEarlier(): Promise<void> {
    const committed = await this.#appender.settleEarlier();
    if (committed !== undefined) this.#apply(committed);
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
export interface WriterParts extends AppenderParts {
  readonly applied: DraftGround;
  readonly cache: ValueCache;
  readonly loader: ValueLoader;
  readonly admission: Admission;
  /** With a log that others write to as well: Follower.passed. */
  readonly passed: (cursor: Cursor) => Promise<void> | undefined;
  /** With such a log: Follower.ahead. */
  readonly ahead: () => readonly AppendBatch[] | undefined;
  /** Hears of each batch of this Writer that is committed, before it is applied. Must not throw. */
  readonly onCommit: (commit: CommitTold) => void;
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

const NOTHING: readonly QueuedWrite[] = [];

function rejectAll(writes: readonly QueuedWrite[], error: unknown): void {
  const storeError = toStoreError(error);
  for (const write of writes) write.reject(storeError);
}
