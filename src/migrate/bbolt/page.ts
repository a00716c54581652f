import { BRANCH_ELEMENT_BYTES, LEAF_ELEMENT_BYTES, PAGE_HEADER_BYTES, PageFlag, readU64 } from './format.ts';

/** A page that cannot be; `file.ts` says which one and of which file. */
export class PageError extends Error {
  override readonly name = 'PageError';
}

/** What stands at the beginning of each page. */
export interface PageHeader {
  readonly id: number | undefined;
  readonly flags: number;
  readonly count: number;
  /** Pages that follow and belong to this one. */
  readonly overflow: number;
}

export function readPageHeader(bytes: Uint8Array): PageHeader {
  if (bytes.length < PAGE_HEADER_BYTES) throw new PageError('it is shorter than a page header');
  const view = viewOf(bytes);
  return {
    id: readU64(view, 0),
    flags: view.getUint16(8, true),
    count: view.getUint16(10, true),
    overflow: view.getUint32(12, true),
  };
}

/** A leaf: keys and values in order. Views into the page's bytes. Throws PageError. */
export class LeafPage {
  readonly count: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, header: PageHeader) {
    if (header.flags !== PageFlag.leaf) throw new PageError(`a leaf has flags ${header.flags}`);
    checkElements(bytes, header.count, LEAF_ELEMENT_BYTES);
    this.count = header.count;
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }

  flags(i: number): number {
    return this.#view.getUint32(elementAt(i, LEAF_ELEMENT_BYTES), true);
  }

  key(i: number): Uint8Array {
    const at = elementAt(i, LEAF_ELEMENT_BYTES);
    return this.#part(at + this.#view.getUint32(at + 4, true), this.#view.getUint32(at + 8, true));
  }

  value(i: number): Uint8Array {
    const at = elementAt(i, LEAF_ELEMENT_BYTES);
    const keyBytes = this.#view.getUint32(at + 8, true);
    return this.#part(at + this.#view.getUint32(at + 4, true) + keyBytes, this.#view.getUint32(at + 12, true));
  }

  #part(from: number, length: number): Uint8Array {
    return partOf(this.#bytes, from, length, elementAt(this.count, LEAF_ELEMENT_BYTES));
  }
}

/** A branch: the first key of each page below it. Throws PageError. */
export class BranchPage {
  readonly count: number;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, header: PageHeader) {
    if (header.flags !== PageFlag.branch) throw new PageError(`a branch has flags ${header.flags}`);
    if (header.count === 0) throw new PageError('a branch without pages below it');
    checkElements(bytes, header.count, BRANCH_ELEMENT_BYTES);
    this.count = header.count;
    this.#view = viewOf(bytes);
    for (let i = 0; i < this.count; i += 1) {
      const at = elementAt(i, BRANCH_ELEMENT_BYTES);
      const key = at + this.#view.getUint32(at, true);
      partOf(bytes, key, this.#view.getUint32(at + 4, true), elementAt(this.count, BRANCH_ELEMENT_BYTES));
    }
  }

  /** The page below. */
  child(i: number): number {
    const id = readU64(this.#view, elementAt(i, BRANCH_ELEMENT_BYTES) + 8);
    if (id === undefined) throw new PageError('a branch names a page that cannot be');
    return id;
  }
}

function elementAt(i: number, elementBytes: number): number {
  return PAGE_HEADER_BYTES + i * elementBytes;
}

function checkElements(bytes: Uint8Array, count: number, elementBytes: number): void {
  if (elementAt(count, elementBytes) > bytes.length) throw new PageError(`${count} elements do not fit into it`);
}

function partOf(bytes: Uint8Array, from: number, length: number, first: number): Uint8Array {
  if (from < first || from + length > bytes.length) throw new PageError('a key or value lies outside of it');
  return bytes.subarray(from, from + length);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
