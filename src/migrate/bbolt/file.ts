import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import { Failure } from '../../base/failure.ts';
import { Bucket } from './bucket.ts';
import {
  DIGEST_BYTES,
  DIGEST_REMAINDER_BYTES,
  damaged,
  FORMAT_VERSION,
  fnv1a64,
  MAGIC,
  META_BYTES,
  META_CHECKED_BYTES,
  PAGE_BYTES_MAX,
  PAGE_BYTES_MIN,
  PAGE_HEADER_BYTES,
  PageFlag,
  readU64,
} from './format.ts';
import { PageError, type PageHeader, readPageHeader } from './page.ts';

/** A page with what overflows of it: more than any value that etcd or kedge takes. */
const RUN_BYTES_MAX = 256 * 2 ** 20;
const DIGEST_CHUNK_BYTES = 2 ** 20;

/**
 * A bbolt file, for reading. Nothing in it is believed: every length, offset and page number is looked at before it is
 * used, no page is visited twice in one walk, and a file that is wrong ends in a Failure that names the page.
 * The list of free pages is not read.
 */
export class BboltFile {
  readonly path: string;
  readonly pageBytes: number;
  /** Of pages in use: what bbolt calls the size of a transaction. */
  readonly bytes: number;
  /** Whether a SHA-256 stands at the file's end. It is looked at by `verifyDigest` only. */
  readonly hasDigest: boolean;
  readonly #fd: number;
  readonly #dataBytes: number;
  readonly #pages: number;
  readonly #rootPage: number;

