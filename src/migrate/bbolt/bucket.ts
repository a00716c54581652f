import type { BboltFile } from './file.ts';
import { BUCKET_BYTES, BUCKET_FLAG, compareBytes, damaged, PageFlag, readU64 } from './format.ts';
import { BranchPage, LeafPage, readPageHeader } from './page.ts';

/** A key of a bucket, with its value. Views, for keeps. */
export interface BucketEntry {
  readonly key: Uint8Array;
  /** Of a bucket within: what `Bucket.of` takes. */
  readonly value: Uint8Array;
  readonly isBucket: boolean;
}

/** A tree of pages, or one page that stands right in its parent's leaf. */
export class Bucket {
  readonly #file: BboltFile;
  readonly #root: number;
  readonly #inline: Uint8Array | undefined;

  constructor(file: BboltFile, root: number, inline?: Uint8Array) {
    this.#file = file;
    this.#root = root;
    this.#inline = inline;
  }

  /** The bucket that an entry's value is. Throws a Failure. */
  static of(file: BboltFile, value: Uint8Array): Bucket {
    if (value.length < BUCKET_BYTES) throw damaged(file.path, `a bucket of ${value.length} bytes`);
    const root = readU64(new DataView(value.buffer, value.byteOffset, value.length), 0);
    if (root === undefined) throw damaged(file.path, 'a bucket names a page that cannot be');
    return root === 0 ? new Bucket(file, 0, value.subarray(BUCKET_BYTES)) : new Bucket(file, root);
  }

  /** Everything in key order. Throws a Failure when the tree is not one. */
  *entries(): Generator<BucketEntry> {
    let last: Uint8Array | undefined;
    for (const { page, leaf } of this.#leaves()) {
      for (let i = 0; i < leaf.count; i += 1) {
        const entry = this.#entry(page, leaf, i);
        if (last !== undefined && compareBytes(last, entry.key) >= 0) {
          throw damaged(this.#file.path, `page ${page}: its keys are out of order`);
        }
        last = entry.key;
        yield entry;
      }
    }
  }

  #entry(page: number, leaf: LeafPage, i: number): BucketEntry {
    try {
      return { key: leaf.key(i), value: leaf.value(i), isBucket: (leaf.flags(i) & BUCKET_FLAG) !== 0 };
    } catch (error) {
      throw this.#file.told(page, error);
    }
  }

  /** The leaves from left to right. */
  *#leaves(): Generator<{ readonly page: number; readonly leaf: LeafPage }> {
    const file = this.#file;
    if (this.#inline !== undefined) {
      yield { page: 0, leaf: this.#read(0, this.#inline, (bytes) => new LeafPage(bytes, readPageHeader(bytes))) };
      return;
    }
    const visit = file.newWalk();
    const path: { readonly branch: BranchPage; readonly page: number; next: number }[] = [];
    for (let page: number | undefined = this.#root; page !== undefined; page = this.#nextPage(path)) {
      visit(page);
      const { header, bytes } = file.page(page);
      if ((header.flags & PageFlag.branch) !== 0) {
        const branch = this.#read(page, bytes, () => new BranchPage(bytes, header));
        path.push({ branch, page, next: 0 });
      } else {
        yield { page, leaf: this.#read(page, bytes, () => new LeafPage(bytes, header)) };
      }
    }
  }

  #nextPage(path: { readonly branch: BranchPage; readonly page: number; next: number }[]): number | undefined {
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const { branch, page, next } = top;
      if (next < branch.count) {
        top.next = next + 1;
        return this.#read(page, undefined, () => branch.child(next));
      }
      path.pop();
    }
    return undefined;
  }

  #read<B, T>(page: number, bytes: B, read: (bytes: B) => T): T {
    try {
      return read(bytes);
    } catch (error) {
      throw this.#file.told(page, error);
    }
  }
}
