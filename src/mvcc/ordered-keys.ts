import type { KeyBlock, KeyEntry } from './key-entry.ts';
import { type Key, ONE_KEY, type Revision, TO_THE_LAST_KEY } from './types.ts';

/** A block is split in two when it grows beyond it. Small enough to insert by moving, large enough to skip when counting. */
const BLOCK_KEYS_MAX = 512;
/** Blocks built at once leave room to grow. */
const BLOCK_KEYS_BUILT = 384;

/**
 * All keys in order: an array of blocks of entries. Each block knows how many of its keys live and when it last
 * changed, so that counting a range looks into its first and last block only.
 */
export class OrderedKeys {
  #blocks: KeyBlock[] = [emptyBlock()];

  /** Takes over entries that are sorted already, instead of what was there. Linear. */
  build(entries: readonly KeyEntry[]): void {
    const blocks: KeyBlock[] = [];
    for (let from = 0; from < entries.length; from += BLOCK_KEYS_BUILT) {
      const block = emptyBlock();
      block.entries = entries.slice(from, from + BLOCK_KEYS_BUILT);
      recount(block);
      blocks.push(block);
    }
    if (blocks.length === 0) blocks.push(emptyBlock());
    this.#blocks = blocks;
  }

  /** Where a key belongs that is not there yet. */
  blockFor(key: Key): KeyBlock {
    return this.#block(this.#blockIndex(key));
  }

  /** Adds an entry to its block (`blockFor` its key). */
  insert(entry: KeyEntry): void {
    const { block } = entry;
    const { entries } = block;
    const last = entries[entries.length - 1];
    // New keys at the end of their neighbourhood are the usual case.
    if (last === undefined || last.key < entry.key) entries.push(entry);
    else entries.splice(lowerBound(entries, entry.key), 0, entry);
    if (entries.length > BLOCK_KEYS_MAX) this.#split(block);
  }

  /** Takes a dead entry out. */
  remove(entry: KeyEntry): void {
    const { block } = entry;
    const at = lowerBound(block.entries, entry.key);
    // The block's place has to be found while its first key is still the first.
    const blockIndex = block.entries.length === 1 ? this.#blockIndex(entry.key) : -1;
    block.entries.splice(at, 1);
    if (blockIndex >= 0 && this.#blocks.length > 1) this.#blocks.splice(blockIndex, 1);
  }

  /** Visits the range's entries in order, dead ones too, until the visitor answers false. */
  visit(key: Key, end: Key, visitor: (entry: KeyEntry) => boolean): void {
    let blockIndex = this.#blockIndex(key);
    let at = lowerBound(this.#block(blockIndex).entries, key);
    const open = end === TO_THE_LAST_KEY;
    const one = end === ONE_KEY;
    for (; blockIndex < this.#blocks.length; blockIndex += 1) {
      const { entries } = this.#block(blockIndex);
      for (; at < entries.length; at += 1) {
        const entry = entries[at];
        if (entry === undefined) return;
        if (one ? entry.key !== key : !open && entry.key >= end) return;
        if (!visitor(entry)) return;
      }
      at = 0;
    }
  }

  /** How many keys of the range were there at a revision. */
  count(key: Key, end: Key, revision: Revision): number {
    const open = end === TO_THE_LAST_KEY;
    if (!open && end <= key) return 0;
    const first = this.#blockIndex(key);
    const last = open ? this.#blocks.length - 1 : this.#blockIndex(end);
    let count = 0;
    for (let i = first; i <= last; i += 1) {
      const block = this.#block(i);
      const { entries } = block;
      const from = i === first ? lowerBound(entries, key) : 0;
      const to = i === last && !open ? lowerBound(entries, end) : entries.length;
      if (from === 0 && to === entries.length && block.newest <= revision) {
        count += block.live;
        continue;
      }
      for (let at = from; at < to; at += 1) if (entries[at]?.isLiveAt(revision) === true) count += 1;
    }
    return count;
  }

  #split(block: KeyBlock): void {
    const index = this.#blockIndex(block.entries[0]?.key ?? '');
    const upper = emptyBlock();
    // Keys that come in order fill blocks nearly to the brim; others halve them.
    const middle = block.entries.length >>> 1;
    upper.entries = block.entries.splice(middle);
    recount(block);
    recount(upper);
    this.#blocks.splice(index + 1, 0, upper);
  }

  #block(index: number): KeyBlock {
    const block = this.#blocks[index];
    if (block === undefined) throw new RangeError(`no block ${index}`);
    return block;
  }

  /** The last block whose first key is not beyond `key`; the first block when all are. */
  #blockIndex(key: Key): number {
    const blocks = this.#blocks;
    let low = 0;
    let high = blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const first = blocks[middle]?.entries[0];
      if (first !== undefined && first.key <= key) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 0 : low - 1;
  }
}

/** The place of the first entry with a key of at least `key`. */
function lowerBound(entries: readonly KeyEntry[], key: Key): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const entry = entries[middle];
    if (entry !== undefined && entry.key < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function recount(block: KeyBlock): void {
  let live = 0;
  let newest = 0;
  for (const entry of block.entries) {
    entry.block = block;
    if (entry.version > 0) live += 1;
    if (entry.revision > newest) newest = entry.revision;
  }
  block.live = live;
  block.newest = newest;
}

/** A block without entries: an index begins with one. */
export function emptyBlock(): KeyBlock {
  return { entries: [], live: 0, newest: 0 };
}
