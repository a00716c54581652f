import type { Log } from './log.ts';
import { toStoreError } from './store-error.ts';
import type { Tail } from './tail.ts';

/**
 * Linearizable reads on a log that others write to as well: asks for the log's head and waits until it is applied. One
 * question under way answers all who came before it was sent; who comes later waits for the next.
 */
export class HeadReader {
  readonly #log: Log;
  readonly #tail: Tail;
  #asking: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(log: Log, tail: Tail) {
    this.#log = log;
    this.#tail = tail;
  }

  /** Resolves when everything committed before the call is applied. Rejects with StoreError. */
  confirm(): Promise<void> {
    if (this.#asking === undefined) return this.#start();
    const start = (): Promise<void> => {
      this.#next = undefined;
      return this.#start();
    };
    this.#next ??= this.#asking.then(start, start);
    return this.#next;
  }

  #start(): Promise<void> {
    this.#asking = this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(): Promise<void> {
    try {
      if ((await this.#log.head()) > this.#tail.head) await this.#tail.catchUp();
    } catch (error) {
      throw toStoreError(error);
    }
  }
}
