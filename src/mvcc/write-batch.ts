import type { BatchesBelow } from './batches-below.ts';
import { type DecideContext, decide, ValueNotLoaded } from './decide.ts';
import type { Draft } from './draft.ts';
import type { ChangeMessages } from './log.ts';
import { StoreError } from './requests.ts';
import { type Cursor, sameCursor } from './types.ts';
import type { QueuedWrite } from './write-queue.ts';

/** Requests that are decided on one draft and committed together: all of them or none. */
export class WriteBatch {
  readonly draft: Draft;
  readonly writes: QueuedWrite[] = [];
  /** Other replicas' batches on which the draft stands, as long as they are not known to be committed. */
  below: BatchesBelow | undefined;
  /** It was sent while that was so. */
  isEarly = false;
  /** Of its changes, once somebody has written them. */
  messages: ChangeMessages | undefined;
  #bytes = 0;
  #release: (() => void) | undefined;

  constructor(draft: Draft, below?: BatchesBelow) {
    this.draft = draft;
    this.below = below;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Decides the requests in order and keeps those that it decided. Answers how many; fewer than all when the next one
   * needs a value that is not in memory, or when the batch has `changesMax` changes. `holdSweep`: Compactor.hold.
   */
  decide(
    writes: readonly QueuedWrite[],
    context: DecideContext,
    changesMax: number,
    holdSweep: () => () => void,
  ): number {
    const { messages } = context;
    for (let i = 0; i < writes.length; i += 1) {
      const write = writes[i];
      if (write === undefined || this.draft.changes.length >= changesMax) return i;
      messages.missing = [];
      write.error = undefined;
      try {
        write.result = decide(this.draft, write.request, context);
        write.missing = messages.missing;
        // Rows that an answer lacks must still be there when it is given.
        if (write.missing.length > 0) this.#release ??= holdSweep();
      } catch (error) {
        if (error instanceof ValueNotLoaded) return i;
        if (!(error instanceof StoreError)) throw error;
        write.error = error;
      }
      this.writes.push(write);
      this.#bytes += write.bytes;
    }
    return writes.length;
  }

  /** What the draft stands on is committed, or is not waited for any more. */
  knowBelow(areCommitted: boolean): void {
    const { below } = this;
    if (areCommitted) this.below = undefined;
    below?.know(areCommitted);
  }

  /** The log goes through this place. */
  saw(cursor: Cursor): void {
    const fate = this.below?.fateAt(cursor);
    if (fate !== undefined) this.knowBelow(fate);
  }

  /** Whether the log may stand there before the batch is committed: upon some or all of what lies below it. */
  comesAfter(cursor: Cursor): boolean {
    const { draft, below } = this;
    return sameCursor(cursor, draft.expected) || (below !== undefined && below.fateAt(cursor) !== false);
  }

  /** It is answered, or given up. */
  release(): void {
    this.#release?.();
    this.#release = undefined;
  }
}
