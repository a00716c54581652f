import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import { invariant } from '../../base/invariant.ts';
import {
  BRANCH_ELEMENT_BYTES,
  BUCKET_BYTES,
  BUCKET_FLAG,
  compareBytes,
  FORMAT_VERSION,
  fnv1a64,
  LEAF_ELEMENT_BYTES,
  MAGIC,
  META_BYTES,
  META_CHECKED_BYTES,
  PAGE_HEADER_BYTES,
  PageFlag,
  writeU64,
} from './format.ts';

/** As on almost every machine that runs etcd. bbolt reads files of any size of page. */
const PAGE_BYTES = 4096;
const BUFFER_BYTES = 2 ** 20;
/** Elements of a page are counted with 16 bits. */
const COUNT_MAX = 0xffff;
const KEY_BYTES_MAX = 32_768;

/**
 * Writes a bbolt file in one go: each bucket's keys in order, leaves and the branches above them as they fill, all
 * behind each other. Memory for a page per level and bucket is all it takes, however large the file becomes.
 *
 *     writer.begin('key'); writer.put(…); writer.put(…); writer.end();   // for each bucket, in any order
 *     writer.finish();
 *
 * The file must not be there. What was written without `finish` is no bbolt file: its meta pages are written last.
 */
export class BboltWriter {
  readonly #fd: number;
  readonly #buffer = Buffer.alloc(BUFFER_BYTES);
  #buffered = 0;
  /** Where in the file the buffer belongs. */
  #bufferAt = 2 * PAGE_BYTES;
  #nextPage = 2;
  readonly #buckets: { readonly name: Uint8Array; readonly root: number }[] = [];
  #name: Uint8Array | undefined;
  #lastKey: Uint8Array | undefined;
  #levels: Level[] = [];

  constructor(path: string) {
    this.#fd = openSync(path, 'wx+', 0o600);
  }

