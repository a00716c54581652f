import { Failure } from '../base/failure.ts';
import { shownStoreUrl } from '../log/shared/store-url.ts';
import type { ImportSink, ImportState } from '../mvcc/import-sink.ts';
import { isShared } from '../mvcc/log.ts';
import { type Change, FIRST_REVISION, type LeaseChange, type RecordChange, type Revision } from '../mvcc/types.ts';
import { LogWriter } from './log-writer.ts';

/*
 * Imports into a shared log by append, which knows a commit by the one before it and not by the number of its
 * revision: so it takes the gaps that compaction has left. Until all is there the alarm CORRUPT is raised: what is left
 * of an import that broke off serves nobody, and is not taken for empty.
 */

const BATCH_CHANGES_MAX = 4000;
const BATCH_BYTES_MAX = 4 * 2 ** 20;
const NOTES_PER_BATCH = 4000;
const NOTHING = new Uint8Array(0);
/** A key that no client can write: etcd refuses empty keys. */
const NO_KEY = '';

/** An ImportSink over the append of a shared log. */
export class LogImport implements ImportSink {
  readonly #name: string;
  readonly #writer: LogWriter;
  #batch: Change[] = [];
  #batchBytes = 0;
  #isOpen = false;

  constructor(storeUrl: string) {
    this.#name = shownStoreUrl(storeUrl);
    this.#writer = new LogWriter(storeUrl);
  }

  async begin(): Promise<void> {
    const { log } = this.#writer;
    if (!isShared(log)) throw new Failure(`${this.#name}: this engine cannot be imported into`);
    const { cursor, horizon, rows, leases, records, alarms } = await this.#writer.open();
    this.#isOpen = true;
    const isEmpty = cursor.revision === FIRST_REVISION && horizon === 0 && rows === 0;
    if (!isEmpty || leases.length > 0 || records.length > 0) {
      const why = alarms.includes('corrupt') ? 'it holds what is left of an import that broke off' : 'it is not empty';
      throw new Failure(
        `${this.#name}: ${why} (revision ${cursor.revision}); import into an empty database, or drop this one's tables`,
      );
    }
    await log.alarm('corrupt', true);
  }

  async write(changes: readonly Change[]): Promise<void> {
    for (const change of changes) {
      const isNext = change.sub === 0 || change.revision !== this.#batch.at(-1)?.revision;
      const isFull = this.#batch.length >= BATCH_CHANGES_MAX || this.#batchBytes >= BATCH_BYTES_MAX;
      // Whole revisions only.
      if (isNext && isFull) await this.#flush();
      this.#batch.push(change);
      this.#batchBytes += change.key.length + change.value.length;
    }
  }

  async finish({ head, horizon, leases, records }: ImportState): Promise<void> {
    await this.#flush();
    const { log } = this.#writer;
    const mark = await this.#raiseHead(head);
    const notes = [
      ...leases.flatMap(({ id, ttl, remainingTtl }): LeaseChange[] => {
        const grant: LeaseChange = { kind: 'grant', id, ttl };
        return remainingTtl < ttl ? [grant, { kind: 'checkpoint', id, remainingTtl }] : [grant];
      }),
      ...records.map(({ name, value }): RecordChange => ({ kind: 'record', name, value })),
    ];
    for (let i = 0; i < notes.length; i += NOTES_PER_BATCH) {
      await this.#writer.append([], notes.slice(i, i + NOTES_PER_BATCH));
    }
    await log.compact(horizon);
    // What the horizon lets go of never came.
    await log.sweep(mark, horizon);
    await log.alarm('corrupt', false);
    await this.#writer.close();
    this.#isOpen = false;
  }

  async abort(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#writer.close();
  }

  /** A head without a row of its own is reached by a row that is swept right after. */
  async #raiseHead(head: Revision): Promise<{ readonly revision: Revision; readonly sub: number }[]> {
    if (this.#writer.head >= head) return [];
    const at = { revision: head, sub: 0 };
    const nothing = { createRevision: 0, version: 0, lease: 0n, value: NOTHING };
    await this.#writer.append([{ kind: 'delete', key: NO_KEY, ...at, ...nothing }], []);
    return [at];
  }

  async #flush(): Promise<void> {
    if (this.#batch.length === 0) return;
    await this.#writer.append(this.#batch, []);
    this.#batch = [];
    this.#batchBytes = 0;
  }
}
