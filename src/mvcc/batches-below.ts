import { type AppendBatch, cursorAfter } from './log.ts';
import { type Cursor, sameCursor } from './types.ts';

/**
 * Other replicas' batches that are on their way to the log, one upon the other, and on which one of ours stands. Whether
 * the last of them, and so all, are committed becomes known once; whoever waits for it is told in the same step.
 */
export class BatchesBelow {
  /** In the order of the log; at least one. */
  readonly batches: readonly AppendBatch[];
  #areCommitted: boolean | undefined;
  #listener: ((areCommitted: boolean) => void) | undefined;

  constructor(batches: readonly AppendBatch[]) {
    this.batches = batches;
  }

  get areKnown(): boolean {
    return this.#areCommitted !== undefined;
  }

  /** One listens at a time. Called at once when it is known already. */
  onKnown(listener: (areCommitted: boolean) => void): void {
    if (this.#areCommitted === undefined) this.#listener = listener;
    else listener(this.#areCommitted);
  }

  /** False: they are not waited for any more. They may be committed all the same. */
  know(areCommitted: boolean): void {
    if (this.#areCommitted !== undefined) return;
    this.#areCommitted = areCommitted;
    this.#listener?.(areCommitted);
  }

  /** What it says of them that the log goes through this place: committed, or never to be; undefined: nothing yet. */
  fateAt(cursor: Cursor): boolean | undefined {
    const last = this.batches.at(-1);
    if (last !== undefined && sameCursor(cursor, cursorAfter(last))) return true;
    return this.batches.some(({ expected }) => sameCursor(cursor, expected)) ? undefined : false;
  }
}
