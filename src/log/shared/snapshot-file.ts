import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LogError, type LogSnapshot } from '../../mvcc/log.ts';
import { OpenSnapshot } from '../sqlite/snapshot.ts';
import { StoreFile } from '../sqlite/store-file.ts';

/*
 * A snapshot of a shared store is a store's file of the embedded engine: "kedge snapshot restore" makes a store of its
 * own out of it, and etcd's tools carry it about. It is gathered in a temporary folder, whose name is gone before the
 * first chunk leaves; TMPDIR says where.
 */

/** Snapshots that are being made or read, and are to be closed with their Log. */
export class SnapshotFiles {
  readonly #opened = new Set<OpenSnapshot>();
  readonly #making = new Set<Promise<unknown>>();

  /** `fill` writes everything, `finish` included, from one moment. Rejects with what it rejects with. */
  take(fill: (file: StoreFile) => Promise<void>): Promise<LogSnapshot> {
    const taking = this.#take(fill);
    const done: Promise<unknown> = taking.then(
      () => this.#making.delete(done),
      () => this.#making.delete(done),
    );
    this.#making.add(done);
    return taking;
  }

  async close(): Promise<void> {
    await Promise.all(this.#making);
    for (const snapshot of this.#opened) await snapshot.close();
  }

  async #take(fill: (file: StoreFile) => Promise<void>): Promise<LogSnapshot> {
    const folder = await mkdtemp(join(tmpdir(), 'kedge-snapshot-'));
    try {
      const path = join(folder, 'kedge.db');
      const file = new StoreFile(path);
      try {
        await fill(file);
      } finally {
        file.close();
      }
      const handle = await open(path, 'r');
      const snapshot = new OpenSnapshot(handle, (await handle.stat()).size, this.#opened);
      this.#opened.add(snapshot);
      return { bytes: snapshot.bytes, chunks: snapshot };
    } catch (error) {
      if (error instanceof LogError) throw error;
      const why = error instanceof Error ? error.message : String(error);
      throw new LogError('unavailable', `the snapshot cannot be written to ${tmpdir()}: ${why}`, { cause: error });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}
