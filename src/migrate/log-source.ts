import { logFor } from '../log/engines.ts';
import type { Log, LogState } from '../mvcc/log.ts';
import type { Change } from '../mvcc/types.ts';
import { CHUNK_BYTES_MAX, type RowHead, type Source, type SourceFacts, type Survey } from './source.ts';

/** Another store of kedge's, on any engine, while nobody serves it. */
export class LogSource implements Source {
  readonly name: string;
  readonly #log: Log;
  #state: LogState | undefined;

  constructor(storeUrl: string, name = storeUrl) {
    this.name = name;
    this.#log = logFor(storeUrl);
  }

  async open(): Promise<SourceFacts> {
    this.#state = await this.#log.open();
    const { horizon, rows } = this.#state;
    return { description: 'kedge store', horizon, rows };
  }

  async survey(visit: (row: RowHead) => void): Promise<Survey> {
    const { head, leases, alarms } = this.#opened();
    await this.#log.load((rows) => rows.forEach(visit));
    return { head, leases, remarks: alarms.map((alarm) => `The alarm ${alarm} is not carried over.`) };
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
    if (this.#state === undefined) throw new Error('the store is not open');
    return this.#state;
  }
}
