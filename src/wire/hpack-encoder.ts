import { STATIC_NAMES, STATIC_VALUES } from './hpack-table.ts';
import { huffmanEncode, huffmanLength } from './huffman.ts';

/**
 * Writes header fields without touching any dynamic table, so that the same bytes are right at any time on any
 * connection. Names and values hold one character per octet.
 */

const FULL_INDEX = new Map<string, number>();
const NAME_INDEX = new Map<string, number>();
for (let index = STATIC_NAMES.length - 1; index > 0; index--) {
  NAME_INDEX.set(STATIC_NAMES[index] as string, index);
  FULL_INDEX.set(`${STATIC_NAMES[index]}\0${STATIC_VALUES[index]}`, index);
}

/** The block of a list of fields (name, value, name, value, …): indexed where the static table has them, else literal. */
export function encodeHeaderBlock(fields: readonly string[]): Buffer {
  let bytes = 0;
  for (const text of fields) bytes += text.length + 6;
  const out = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] as string;
    const value = fields[i + 1] as string;
    const full = FULL_INDEX.get(`${name}\0${value}`);
    if (full !== undefined) {
      at = writeInteger(out, at, 0x80, 0x7f, full);
      continue;
    }
    const index = NAME_INDEX.get(name) ?? 0;
    at = writeInteger(out, at, 0x00, 0x0f, index);
    if (index === 0) at = writeString(out, at, name);
    at = writeString(out, at, value);
  }
  return out.subarray(0, at);
}

/** A literal that the receiver puts into its dynamic table (RFC 7541, section 6.2.1). */
export function encodeIndexedLiteral(name: string, value: string): Buffer {
  const out = Buffer.allocUnsafe(name.length + value.length + 12);
  const index = NAME_INDEX.get(name) ?? 0;
  let at = writeInteger(out, 0, 0x40, 0x3f, index);
  if (index === 0) at = writeString(out, at, name);
  at = writeString(out, at, value);
  return out.subarray(0, at);
}

/** RFC 7541, section 5.1; `pattern` holds the bits above the prefix, `mask` the prefix. Returns the place after it. */
export function writeInteger(out: Uint8Array, at: number, pattern: number, mask: number, value: number): number {
  if (value < mask) {
    out[at++] = pattern | value;
    return at;
  }
  out[at++] = pattern | mask;
  value -= mask;
  while (value >= 0x80) {
    out[at++] = (value & 0x7f) | 0x80;
    value >>>= 7;
  }
  out[at++] = value;
  return at;
}

function writeString(out: Buffer, at: number, text: string): number {
  const huffman = huffmanLength(text);
  if (huffman < text.length) return huffmanEncode(text, out, writeInteger(out, at, 0x80, 0x7f, huffman));
  at = writeInteger(out, at, 0x00, 0x7f, text.length);
  return at + out.write(text, at, 'latin1');
}
