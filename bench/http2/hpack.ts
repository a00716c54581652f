/**
 * HPACK (RFC 7541) for one client: requests whose fields all end up in the dynamic table, as grpc-go's client sends them,
 * and answers of which only the gRPC status matters. Deliberately not the server's codec: what judges must not share
 * the judged one's mistakes.
 */
import { decodeHuffman } from './huffman.ts';

interface Field {
  readonly name: string;
  readonly value: string;
}

/** Of the static table (RFC 7541, appendix A) only what requests and gRPC answers use is named; the rest has no text. */
const staticEntries = 61;
const staticFields: ReadonlyMap<number, Field> = new Map([
  [1, { name: ':authority', value: '' }],
  [3, { name: ':method', value: 'POST' }],
  [4, { name: ':path', value: '/' }],
  [6, { name: ':scheme', value: 'http' }],
  [8, { name: ':status', value: '200' }],
  [9, { name: ':status', value: '204' }],
  [10, { name: ':status', value: '206' }],
  [11, { name: ':status', value: '304' }],
  [12, { name: ':status', value: '400' }],
  [13, { name: ':status', value: '404' }],
  [14, { name: ':status', value: '500' }],
  [31, { name: 'content-type', value: '' }],
  [58, { name: 'user-agent', value: '' }],
]);
const unnamed: Field = { name: '(static)', value: '' };
const tableBytesMax = 4096;
const fieldOverheadBytes = 32;

/** The dynamic table both sides keep: newest first, evicted by size (RFC 7541, section 4). */
class DynamicTable {
  readonly #fields: Field[] = [];
  #bytes = 0;
  #bytesMax = tableBytesMax;

  resize(bytesMax: number): void {
    if (bytesMax > tableBytesMax) throw new Error('hpack: table size beyond the setting');
    this.#bytesMax = bytesMax;
    this.#evict();
  }

  add(field: Field): void {
    this.#fields.unshift(field);
    this.#bytes += bytesOf(field);
    this.#evict();
  }

  field(index: number): Field {
    if (index <= staticEntries) return staticFields.get(index) ?? unnamed;
    const field = this.#fields[index - staticEntries - 1];
    if (field === undefined) throw new Error(`hpack: no entry ${index}`);
    return field;
  }

  indexOf(name: string, value: string): number {
    for (const [index, field] of staticFields) if (field.name === name && field.value === value) return index;
    const place = this.#fields.findIndex((field) => field.name === name && field.value === value);
    return place < 0 ? 0 : place + staticEntries + 1;
  }

  #evict(): void {
    while (this.#bytes > this.#bytesMax) this.#bytes -= bytesOf(this.#fields.pop() ?? unnamed);
  }
}

function bytesOf(field: Field): number {
  return field.name.length + field.value.length + fieldOverheadBytes;
}

/** One connection's request headers. After a path's first use its block is a handful of one-byte indexes. */
export class RequestHeaders {
  readonly #table = new DynamicTable();
  readonly #blocks = new Map<string, Buffer>();
  readonly #authority: string;

  constructor(authority: string) {
    this.#authority = authority;
  }

  /** The header block of a call of `path`. It must be sent at once and in this order: making it may grow the table. */
  blockOf(path: string): Buffer {
    const known = this.#blocks.get(path);
    return known ?? this.#encode(path);
  }

  #encode(path: string): Buffer {
    const bytes: number[] = [];
    let grew = false;
    for (const [name, value] of [
      [':method', 'POST'],
      [':scheme', 'http'],
      [':path', path],
      [':authority', this.#authority],
      ['content-type', 'application/grpc'],
      ['user-agent', 'kedge-bench'],
      ['te', 'trailers'],
    ] as const) {
      const index = this.#table.indexOf(name, value);
      if (index > 0) {
        bytes.push(0x80 | index);
        continue;
      }
      bytes.push(0x40);
      for (const text of [name, value]) bytes.push(text.length, ...Buffer.from(text, 'latin1'));
      this.#table.add({ name, value });
      grew = true;
    }
    const block = Buffer.from(bytes);
    // A block that grew the table moved every index: all blocks are made anew, of indexes only this time.
    if (grew) this.#blocks.clear();
    else this.#blocks.set(path, block);
    return block;
  }
}

/** What one header block said. */
export interface HeaderBlock {
  /** grpc-status, or -1 when the block has none. */
  readonly grpcStatus: number;
  readonly grpcMessage: string;
  /** Other than 200 the answer is no gRPC at all; 0 when the block has none. */
  readonly httpStatus: number;
}

interface RememberedBlock {
  readonly bytes: Buffer;
  readonly meaning: HeaderBlock;
}

const rememberedBlocksMax = 4;

/** Reads one connection's answer headers; blocks that repeat are recognised by their bytes while the table stands still. */
export class ResponseHeaders {
  readonly #table = new DynamicTable();
  #remembered: RememberedBlock[] = [];
  #at = 0;

  read(bytes: Buffer, from: number, to: number): HeaderBlock {
    for (const remembered of this.#remembered) {
      if (isSame(remembered.bytes, bytes, from, to)) return remembered.meaning;
    }
    return this.#decode(bytes, from, to);
  }

  #decode(bytes: Buffer, from: number, to: number): HeaderBlock {
    let grpcStatus = -1;
    let grpcMessage = '';
    let httpStatus = 0;
    let changed = false;
    this.#at = from;
    while (this.#at < to) {
      const first = bytes[this.#at] ?? 0;
      let field: Field;
      if (first & 0x80) field = this.#table.field(this.#integer(bytes, 7));
      else if ((first & 0xe0) === 0x20) {
        this.#table.resize(this.#integer(bytes, 5));
        changed = true;
        continue;
      } else {
        const index = this.#integer(bytes, first & 0x40 ? 6 : 4);
        const name = index > 0 ? this.#table.field(index).name : this.#string(bytes);
        field = { name, value: this.#string(bytes) };
        if (first & 0x40) {
          this.#table.add(field);
          changed = true;
        }
      }
      if (field.name === 'grpc-status') grpcStatus = Number(field.value);
      else if (field.name === 'grpc-message') grpcMessage = field.value;
      else if (field.name === ':status') httpStatus = Number(field.value);
    }
    const meaning = { grpcStatus, grpcMessage, httpStatus };
    if (changed) this.#remembered = [];
    else if (this.#remembered.length < rememberedBlocksMax) {
      this.#remembered.push({ bytes: Buffer.from(bytes.subarray(from, to)), meaning });
    }
    return meaning;
  }

  #integer(bytes: Buffer, prefixBits: number): number {
    const prefixMax = (1 << prefixBits) - 1;
    let value = (bytes[this.#at++] ?? 0) & prefixMax;
    if (value < prefixMax) return value;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = bytes[this.#at++] ?? 0;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new Error('hpack: an integer too long');
  }

  #string(bytes: Buffer): string {
    const isHuffman = ((bytes[this.#at] ?? 0) & 0x80) !== 0;
    const length = this.#integer(bytes, 7);
    const from = this.#at;
    this.#at += length;
    return isHuffman ? decodeHuffman(bytes, from, this.#at) : bytes.toString('latin1', from, this.#at);
  }
}

function isSame(known: Buffer, bytes: Buffer, from: number, to: number): boolean {
  if (known.length !== to - from) return false;
  for (let i = 0; i < known.length; i++) if (known[i] !== bytes[from + i]) return false;
  return true;
}
