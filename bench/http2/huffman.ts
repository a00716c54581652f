/**
 * HPACK's Huffman code (RFC 7541, appendix B), as far as header fields of printable ASCII use it.
 *
 * The code is canonical: within a length, codes count upward in the order of the symbols, so the symbols by length are
 * the whole table. Longer codes (backslash, bytes beyond ASCII) do not occur in what gRPC servers send and are refused.
 */
const symbolsByLength: readonly (readonly [bits: number, symbols: string])[] = [
  [5, '012aceiost'],
  [6, ' %-./3456789=A_bdfghlmnpru'],
  [7, ':BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz'],
  [8, '&*,;XZ'],
  [10, '!"()?'],
  [11, "'+|"],
  [12, '#>'],
  [13, '\0$@[]~'],
  [14, '^}'],
  [15, '<`{'],
];

/** A code with a leading one bit before it (so that lengths differ) → its symbol. */
const symbolOfCode = tableOf(symbolsByLength);
const codeBitsMax = 15;

function tableOf(lengths: typeof symbolsByLength): ReadonlyMap<number, string> {
  const table = new Map<number, string>();
  let code = 0;
  let bitsBefore = 5;
  for (const [bits, symbols] of lengths) {
    code <<= bits - bitsBefore;
    bitsBefore = bits;
    for (const symbol of symbols) table.set((1 << bits) | code++, symbol);
  }
  return table;
}

/** Decodes a Huffman string literal. Throws on codes beyond printable ASCII; the padding must be ones, as the RFC asks. */
export function decodeHuffman(bytes: Buffer, from: number, to: number): string {
  let text = '';
  let code = 1;
  for (let at = from; at < to; at++) {
    for (let bit = 7; bit >= 0; bit--) {
      code = (code << 1) | (((bytes[at] ?? 0) >> bit) & 1);
      const symbol = symbolOfCode.get(code);
      if (symbol !== undefined) {
        text += symbol;
        code = 1;
      } else if (code >> codeBitsMax > 1) throw new Error('hpack: a Huffman code beyond printable ASCII');
    }
  }
  const paddingBits = 31 - Math.clz32(code);
  if (paddingBits > 7 || code !== (1 << (paddingBits + 1)) - 1) throw new Error('hpack: wrong Huffman padding');
  return text;
}
