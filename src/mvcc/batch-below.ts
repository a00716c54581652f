import type { AppendBatch } from './log.ts';

/**
 * Another replica's batch that is on its way to the log, and on which one of ours stands. Whether it is committed becomes
 * known once; whoever waits for it is told in the same step.
 */
export class BatchBelow {
  readonly batch: AppendBatch;
  #isCommitted: boolean | undefined;
  #listener: ((isCommitted: boolean) => void) | undefined;

  constructor(batch: AppendBatch) {
    this.batch = batch;
  }

  get isKnown(): boolean {
    return this.#isCommitted !== undefined;
  }

  /** One listens at a time. Called at once when it is known already. */
  onKnown(listener: (isCommitted: boolean) => void): void {
    if (this.#isCommitted === undefined) this.#listener = listener;
    else listener(this.#isCommitted);
  }

  /** False: it is not waited for any more. It may be committed all the same. */
  know(isCommitted: boolean): void {
    if (this.#isCommitted !== undefined) return;
    this.#isCommitted = isCommitted;
    this.#listener?.(isCommitted);
  }
}
