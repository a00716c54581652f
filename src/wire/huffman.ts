/**
 * The Huffman code of HPACK (RFC 7541, section 5.2 and appendix B).
 *
 * The code is canonical: codes of one length are consecutive in the order of their symbols, and shorter ones come
 * first. So the lengths alone define it. Decoding goes four bits at a time through a table of states (the inner nodes
 * of the code's tree); no code is shorter than five bits, so a step emits at most one symbol.
 */

/** Bits per symbol 0 to 255, and of EOS. */
const LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
] as const;

const EOS = 256;
const BITS_MAX = 30;

/** Code of each symbol, right-aligned. */
const CODES = assignCodes();

// One step of decoding, packed: next state (low 9 bits), symbol (8 bits), then flags.
const SYMBOL_SHIFT = 9;
const EMITS = 1 << 17;
const FAILS = 1 << 18;
const STATE_MASK = 0x1ff;

const { steps: STEPS, accepting: ACCEPTING } = buildSteps();

/**
 * Decodes `buffer[from, to)` into `out` from its start; returns the number of bytes, or -1 when the input is no valid
 * code, holds EOS or has bad padding. `out` needs room for 8/5 of the input.
 */
export function huffmanDecode(buffer: Uint8Array, from: number, to: number, out: Uint8Array): number {
  let state = 0;
  let length = 0;
  for (let at = from; at < to; at++) {
    const byte = buffer[at] as number;
    let step = STEPS[(state << 4) | (byte >>> 4)] as number;
    if (step >= EMITS) {
      if (step >= FAILS) return -1;
      out[length++] = (step >>> SYMBOL_SHIFT) & 0xff;
    }
    step = STEPS[((step & STATE_MASK) << 4) | (byte & 0xf)] as number;
    if (step >= EMITS) {
      if (step >= FAILS) return -1;
      out[length++] = (step >>> SYMBOL_SHIFT) & 0xff;
    }
    state = step & STATE_MASK;
  }
  return ACCEPTING[state] === 1 ? length : -1;
}

/** Bytes of the code for `text` (one character per byte). */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += LENGTHS[text.charCodeAt(i) & 0xff] as number;
  return (bits + 7) >>> 3;
}

/** Writes the code of `text` (one character per byte) at `at`; returns the place after it. */
export function huffmanEncode(text: string, out: Uint8Array, at: number): number {
  let pending = 0;
  let bits = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i) & 0xff;
    const length = LENGTHS[symbol] as number;
    // At most 7 bits wait, so 37 in all: more than 32, hence arithmetic instead of shifts.
    pending = pending * 2 ** length + (CODES[symbol] as number);
    bits += length;
    while (bits >= 8) {
      bits -= 8;
      const byte = Math.floor(pending / 2 ** bits);
      out[at++] = byte;
      pending -= byte * 2 ** bits;
    }
  }
  if (bits > 0) out[at++] = (pending << (8 - bits)) | (0xff >>> bits);
  return at;
}

function assignCodes(): number[] {
  const codes = new Array<number>(LENGTHS.length).fill(0);
  let next = 0;
  for (let bits = 1; bits <= BITS_MAX; bits++) {
    next *= 2;
    for (let symbol = 0; symbol <= EOS; symbol++) {
      if (LENGTHS[symbol] === bits) codes[symbol] = next++;
    }
  }
  return codes;
}

function buildSteps(): { steps: Int32Array; accepting: Uint8Array } {
  // The tree: children[2n] and children[2n+1] of inner node n; negative: a leaf, -(symbol + 1).
  const children: number[] = [0, 0];
  for (let symbol = 0; symbol <= EOS; symbol++) {
    const bits = LENGTHS[symbol] as number;
    let node = 0;
    for (let bit = bits - 1; bit >= 0; bit--) {
      const slot = 2 * node + (Math.floor((CODES[symbol] as number) / 2 ** bit) & 1);
      if (bit === 0) {
        children[slot] = -(symbol + 1);
      } else {
        if (children[slot] === 0) {
          children[slot] = children.length / 2;
          children.push(0, 0);
        }
        node = children[slot] as number;
      }
    }
  }
  const nodes = children.length / 2;
  const steps = new Int32Array(nodes * 16);
  for (let node = 0; node < nodes; node++) {
    for (let nibble = 0; nibble < 16; nibble++) steps[node * 16 + nibble] = walk(children, node, nibble);
  }
  // Valid padding is up to seven one-bits, the start of EOS: the root and its first seven right children.
  const accepting = new Uint8Array(nodes);
  for (let i = 0, node = 0; i < 8; i++) {
    accepting[node] = 1;
    node = children[2 * node + 1] as number;
  }
  return { steps, accepting };
}

function walk(children: readonly number[], node: number, nibble: number): number {
  let step = 0;
  for (let bit = 3; bit >= 0; bit--) {
    const child = children[2 * node + ((nibble >>> bit) & 1)] as number;
    if (child < 0) {
      const symbol = -child - 1;
      if (symbol === EOS) return FAILS;
      step = EMITS | (symbol << SYMBOL_SHIFT);
      node = 0;
    } else {
      node = child;
    }
  }
  return step | node;
}