  /** Opens the file and reads its meta pages. Throws a Failure. */
  constructor(path: string) {
    this.path = path;
    this.#fd = openForReading(path);
    try {
      const { size } = fstatSync(this.#fd);
      this.hasDigest = size % DIGEST_REMAINDER_BYTES === DIGEST_BYTES;
      this.#dataBytes = this.hasDigest ? size - DIGEST_BYTES : size;
      const meta = this.#newestMeta();
      this.pageBytes = meta.pageBytes;
      this.#pages = meta.pages;
      this.#rootPage = meta.rootPage;
      this.bytes = meta.pages * meta.pageBytes;
      if (this.bytes > this.#dataBytes) {
        throw damaged(path, `it is cut short: ${this.bytes} bytes are in use, ${this.#dataBytes} are there`);
      }
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  /** The names of the buckets at the top, in order. */
  *bucketNames(): Generator<Uint8Array> {
    for (const { key, isBucket } of this.#root().entries()) if (isBucket) yield key;
  }

  /** A bucket at the top by its name; undefined when there is none. */
  bucket(name: string): Bucket | undefined {
    for (const { key, value, isBucket } of this.#root().entries()) {
      if (isBucket && Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1') === name) {
        return Bucket.of(this, value);
      }
    }
    return undefined;
  }

  /** Reads everything once and holds it against the digest. Throws a Failure when it does not match. */
  async verifyDigest(onProgress?: (bytes: number) => void): Promise<void> {
    if (!this.hasDigest) throw new Failure(`${this.path} has no digest at its end`);
    const hash = createHash('sha256');
    const chunk = Buffer.alloc(DIGEST_CHUNK_BYTES);
    for (let at = 0; at < this.#dataBytes; ) {
      const bytes = readSync(this.#fd, chunk, 0, Math.min(chunk.length, this.#dataBytes - at), at);
      if (bytes === 0) throw damaged(this.path, 'it ended while it was being read');
      hash.update(chunk.subarray(0, bytes));
      at += bytes;
      onProgress?.(at);
      await breathe();
    }
    const digest = Buffer.alloc(DIGEST_BYTES);
    readSync(this.#fd, digest, 0, DIGEST_BYTES, this.#dataBytes);
    if (!digest.equals(hash.digest())) throw damaged(this.path, 'its SHA-256 digest does not match');
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** For Bucket: a page with all that overflows of it. */
  page(id: number): { readonly header: PageHeader; readonly bytes: Uint8Array } {
    if (id < 2 || id >= this.#pages) throw damaged(this.path, `page ${id} of ${this.#pages} is asked for`);
    const first = this.#read(id * this.pageBytes, this.pageBytes);
    const header = readPageHeader(first);
    if (header.id !== id) throw damaged(this.path, `page ${id} says it is page ${header.id ?? 'beyond counting'}`);
    if (header.overflow === 0) return { header, bytes: first };
    const pages = header.overflow + 1;
    if (id + pages > this.#pages) throw damaged(this.path, `page ${id} overflows the end of the file`);
    if (pages * this.pageBytes > RUN_BYTES_MAX) {
      throw damaged(this.path, `page ${id} claims ${pages * this.pageBytes} bytes, more than ${RUN_BYTES_MAX}`);
    }
    return { header, bytes: this.#read(id * this.pageBytes, pages * this.pageBytes) };
  }

  /** For Bucket: which pages a walk has seen. */
  newWalk(): (page: number) => void {
    const seen = new Uint8Array(Math.ceil(this.#pages / 8));
    return (page) => {
      if (page >= this.#pages) throw damaged(this.path, `page ${page} of ${this.#pages} is asked for`);
      const bit = 1 << (page & 7);
      const byte = seen[page >>> 3] ?? 0;
      if ((byte & bit) !== 0) throw damaged(this.path, `page ${page} is reached twice`);
      seen[page >>> 3] = byte | bit;
    };
  }

  /** Says of which file a page is that cannot be. */
  told(page: number, error: unknown): unknown {
    return error instanceof PageError ? damaged(this.path, `page ${page}: ${error.message}`) : error;
  }

  #root(): Bucket {
    return new Bucket(this, this.#rootPage);
  }

  #read(at: number, length: number): Uint8Array {
    const bytes = Buffer.allocUnsafeSlow(length);
    for (let have = 0; have < length; ) {
      const read = readSync(this.#fd, bytes, have, length - have, at + have);
      if (read === 0) throw damaged(this.path, `it ends at byte ${at + have}`);
      have += read;
    }
    return bytes;
  }

  /** The newer one of the two that are whole. The second one is looked for at every size that a page can have. */
  #newestMeta(): Meta {
    const found = [this.#metaAt(0)];
    const first = found[0];
    if (first !== undefined) found.push(this.#metaAt(first.pageBytes));
    else for (let size = PAGE_BYTES_MIN; size <= PAGE_BYTES_MAX; size *= 2) found.push(this.#metaAt(size));
    const [newest] = found.filter((meta) => meta !== undefined).sort((a, b) => (a.txn < b.txn ? 1 : -1));
    if (newest === undefined) {
      throw damaged(this.path, 'neither of its two meta pages is whole; is it a snapshot of etcd at all?');
    }
    return newest;
  }

  #metaAt(at: number): Meta | undefined {
    if (at + PAGE_HEADER_BYTES + META_BYTES > this.#dataBytes) return undefined;
    const page = this.#read(at, PAGE_HEADER_BYTES + META_BYTES);
    const meta = page.subarray(PAGE_HEADER_BYTES);
    const view = new DataView(meta.buffer, meta.byteOffset, META_BYTES);
    const pageBytes = view.getUint32(8, true);
    const isPageSize =
      pageBytes >= PAGE_BYTES_MIN && pageBytes <= PAGE_BYTES_MAX && (pageBytes & (pageBytes - 1)) === 0;
    const rootPage = readU64(view, 16);
    const pages = readU64(view, 40);
    if (
      readPageHeader(page).flags !== PageFlag.meta ||
      view.getUint32(0, true) !== MAGIC ||
      view.getUint32(4, true) !== FORMAT_VERSION ||
      !isPageSize ||
      (at !== 0 && at !== pageBytes) ||
      rootPage === undefined ||
      pages === undefined ||
      view.getBigUint64(META_CHECKED_BYTES, true) !== fnv1a64(meta.subarray(0, META_CHECKED_BYTES))
    ) {
      return undefined;
    }
    return { pageBytes, rootPage, pages, txn: view.getBigUint64(48, true) };
  }
}

interface Meta {
  readonly pageBytes: number;
  readonly rootPage: number;
  readonly pages: number;
  readonly txn: bigint;
}

function openForReading(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw new Failure(`cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}
