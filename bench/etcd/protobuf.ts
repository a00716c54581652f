/** Protobuf's wire format, as little as the generator needs. Numbers up to 2^53 are exact; larger ones are only skipped. */

export function varintBytes(value: number): number {
  let bytes = 1;
  while (value >= 0x80) {
    value = Math.floor(value / 0x80);
    bytes++;
  }
  return bytes;
}

/** Writes a varint at `at` and returns its end. */
export function writeVarint(out: Buffer, at: number, value: number): number {
  while (value >= 0x80) {
    out[at++] = (value % 0x80) | 0x80;
    value = Math.floor(value / 0x80);
  }
  out[at++] = value;
  return at;
}

/** A field of wire type 0. */
export function varintField(field: number, value: number): Buffer {
  const out = Buffer.alloc(16);
  return out.subarray(0, writeVarint(out, writeVarint(out, 0, field << 3), value));
}

/** A field of wire type 2: bytes, a string or a message. */
export function bytesField(field: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const out = Buffer.alloc(16);
  const end = writeVarint(out, writeVarint(out, 0, (field << 3) | 2), content.length);
  return Buffer.concat([out.subarray(0, end), content]);
}

/** Walks over a message's fields in place. Reused: `over` begins anew. */
export class FieldReader {
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;
  /** The field now stood at. */
  field = 0;
  /** Its value when it is a varint. */
  value = 0;
  /** Where its content begins and ends when it is of wire type 2. */
  from = 0;
  to = 0;

  over(bytes: Buffer, from: number, to: number): this {
    this.#bytes = bytes;
    this.#at = from;
    this.#end = to;
    return this;
  }

  /** Steps to the next field; false at the end. Throws on what is not protobuf. */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    const tag = this.#varint();
    this.field = tag >>> 3;
    switch (tag & 7) {
      case 0:
        this.value = this.#varint();
        break;
      case 2: {
        const length = this.#varint();
        this.from = this.#at;
        this.#at += length;
        this.to = this.#at;
        break;
      }
      default:
        throw new Error(`protobuf: wire type ${tag & 7}`);
    }
    if (this.#at > this.#end) throw new Error('protobuf: a field beyond the end');
    return true;
  }

  #varint(): number {
    let byte = this.#bytes[this.#at++] as number;
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    let scale = 0x80;
    do {
      byte = this.#bytes[this.#at++] as number;
      value += (byte & 0x7f) * scale;
      scale *= 0x80;
    } while (byte >= 0x80);
    return value;
  }
}
