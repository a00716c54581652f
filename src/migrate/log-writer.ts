import { Failure } from '../base/failure.ts';
import { logFor } from '../log/engines.ts';
import type { Log, LogState } from '../mvcc/log.ts';
import type { Change, LeaseChange, Revision } from '../mvcc/types.ts';

/**
 * Appends to a store that nobody serves meanwhile: revision upon revision, in order. The one place of this room that
 * knows how append is called.
 */
export class LogWriter {
  readonly log: Log;
  readonly #storeUrl: string;
  #state: LogState | undefined;
  #head: Revision = 0;

  constructor(storeUrl: string) {
    this.#storeUrl = storeUrl;
    this.log = logFor(storeUrl);
  }

  /** Rejects with LogError. */
  async open(): Promise<LogState> {
    this.#state = await this.log.open();
    this.#head = this.#state.head;
    return this.#state;
  }

  get head(): Revision {
    return this.#head;
  }

  /** Whole revisions from head + 1 on, without a gap; lease changes apply before them. */
  async append(changes: readonly Change[], leases: readonly LeaseChange[]): Promise<void> {
    const result = await this.log.append({ expectedHead: this.#head, changes, leases });
    if (result.kind !== 'committed') {
      throw new Failure(
        `${this.#storeUrl}: somebody else writes to the store (it is at revision ${result.head}); stop that, empty the store and begin anew`,
      );
    }
    this.#head = changes.at(-1)?.revision ?? this.#head;
  }

  close(): Promise<void> {
    return this.log.close();
  }
}
