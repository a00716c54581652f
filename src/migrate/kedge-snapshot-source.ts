import { invariant } from '../base/invariant.ts';
import { restoreSqlite } from '../log/sqlite/restore.ts';
import type { Change } from '../mvcc/types.ts';
import { LogSource } from './log-source.ts';
import type { RowHead, Source, SourceFacts, Survey } from './source.ts';
import { sqliteUrl } from './sqlite-url.ts';
import { WorkFolder } from './work-folder.ts';

/** A snapshot of kedge's own: restored into the work folder, with its digest verified, and read as a store. */
export class KedgeSnapshotSource implements Source {
  readonly name: string;
  readonly #path: string;
  readonly #workFolder: string;
  #folder: WorkFolder | undefined;
  #store: LogSource | undefined;

  constructor(path: string, workFolder: string, name = path) {
    this.#path = path;
    this.name = name;
    this.#workFolder = workFolder;
  }

  async open(): Promise<SourceFacts> {
    this.#folder = await WorkFolder.make(this.#workFolder);
    const to = this.#folder.file('store.db');
    await restoreSqlite({ snapshotFile: this.#path, to });
    this.#store = new LogSource(sqliteUrl(to), this.name);
    return { ...(await this.#store.open()), description: 'kedge snapshot' };
  }

  survey(visit: (row: RowHead) => void): Promise<Survey> {
    return this.#opened().survey(visit);
  }

  changes(): AsyncIterable<readonly Change[]> {
    return this.#opened().changes();
  }

  async close(): Promise<void> {
    await this.#store?.close();
    await this.#folder?.remove();
  }

  #opened(): LogSource {
    invariant(this.#store !== undefined, 'a source is opened first');
    return this.#store;
  }
}
