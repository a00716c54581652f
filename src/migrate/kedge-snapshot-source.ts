import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../base/failure.ts';
import { restoreSqlite } from '../log/sqlite/restore.ts';
import type { Change } from '../mvcc/types.ts';
import { LogSource } from './log-source.ts';
import type { RowHead, Source, SourceFacts, Survey } from './source.ts';

/** A snapshot of kedge's own: restored into the work folder, with its digest verified, and read as a store. */
export class KedgeSnapshotSource implements Source {
  readonly name: string;
  readonly #path: string;
  readonly #workFolder: string;
  #folder: string | undefined;
  #store: LogSource | undefined;

  constructor(path: string, workFolder: string, name = path) {
    this.#path = path;
    this.name = name;
    this.#workFolder = workFolder;
  }

  async open(): Promise<SourceFacts> {
    await mkdir(this.#workFolder, { recursive: true });
    this.#folder = await mkdtemp(join(this.#workFolder, 'kedge-snapshot-'));
    const to = join(this.#folder, 'store.db');
    await restoreSqlite({ snapshotFile: this.#path, to });
    this.#store = new LogSource(`sqlite://${to}`, this.name);
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
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
  }

  #opened(): LogSource {
    if (this.#store === undefined) throw new Failure(`${this.name}: the source is not open`);
    return this.#store;
  }
}
