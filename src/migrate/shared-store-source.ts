import { open } from 'node:fs/promises';
import { Failure } from '../base/failure.ts';
import { invariant } from '../base/invariant.ts';
import { logFor } from '../log/engines.ts';
import { shownStoreUrl } from '../log/shared/store-url.ts';
import { type Change, FIRST_REVISION } from '../mvcc/types.ts';
import { LogSource } from './log-source.ts';
import type { RowHead, Source, SourceFacts, Survey } from './source.ts';
import { sqliteUrl } from './sqlite-url.ts';
import { WorkFolder } from './work-folder.ts';

/**
 * A store that several kedges share, by its snapshot: rows come and go while it is served, and two passes must see the
 * same. A snapshot is a store's file of the embedded engine; it goes into the work folder and is taken away again.
 */
export class SharedStoreSource implements Source {
  readonly name: string;
  readonly #storeUrl: string;
  readonly #workFolder: string;
  #folder: WorkFolder | undefined;
  #file: LogSource | undefined;

  constructor(storeUrl: string, workFolder: string) {
    this.name = shownStoreUrl(storeUrl);
    this.#storeUrl = storeUrl;
    this.#workFolder = workFolder;
  }

  async open(): Promise<SourceFacts> {
    this.#folder = await WorkFolder.make(this.#workFolder);
    const path = this.#folder.file('store.db');
    const log = logFor(this.#storeUrl);
    try {
      const { cursor } = await log.open();
      if (cursor.revision === FIRST_REVISION)
        throw new Failure(`${this.name} is empty: neither kine nor kedge wrote to it`);
      const handle = await open(path, 'wx', 0o600);
      try {
        for await (const chunk of (await log.snapshot()).chunks) await handle.writeFile(chunk);
      } finally {
        await handle.close();
      }
    } finally {
      await log.close();
    }
    this.#file = new LogSource(sqliteUrl(path), this.name);
    return { ...(await this.#file.open()), description: 'kedge store in a database' };
  }

  survey(visit: (row: RowHead) => void): Promise<Survey> {
    return this.#opened().survey(visit);
  }

  changes(): AsyncIterable<readonly Change[]> {
    return this.#opened().changes();
  }

  async close(): Promise<void> {
    await this.#file?.close();
    await this.#folder?.remove();
  }

  #opened(): LogSource {
    invariant(this.#file !== undefined, 'a source is opened first');
    return this.#file;
  }
}
