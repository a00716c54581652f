import { randomUUID } from 'node:crypto';
import { type FileHandle, open, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { LogError, type LogSnapshot } from '../../mvcc/log.ts';
import { translate } from './errors.ts';

/*
 * A snapshot is a VACUUM INTO a file beside the store, whose name is taken away as soon as it is open: whatever
 * happens, its space comes back. The long read of the store ends with the copy; how fast the copy is fetched then
 * costs nobody anything, above all not the write-ahead log, which cannot be begun anew while it is being read.
 */

const CHUNK_BYTES = 64 * 1024;
const MARK = '.snapshot-';

/** Takes a copy now. Rejects with a LogError. */
export async function takeSnapshot(file: string, openSnapshots: Set<OpenSnapshot>): Promise<LogSnapshot> {
  const copy = `${file}${MARK}${randomUUID()}`;
  try {
    // Empty at first and for its owner's eyes only.
    await writeFile(copy, '', { mode: 0o600, flag: 'wx' });
    await copyInThread(file, copy);
    const handle = await open(copy, 'r');
    await rm(copy);
    const snapshot = new OpenSnapshot(handle, (await handle.stat()).size, openSnapshots);
    openSnapshots.add(snapshot);
    return { bytes: snapshot.bytes, chunks: snapshot };
  } catch (error) {
    await rm(copy, { force: true });
    throw translate(error, file);
  }
}

/** Takes away copies that a killed process left behind. */
export async function removeLeftSnapshots(file: string): Promise<void> {
  const folder = dirname(file);
  const prefix = basename(file) + MARK;
  for (const name of await readdir(folder)) if (name.startsWith(prefix)) await rm(join(folder, name), { force: true });
}

/** Chunks of one copy; may be iterated once. Closed at the end, when the iteration is broken off, or by close. */
export class OpenSnapshot implements AsyncIterable<Uint8Array> {
  readonly bytes: number;
  readonly #handle: FileHandle;
  readonly #all: Set<OpenSnapshot>;
  #closing: Promise<void> | undefined;

  constructor(handle: FileHandle, bytes: number, all: Set<OpenSnapshot>) {
    this.#handle = handle;
    this.bytes = bytes;
    this.#all = all;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (let at = 0; at < this.bytes; ) {
        if (this.#closing !== undefined) throw new LogError('closed', 'the snapshot is closed');
        const chunk = new Uint8Array(Math.min(CHUNK_BYTES, this.bytes - at));
        const { bytesRead } = await this.#handle.read(chunk, 0, chunk.length, at);
        if (bytesRead === 0) throw new LogError('unavailable', 'the snapshot ended early');
        at += bytesRead;
        yield chunk.subarray(0, bytesRead);
      }
    } finally {
      await this.close();
    }
  }

  /** Idempotent. */
  close(): Promise<void> {
    this.#all.delete(this);
    this.#closing ??= this.#handle.close();
    return this.#closing;
  }
}

/** The copy takes seconds: a thread of its own, so that reads and writes go on. */
function copyInThread(file: string, copy: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./snapshot-thread.js', import.meta.url), {
      workerData: { file, copy } satisfies SnapshotStart,
      name: 'kedge-sqlite-snapshot',
    });
    worker.on('error', reject);
    worker.on('exit', (code) => {
      if (code === 0) resolve();
      else reject(new LogError('unavailable', `${file}: the snapshot's thread ended with code ${code}`));
    });
  });
}

/** What the snapshot's thread is started with. */
export interface SnapshotStart {
  readonly file: string;
  readonly copy: string;
}
