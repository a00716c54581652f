import { invariant } from '../base/invariant.ts';
import { logFor } from '../log/engines.ts';
import { shownStoreUrl } from '../log/shared/store-url.ts';
import type { Log, LogState } from '../mvcc/log.ts';
import type { Change } from '../mvcc/types.ts';
import { CHUNK_BYTES_MAX, type RowHead, type Source, type SourceFacts, type Survey } from './source.ts';

/** A store of kedge's in a file of its own, while nobody serves it. Of a shared one see SharedStoreSource. */
export class LogSource implements Source {
  readonly name: string;
  readonly #log: Log;
  #state: LogState | undefined;

  constructor(storeUrl: string, name = shownStoreUrl(storeUrl)) {
    this.name = name;
    this.#log = logFor(storeUrl);
  }

  async open(): Promise<SourceFacts> {
    this.#state = await this.#log.open();
    const { horizon, rows } = this.#state;
    return { description: 'kedge store', horizon, rows };
  }

  async survey(visit: (row: RowHead) => void): Promise<Survey> {
    const { cursor, leases, records, alarms } = this.#opened();
    await this.#log.load((rows) => rows.forEach(visit));
    const remarks = alarms.map((alarm) => `The alarm ${alarm} is not carried over.`);
    return { head: cursor.revision, leases, records, remarks };
  }

  async *changes(): AsyncIterable<readonly Change[]> {
    for (let after = 0; ; ) {
      const changes = await this.#log.changes(after, CHUNK_BYTES_MAX);
      const last = changes.at(-1);
      if (last === undefined) return;
      yield changes;
      after = last.revision;
    }
  }

  close(): Promise<void> {
    return this.#log.close();
  }

  #opened(): LogState {
    invariant(this.#state !== undefined, 'a source is opened first');
    return this.#state;
  }
}
