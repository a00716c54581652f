import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncPath } from '../../base/sync-path.ts';
import type { ImportSink, ImportState } from '../../mvcc/import-sink.ts';
import { LogError } from '../../mvcc/log.ts';
import type { Change } from '../../mvcc/types.ts';
import { translate } from './errors.ts';
import { acquireLock, type Lock } from './lock.ts';
import type { SqliteOptions } from './options.ts';
import { StoreFile } from './store-file.ts';

/**
 * Makes a store file of rows from elsewhere. They go into a file beside the store's place, without a thought for power
 * cuts; once all are there it is synced and gets its name. Until then nothing is at the store's place.
 */
export class SqliteImport implements ImportSink {
  readonly #file: string;
  readonly #part: string;
  #lock: Lock | undefined;
  #store: StoreFile | undefined;

  constructor(options: SqliteOptions) {
    this.#file = options.file;
    this.#part = `${options.file}.importing`;
  }

  async begin(): Promise<void> {
    this.#lock = acquireLock(this.#file);
    try {
      for (const file of [this.#file, `${this.#file}-wal`]) {
        if (existsSync(file)) {
          throw new LogError('refused', `${file} is already there: import into a new file, or move the old one away`);
        }
      }
      // What an import that was killed has left.
      await this.#removePart();
      await (await open(this.#part, 'wx', 0o600)).close();
      this.#store = new StoreFile(this.#part);
    } catch (error) {
      await this.abort();
      throw translate(error, this.#file);
    }
  }

  async write(changes: readonly Change[]): Promise<void> {
    const store = this.#begun();
    try {
      store.addRows(changes);
    } catch (error) {
      throw translate(error, this.#file);
    }
  }

  async finish({ head, horizon, leases, records }: ImportState): Promise<void> {
    const store = this.#begun();
    try {
      const cursor = { revision: head, notes: 0, commit: 0 };
      store.finish({ cursor, horizon, leases, records, alarms: [], clusterId: randomId(), memberId: randomId() });
      this.#store = undefined;
      await syncPath(this.#part);
      // Nobody else can have made it: the lock is ours.
      await rename(this.#part, this.#file);
      await syncPath(dirname(this.#file));
      this.#lock?.release();
      this.#lock = undefined;
    } catch (error) {
      throw translate(error, this.#file);
    }
  }

  async abort(): Promise<void> {
    if (this.#lock === undefined) return;
    this.#store?.close();
    this.#store = undefined;
    await this.#removePart();
    this.#lock.release();
    this.#lock = undefined;
  }

  async #removePart(): Promise<void> {
    for (const suffix of ['', '-wal', '-shm', '-journal']) await rm(`${this.#part}${suffix}`, { force: true });
  }

  #begun(): StoreFile {
    if (this.#store === undefined) throw new LogError('closed', `${this.#file}: no import is under way`);
    return this.#store;
  }
}

/** Any 64 bits but 0: the store is a new one. */
function randomId(): bigint {
  return randomBytes(8).readBigUInt64LE() || 1n;
}
