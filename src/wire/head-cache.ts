import type { RequestHead } from './request-head.ts';

const ENTRIES = 8;
/** Longer blocks are seldom the same twice and cost memory per connection. */
const BLOCK_BYTES_MAX = 512;

/**
 * Header blocks of one connection that were seen before. A block means the same again as long as the decoder's dynamic
 * table is what it was, so an entry holds for one version of the table, and only blocks that left the table alone are
 * kept (the caller sees to that). Clients repeat two or three blocks for thousands of requests.
 */
export class HeadCache {
  #version = -1;
  #length = 0;
  #next = 0;
  #last = 0;
  readonly #blocks: Uint8Array[] = [];
  readonly #heads: RequestHead[] = [];

  find(buffer: Uint8Array, from: number, to: number, version: number): RequestHead | undefined {
    if (version !== this.#version || this.#length === 0) return undefined;
    if (equals(this.#blocks[this.#last] as Uint8Array, buffer, from, to)) return this.#heads[this.#last];
    for (let i = 0; i < this.#length; i++) {
      if (equals(this.#blocks[i] as Uint8Array, buffer, from, to)) {
        this.#last = i;
        return this.#heads[i];
      }
    }
    return undefined;
  }

  /** Keeps a block whose decoding left the table at `version`. */
  add(buffer: Uint8Array, from: number, to: number, version: number, head: RequestHead): void {
    if (to - from > BLOCK_BYTES_MAX) return;
    if (version !== this.#version) {
      this.#version = version;
      this.#length = 0;
      this.#next = 0;
    }
    this.#blocks[this.#next] = Uint8Array.prototype.slice.call(buffer, from, to);
    this.#heads[this.#next] = head;
    this.#last = this.#next;
    this.#next = (this.#next + 1) % ENTRIES;
    this.#length = Math.min(this.#length + 1, ENTRIES);
  }
}

function equals(block: Uint8Array, buffer: Uint8Array, from: number, to: number): boolean {
  const length = to - from;
  if (block.length !== length) return false;
  for (let i = 0; i < length; i++) {
    if (block[i] !== buffer[from + i]) return false;
  }
  return true;
}
