import { isFieldName, isFieldValue } from './field-syntax.ts';
import { DYNAMIC_INDEX_MIN, DynamicTable, ENTRY_OVERHEAD_BYTES, STATIC_NAMES, STATIC_VALUES } from './hpack-table.ts';
import { huffmanDecode } from './huffman.ts';

/** The block breaks RFC 7541: a connection error COMPRESSION_ERROR, for the tables of both sides no longer agree. */
export class HpackError extends Error {
  override readonly name = 'HpackError';
}

/** SETTINGS_HEADER_TABLE_SIZE's default; we announce no other. */
export const HEADER_TABLE_BYTES = 4096;

/** Longest varint accepted: values beyond 2^28 have no place in a header block. */
const VARINT_SHIFT_MAX = 21;

let scratch = Buffer.allocUnsafeSlow(4096);

/** Decodes the header blocks of one connection, in order (RFC 7541). */
export class HpackDecoder {
  readonly table = new DynamicTable(HEADER_TABLE_BYTES);
  /** Size of the last list as RFC 9113 (section 6.5.2) counts it; above the limit its fields are incomplete. */
  listBytes = 0;
  /** Whether all names and values of the last list are as field-syntax.ts says. Looked at once per literal. */
  isWellFormed = true;
  #at = 0;

  /**
   * Decodes a whole block and appends name, value, name, value, … to `fields`, one character per octet.
   * Fields past `listBytesMax` are decoded (the table must stay in step) and dropped; look at `listBytes`.
   * Throws HpackError.
   */
  decode(buffer: Buffer, from: number, to: number, listBytesMax: number, fields: string[]): void {
    this.#at = from;
    this.listBytes = 0;
    this.isWellFormed = true;
    let first = true;
    while (this.#at < to) {
      const byte = buffer[this.#at] as number;
      if ((byte & 0xe0) === 0x20) {
        if (!first) throw new HpackError('size update after a field');
        const bytesMax = this.#integer(buffer, to, 0x1f);
        if (bytesMax > HEADER_TABLE_BYTES) throw new HpackError('size update above the setting');
        this.table.resize(bytesMax);
        continue;
      }
      first = false;
      let name: string;
      let value: string;
      if (byte >= 0x80) {
        const index = this.#integer(buffer, to, 0x7f);
        name = this.#name(index);
        value = this.#value(index);
        if (index >= DYNAMIC_INDEX_MIN && !this.table.isWellFormed(index - DYNAMIC_INDEX_MIN))
          this.isWellFormed = false;
      } else {
        const indexing = byte >= 0x40;
        const index = this.#integer(buffer, to, indexing ? 0x3f : 0x0f);
        name = index === 0 ? this.#string(buffer, to) : this.#name(index);
        value = this.#string(buffer, to);
        const isWellFormed = isFieldName(name) && isFieldValue(value);
        if (!isWellFormed) this.isWellFormed = false;
        if (indexing) this.table.insert(name, value, isWellFormed);
      }
      this.listBytes += name.length + value.length + ENTRY_OVERHEAD_BYTES;
      if (this.listBytes <= listBytesMax) fields.push(name, value);
    }
  }

  #name(index: number): string {
    const name = index < DYNAMIC_INDEX_MIN ? STATIC_NAMES[index] : this.table.name(index - DYNAMIC_INDEX_MIN);
    if (name === undefined || index === 0) throw new HpackError('index out of range');
    return name;
  }

  #value(index: number): string {
    const value = index < DYNAMIC_INDEX_MIN ? STATIC_VALUES[index] : this.table.value(index - DYNAMIC_INDEX_MIN);
    if (value === undefined) throw new HpackError('index out of range');
    return value;
  }

  #integer(buffer: Buffer, to: number, mask: number): number {
    let value = (buffer[this.#at++] as number) & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= VARINT_SHIFT_MAX; shift += 7) {
      if (this.#at >= to) throw new HpackError('integer cut short');
      const byte = buffer[this.#at++] as number;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new HpackError('integer too long');
  }

  #string(buffer: Buffer, to: number): string {
    if (this.#at >= to) throw new HpackError('string cut short');
    const huffman = (buffer[this.#at] as number) >= 0x80;
    const length = this.#integer(buffer, to, 0x7f);
    const from = this.#at;
    const end = from + length;
    if (end > to) throw new HpackError('string cut short');
    this.#at = end;
    if (!huffman) return buffer.toString('latin1', from, end);
    // The shortest code has five bits.
    if (length * 2 > scratch.length) scratch = Buffer.allocUnsafeSlow(length * 2);
    const bytes = huffmanDecode(buffer, from, end, scratch);
    if (bytes < 0) throw new HpackError('bad Huffman code');
    return scratch.toString('latin1', 0, bytes);
  }
}