  begin(name: string): void {
    invariant(this.#name === undefined, 'one bucket is written at a time');
    this.#name = Buffer.from(name, 'latin1');
    this.#lastKey = undefined;
    this.#levels = [new Level(PageFlag.leaf)];
  }

  /** Keys must come in order, each once. The bytes are copied before it answers. */
  put(key: Uint8Array, value: Uint8Array, flags = 0): void {
    const last = this.#lastKey;
    invariant(last === undefined || compareBytes(last, key) < 0, 'keys of a bucket are written in order');
    invariant(key.length > 0 && key.length <= KEY_BYTES_MAX, 'a key has 1 to 32768 bytes');
    this.#lastKey = key.slice();
    const leaf = this.#levels[0];
    invariant(leaf !== undefined && this.#name !== undefined, 'a bucket is begun first');
    if (!leaf.fits(key.length + value.length)) this.#flush(0);
    leaf.add(key, value, flags, 0);
  }

  end(): void {
    invariant(this.#name !== undefined, 'a bucket is begun first');
    this.#buckets.push({ name: this.#name, root: this.#endTree() });
    this.#name = undefined;
  }

  /** The root page, the list of free pages (there are none), both meta pages; then all is on the disk. */
  finish(): { readonly bytes: number; readonly pages: number } {
    invariant(this.#name === undefined, 'the last bucket is ended first');
    this.#buckets.sort((a, b) => compareBytes(a.name, b.name));
    this.#levels = [new Level(PageFlag.leaf)];
    const leaf = this.#levels[0];
    for (const { name, root } of this.#buckets) {
      const value = new Uint8Array(BUCKET_BYTES);
      writeU64(new DataView(value.buffer), 0, root);
      if (leaf?.fits(name.length + value.length) !== true) this.#flush(0);
      leaf?.add(name, value, BUCKET_FLAG, 0);
    }
    const root = this.#endTree();
    const freelist = this.#write(pageOf(PageFlag.freelist, 0, 0, PAGE_BYTES));
    this.#drain();
    const pages = this.#nextPage;
    // The transaction's number says in which of the two it belongs.
    for (const txn of [2, 3]) {
      writeSync(this.#fd, metaPage(txn, root, freelist, pages), 0, PAGE_BYTES, (txn % 2) * PAGE_BYTES);
    }
    fsyncSync(this.#fd);
    return { bytes: pages * PAGE_BYTES, pages };
  }

  /** After finish: adds the SHA-256 that `etcdctl snapshot restore` asks for. Reads the file once. */
  async addDigest(): Promise<void> {
    const total = this.#nextPage * PAGE_BYTES;
    const hash = createHash('sha256');
    for (let at = 0; at < total; ) {
      const bytes = readSync(this.#fd, this.#buffer, 0, Math.min(BUFFER_BYTES, total - at), at);
      invariant(bytes > 0, 'the file that was just written is all there');
      hash.update(this.#buffer.subarray(0, bytes));
      at += bytes;
      await breathe();
    }
    writeSync(this.#fd, hash.digest(), 0, undefined, total);
    fsyncSync(this.#fd);
  }

  close(): void {
    closeSync(this.#fd);
  }

  #endTree(): number {
    for (let i = 0; ; i += 1) {
      const level = this.#levels[i];
      invariant(level !== undefined, 'a tree has a top');
      const { first, page } = this.#writeLevel(level);
      // The only page of its level is the root.
      if (this.#levels[i + 1] === undefined) return page;
      this.#addBelow(i + 1, first, page);
    }
  }

  #flush(i: number): void {
    const level = this.#levels[i];
    invariant(level !== undefined, 'there is such a level');
    const { first, page } = this.#writeLevel(level);
    this.#levels[i + 1] ??= new Level(PageFlag.branch);
    this.#addBelow(i + 1, first, page);
  }

  #addBelow(i: number, first: Uint8Array, page: number): void {
    const level = this.#levels[i];
    invariant(level !== undefined, 'there is such a level');
    if (!level.fits(first.length)) this.#flush(i);
    level.add(first, NO_VALUE, 0, page);
  }

  #writeLevel(level: Level): { readonly first: Uint8Array; readonly page: number } {
    const first = level.firstKey;
    const page = this.#write(level.take());
    return { first, page };
  }

  /** Gives the page (with what overflows of it) its number and its place. */
  #write(bytes: Buffer): number {
    const page = this.#nextPage;
    writeU64(new DataView(bytes.buffer, bytes.byteOffset), 0, page);
    this.#nextPage += bytes.length / PAGE_BYTES;
    if (this.#buffered + bytes.length > BUFFER_BYTES) this.#drain();
    if (bytes.length > BUFFER_BYTES) {
      this.#writeOut(bytes);
    } else {
      bytes.copy(this.#buffer, this.#buffered);
      this.#buffered += bytes.length;
    }
    return page;
  }

  #drain(): void {
    this.#writeOut(this.#buffer.subarray(0, this.#buffered));
    this.#buffered = 0;
  }

  #writeOut(bytes: Buffer): void {
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.#fd, bytes, done, bytes.length - done, this.#bufferAt + done);
    }
    this.#bufferAt += bytes.length;
  }
}

const NO_VALUE = new Uint8Array(0);

interface Element {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly flags: number;
  readonly page: number;
}

/** The page of a level that is being filled. */
class Level {
  readonly #flag: number;
  #elements: Element[] = [];
  #bytes = PAGE_HEADER_BYTES;

  constructor(flag: number) {
    this.#flag = flag;
  }

  /** An element that is larger than a page has one of its own, with pages that overflow. */
  fits(bytes: number): boolean {
    if (this.#elements.length === 0) return true;
    return this.#elements.length < COUNT_MAX && this.#bytes + LEAF_ELEMENT_BYTES + bytes <= PAGE_BYTES;
  }

  add(key: Uint8Array, value: Uint8Array, flags: number, page: number): void {
    this.#elements.push({ key: key.slice(), value: value.slice(), flags, page });
    this.#bytes += LEAF_ELEMENT_BYTES + key.length + value.length;
  }

  get firstKey(): Uint8Array {
    return this.#elements[0]?.key ?? NO_VALUE;
  }

  /** The page, still without its number; the level is empty again. */
  take(): Buffer {
    const elements = this.#elements;
    const page = pageOf(
      this.#flag,
      elements.length,
      Math.ceil(this.#bytes / PAGE_BYTES) - 1,
      Math.ceil(this.#bytes / PAGE_BYTES) * PAGE_BYTES,
    );
    let at = PAGE_HEADER_BYTES;
    let data = PAGE_HEADER_BYTES + elements.length * LEAF_ELEMENT_BYTES;
    const view = new DataView(page.buffer, page.byteOffset, page.length);
    for (const element of elements) {
      if (this.#flag === PageFlag.leaf) {
        view.setUint32(at, element.flags, true);
        view.setUint32(at + 4, data - at, true);
        view.setUint32(at + 8, element.key.length, true);
        view.setUint32(at + 12, element.value.length, true);
        at += LEAF_ELEMENT_BYTES;
      } else {
        view.setUint32(at, data - at, true);
        view.setUint32(at + 4, element.key.length, true);
        writeU64(view, at + 8, element.page);
        at += BRANCH_ELEMENT_BYTES;
      }
      page.set(element.key, data);
      page.set(element.value, data + element.key.length);
      data += element.key.length + element.value.length;
    }
    this.#elements = [];
    this.#bytes = PAGE_HEADER_BYTES;
    return page;
  }
}

function pageOf(flag: number, count: number, overflow: number, bytes: number): Buffer {
  const page = Buffer.alloc(bytes);
  page.writeUInt16LE(flag, 8);
  page.writeUInt16LE(count, 10);
  page.writeUInt32LE(overflow, 12);
  return page;
}

function metaPage(txn: number, root: number, freelist: number, pages: number): Buffer {
  const page = pageOf(PageFlag.meta, 0, 0, PAGE_BYTES);
  const meta = page.subarray(PAGE_HEADER_BYTES, PAGE_HEADER_BYTES + META_BYTES);
  const view = new DataView(meta.buffer, meta.byteOffset, META_BYTES);
  writeU64(new DataView(page.buffer, page.byteOffset), 0, txn % 2);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, FORMAT_VERSION, true);
  view.setUint32(8, PAGE_BYTES, true);
  writeU64(view, 16, root);
  writeU64(view, 32, freelist);
  writeU64(view, 40, pages);
  writeU64(view, 48, txn);
  view.setBigUint64(META_CHECKED_BYTES, fnv1a64(meta.subarray(0, META_CHECKED_BYTES)), true);
  return page;
}
