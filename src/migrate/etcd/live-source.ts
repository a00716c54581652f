import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { formatBytes } from '../../base/byte-size.ts';
import { Failure } from '../../base/failure.ts';
import { invariant } from '../../base/invariant.ts';
import type { Change } from '../../mvcc/types.ts';
import { DIGEST_BYTES } from '../bbolt/format.ts';
import { fileFacts } from '../file-kind.ts';
import { KedgeSnapshotSource } from '../kedge-snapshot-source.ts';
import type { Progress } from '../progress.ts';
import type { RowHead, Source, SourceFacts, Survey } from '../source.ts';
import { WorkFolder } from '../work-folder.ts';
import type { EtcdClient } from './client.ts';
import { EtcdSnapshotSource } from './snapshot-source.ts';

/**
 * A server that runs, by its Snapshot call: the whole store at one revision, exactly as it lies there (which change of
 * a transaction was which no range would tell). The file goes into the work folder and is taken away again.
 * A kedge answers that call too, with a store file of its own.
 */
export class LiveSource implements Source {
  readonly name: string;
  readonly #client: EtcdClient;
  readonly #workFolder: string;
  readonly #progress: Progress;
  #folder: WorkFolder | undefined;
  #inner: Source | undefined;

  constructor(client: EtcdClient, workFolder: string, progress: Progress) {
    this.name = client.endpoint;
    this.#client = client;
    this.#workFolder = workFolder;
    this.#progress = progress;
  }

  async open(): Promise<SourceFacts> {
    const { version, dbBytes } = await this.#client.status();
    this.#folder = await WorkFolder.make(this.#workFolder);
    const path = this.#folder.file('snapshot');
    await this.#fetch(path, dbBytes);
    const { kind } = await fileFacts(path);
    this.#inner =
      kind === 'kedge'
        ? new KedgeSnapshotSource(path, this.#folder.path, this.name)
        : new EtcdSnapshotSource(path, { name: this.name, skipDigest: true });
    const facts = await this.#inner.open();
    return { ...facts, description: `server that speaks etcd ${version}, ${facts.description}` };
  }

  survey(visit: (row: RowHead) => void): Promise<Survey> {
    return this.#opened().survey(visit);
  }

  changes(): AsyncIterable<readonly Change[]> {
    return this.#opened().changes();
  }

  async close(): Promise<void> {
    await this.#inner?.close();
    await this.#folder?.remove();
  }

  async #fetch(path: string, expectedBytes: number): Promise<void> {
    this.#progress.begin('fetching the snapshot', expectedBytes);
    const handle = await open(path, 'wx', 0o600);
    try {
      const bytes = await this.#receive(handle);
      this.#progress.end(formatBytes(bytes));
    } finally {
      await handle.close();
    }
  }

  /** The last 32 bytes are the digest of those before them. */
  async #receive(handle: FileHandle): Promise<number> {
    const hash = createHash('sha256');
    let bytes = 0;
    let tail = Buffer.alloc(0);
    for await (const { blob } of this.#client.snapshot()) {
      await handle.writeFile(blob);
      bytes += blob.length;
      const seen = Buffer.concat([tail, blob]);
      const cut = Math.max(0, seen.length - DIGEST_BYTES);
      hash.update(seen.subarray(0, cut));
      tail = seen.subarray(cut);
      this.#progress.note(bytes);
    }
    if (!hash.digest().equals(tail)) {
      throw new Failure(`${this.name}: the snapshot that came does not match its digest; run this again`);
    }
    return bytes;
  }

  #opened(): Source {
    invariant(this.#inner !== undefined, 'a source is opened first');
    return this.#inner;
  }
}
