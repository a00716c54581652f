/**
 * Protocol Buffers' wire format, by hand: what a message is made of, without knowing any message.
 *
 *   message := (tag value)*      tag := field number << 3 | wire type
 *   varint (0)  fixed64 (1)  length-delimited (2)  group (3, 4)  fixed32 (5)
 *
 * A decoder is a loop over tags with a switch on whole tags. A field of a known number but of another wire type is thus
 * an unknown field and is skipped, which is what Go's protobuf does:
 *
 *   for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
 *     switch (tag) {
 *       case 0x0a: key = reader.latin1(); break;
 *       default: reader.skip(tag);
 *     }
 *   }
 *
 * 64-bit integers come as `number` (exact to 2^53, rounded beyond: revisions, counts) or as `bigint` (ids).
 * Source: https://protobuf.dev/programming-guides/encoding/
 */

/** The bytes are not a message. The one error of this file. */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError';
}

/** Wire types. */
export const WireType = { varint: 0, fixed64: 1, bytes: 2, startGroup: 3, endGroup: 4, fixed32: 5 } as const;

/** The tag of a field as the Reader gives it and the Writer takes it. */
export function tagOf(field: number, wireType: number): number {
  return ((field << 3) | wireType) >>> 0;
}

const FIELD_NUMBER_MAX = 2 ** 29 - 1;
/** Unknown groups within unknown groups; deeper is refused. */
const GROUP_DEPTH_MAX = 100;
/** Up to these lengths a loop in JavaScript beats the call into native code (measured on Node 20). */
const LATIN1_READ_LOOP_BYTES_MAX = 4;
const LATIN1_WRITE_LOOP_CHARS_MAX = 24;
const COPY_LOOP_BYTES_MAX = 48;

// One pair of views for turning a bigint into its two halves and back: little-endian machines only, as Node's all are.
const halves = new Int32Array(2);
const whole = new BigInt64Array(halves.buffer);

const { latin1Slice, latin1Write, utf8Slice, utf8Write } = Buffer.prototype as unknown as NativeBufferMethods;

/** Methods of Buffer that work on any Uint8Array, and spare us a Buffer object. */
interface NativeBufferMethods {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
  utf8Slice(this: Uint8Array, start: number, end: number): string;
  latin1Write(this: Uint8Array, text: string, offset: number, length: number): number;
  utf8Write(this: Uint8Array, text: string, offset: number, length: number): number;
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const NO_BYTES: Uint8Array = new Uint8Array(0);

/** Walks over a message. Reusable: `reset` puts it on other bytes. Every method throws ProtobufError, and nothing else. */
export class Reader {
  private bytesRead: Uint8Array = NO_BYTES;
  private position = 0;
  private limit = 0;
  /** The halves of the varint that was read last. */
  private low = 0;
  private high = 0;
  /** The string that `latin1` gave last, and where it stands in the present bytes. */
  private lastLatin1 = '';
  private lastLatin1Start = 0;

  constructor(bytes?: Uint8Array) {
    if (bytes !== undefined) this.reset(bytes);
  }

  reset(bytes: Uint8Array): this {
    this.bytesRead = bytes;
    this.position = 0;
    this.limit = bytes.length;
    this.lastLatin1 = '';
    return this;
  }

  /** Lets go of the bytes. */
  release(): void {
    this.reset(NO_BYTES);
  }

  /** Bytes left in the present message. */
  get remaining(): number {
    return this.limit - this.position;
  }

  /** The next field's tag; 0 at the end of the message. */
  tag(): number {
    const position = this.position;
    if (position >= this.limit) return 0;
    const first = this.bytesRead[position] ?? 0;
    if (first < 0x80) {
      if (first < 8) throw new ProtobufError('field number 0');
      this.position = position + 1;
      return first;
    }
    this.varint();
    const tag = this.low >>> 0;
    if (this.high !== 0 || tag >>> 3 === 0 || tag >>> 3 > FIELD_NUMBER_MAX) throw new ProtobufError('bad field number');
    return tag;
  }

  /** int64 or uint64 as a number: negative ones as such, exact up to 2^53 either way, rounded beyond. */
  int64(): number {
    const position = this.position;
    const first = this.bytesRead[position] ?? 0x80;
    if (first < 0x80 && position < this.limit) {
      this.position = position + 1;
      return first;
    }
    this.varint();
    return this.high * 0x1_0000_0000 + (this.low >>> 0);
  }

  /** int64, exact. */
  int64Big(): bigint {
    this.varint();
    halves[0] = this.low;
    halves[1] = this.high;
    return whole[0] ?? 0n;
  }

  /** uint64, exact. */
  uint64Big(): bigint {
    return BigInt.asUintN(64, this.int64Big());
  }

  /** int32 or an enum: the low 32 bits, signed. */
  int32(): number {
    this.varint();
    return this.low;
  }

  uint32(): number {
    this.varint();
    return this.low >>> 0;
  }

  bool(): boolean {
    this.varint();
    return (this.low | this.high) !== 0;
  }

  /**
   * bytes as a string with one character (0..255) per byte. The same string for the same bytes as last time: a
   * transaction names its key several times, and a string that was hashed once is not hashed again.
   */
  latin1(): string {
    const end = this.lengthDelimited();
    const start = this.position;
    this.position = end;
    const bytes = this.bytesRead;
    const length = end - start;
    if (length <= LATIN1_READ_LOOP_BYTES_MAX) {
      let text = '';
      for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i] ?? 0);
      return text;
    }
    if (length === this.lastLatin1.length && this.repeatsLastLatin1(start)) return this.lastLatin1;
    this.lastLatin1Start = start;
    this.lastLatin1 = latin1Slice.call(bytes, start, end);
    return this.lastLatin1;
  }

  private repeatsLastLatin1(start: number): boolean {
    const bytes = this.bytesRead;
    const last = this.lastLatin1Start;
    for (let i = this.lastLatin1.length - 1; i >= 0; i--) if (bytes[last + i] !== bytes[start + i]) return false;
    return true;
  }

  /** A string; anything but UTF-8 is refused. */
  string(): string {
    const end = this.lengthDelimited();
    const start = this.position;
    this.position = end;
    const text = utf8Slice.call(this.bytesRead, start, end);
    // The replacement character stands for broken bytes, or for itself: look again.
    if (!text.includes('\ufffd')) return text;
    try {
      return strictUtf8.decode(this.bytesRead.subarray(start, end));
    } catch {
      throw new ProtobufError('string field contains invalid UTF-8');
    }
  }

  /** bytes as a view of the message: valid as long as the message's bytes are. */
  view(): Uint8Array {
    const end = this.lengthDelimited();
    const start = this.position;
    this.position = end;
    if (start === end) return NO_BYTES;
    const bytes = this.bytesRead;
    // Cheaper than subarray, and of a Buffer no Buffer.
    return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
  }

  /** Goes into a nested message. Keep what it answers for `leave`. */
  enter(): number {
    const outerLimit = this.limit;
    this.limit = this.lengthDelimited();
    return outerLimit;
  }

  /** Leaves the nested message, wherever in it the Reader stands. */
  leave(outerLimit: number): void {
    this.position = this.limit;
    this.limit = outerLimit;
  }

  /** Passes over the value of the field whose tag was read last. */
  skip(tag: number): void {
    this.skipValue(tag, 0);
  }

  private skipValue(tag: number, depth: number): void {
    switch (tag & 7) {
      case WireType.varint:
        this.varint();
        return;
      case WireType.fixed64:
        this.advance(8);
        return;
      case WireType.bytes:
        this.position = this.lengthDelimited();
        return;
      case WireType.fixed32:
        this.advance(4);
        return;
      case WireType.startGroup:
        this.skipGroup(tag, depth + 1);
        return;
      default:
        throw new ProtobufError('bad wire type');
    }
  }

  private skipGroup(startTag: number, depth: number): void {
    if (depth > GROUP_DEPTH_MAX) throw new ProtobufError('groups nested too deep');
    const endTag = tagOf(startTag >>> 3, WireType.endGroup);
    for (;;) {
      const tag = this.tag();
      if (tag === endTag) return;
      if (tag === 0) throw new ProtobufError('group without end');
      this.skipValue(tag, depth);
    }
  }

  private advance(bytes: number): void {
    if (bytes > this.limit - this.position) throw truncated();
    this.position += bytes;
  }

  /** Reads a length and answers where it ends. */
  private lengthDelimited(): number {
    const position = this.position;
    let length = this.bytesRead[position] ?? 0x80;
    if (length < 0x80 && position < this.limit) {
      this.position = position + 1;
    } else {
      this.varint();
      length = this.low;
      if (this.high !== 0 || length < 0) throw truncated();
    }
    const end = this.position + length;
    if (end > this.limit) throw truncated();
    return end;
  }

  /** Reads a varint of up to 64 bits into `low` and `high`. */
  private varint(): void {
    const bytes = this.bytesRead;
    const limit = this.limit;
    let position = this.position;
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      if (position >= limit) throw truncated();
      const byte = bytes[position++] ?? 0;
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.low = low;
        this.high = 0;
        this.position = position;
        return;
      }
    }
    let middle = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      if (position >= limit) throw truncated();
      const byte = bytes[position++] ?? 0;
      middle |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.finishVarint(low, middle, 0, position);
        return;
      }
    }
    if (position >= limit) throw truncated();
    const ninth = bytes[position++] ?? 0;
    if (ninth < 0x80) {
      this.finishVarint(low, middle, ninth, position);
      return;
    }
    if (position >= limit) throw truncated();
    const tenth = bytes[position++] ?? 0;
    if (tenth > 1) throw new ProtobufError('varint of more than 64 bits');
    this.finishVarint(low, middle, (ninth & 0x7f) | (tenth << 7), position);
  }

  private finishVarint(low: number, middle: number, top: number, position: number): void {
    this.low = low | (middle << 28);
    this.high = (middle >>> 4) | (top << 24);
    this.position = position;
  }
}

function truncated(): ProtobufError {
  return new ProtobufError('message ends too early');
}

/**
 * Writes messages one after the other into a buffer of its own, which grows and stays.
 *
 * Two ways to use one Writer, not to be mixed:
 *  - as a scratch: `begin`, write, `view`: the view is valid until the next `begin`;
 *  - as a slab: write, `take`: what is taken stays valid for ever; buffers that are full are left to their views.
 */
export class Writer {
  private readonly capacityBytes: number;
  private buffer: Uint8Array;
  /** The buffer's own: fetching it anew each time costs as much as a view. */
  private arrayBuffer: ArrayBufferLike;
  private start = 0;
  private position = 0;

  /** `capacityBytes` to begin with, and of each new slab. */
  constructor(capacityBytes = 4096) {
    this.capacityBytes = capacityBytes;
    this.buffer = allocate(capacityBytes);
    this.arrayBuffer = this.buffer.buffer;
  }

  /** Bytes written to the present message. */
  get length(): number {
    return this.position - this.start;
  }

  /** Drops what was written before: scratch use. */
  begin(): this {
    this.start = 0;
    this.position = 0;
    return this;
  }

  /** The present message; valid until the next `begin`. */
  view(): Uint8Array {
    return new Uint8Array(this.arrayBuffer, this.start, this.position - this.start);
  }

  /** The present message, for keeps; the next one begins behind it: slab use. */
  take(): Uint8Array {
    const message = this.view();
    this.start = this.position;
    return message;
  }

  /** Forgets the present message, as when encoding it failed. */
  abandon(): void {
    this.position = this.start;
  }

  /** Makes room beforehand, so that a large message grows the buffer once. */
  reserve(bytes: number): void {
    if (this.buffer.length - this.position < bytes) this.grow(bytes);
  }

  /** Lets go of a buffer that grew beyond `bytesMax`, so that one large answer does not occupy memory for ever. */
  shrink(bytesMax: number): void {
    if (this.buffer.length <= bytesMax) return;
    this.buffer = allocate(this.capacityBytes);
    this.arrayBuffer = this.buffer.buffer;
    this.begin();
  }

  tag(tag: number): void {
    if (this.buffer.length - this.position < 5) this.grow(5);
    if (tag < 0x80) this.buffer[this.position++] = tag;
    else this.writeUint32(tag);
  }

  /** A varint 0 to 2^53; for lengths, counts and uint32 too. Negative ones take ten bytes, as int64 and int32 do. */
  int64(value: number): void {
    if (this.buffer.length - this.position < 10) this.grow(10);
    if (value >= 0 && value < 0x80) this.buffer[this.position++] = value;
    else if (value >= 0 && value <= 0xffff_ffff) this.writeUint32(value);
    else this.writeHalves(value >>> 0, Math.floor(value / 0x1_0000_0000) >>> 0);
  }

  /** int64 or uint64, exact. */
  int64Big(value: bigint): void {
    if (this.buffer.length - this.position < 10) this.grow(10);
    whole[0] = value;
    this.writeHalves((halves[0] ?? 0) >>> 0, (halves[1] ?? 0) >>> 0);
  }

  /** One byte as it is: for tags and lengths known beforehand. */
  byte(value: number): void {
    if (this.position === this.buffer.length) this.grow(1);
    this.buffer[this.position++] = value;
  }

  /** Bytes as they are, without a length. */
  raw(bytes: Uint8Array): void {
    const length = bytes.length;
    if (this.buffer.length - this.position < length) this.grow(length);
    const buffer = this.buffer;
    let position = this.position;
    if (length <= COPY_LOOP_BYTES_MAX) for (let i = 0; i < length; i++) buffer[position++] = bytes[i] ?? 0;
    else {
      buffer.set(bytes, position);
      position += length;
    }
    this.position = position;
  }

  /** A length and bytes. */
  bytes(bytes: Uint8Array): void {
    this.int64(bytes.length);
    this.raw(bytes);
  }

  /** A length and a string of one character (0..255) per byte. */
  latin1(text: string): void {
    const length = text.length;
    this.int64(length);
    if (this.buffer.length - this.position < length) this.grow(length);
    const buffer = this.buffer;
    let position = this.position;
    if (length <= LATIN1_WRITE_LOOP_CHARS_MAX) for (let i = 0; i < length; i++) buffer[position++] = text.charCodeAt(i);
    else {
      latin1Write.call(buffer, text, position, length);
      position += length;
    }
    this.position = position;
  }

  /** A length and a string in UTF-8. */
  string(text: string): void {
    const length = Buffer.byteLength(text);
    this.int64(length);
    if (this.buffer.length - this.position < length) this.grow(length);
    utf8Write.call(this.buffer, text, this.position, length);
    this.position += length;
  }

  /**
   * Begins a nested message (tag and length) and answers a mark for `close`. Room is left for the length of a message
   * of `expectedBytes`; a right guess saves moving the message by a byte or two at the end.
   */
  open(tag: number, expectedBytes = 0): number {
    this.tag(tag);
    return this.openLength(expectedBytes);
  }

  /** The same when the tag is written already. */
  openLength(expectedBytes = 0): number {
    const lengthBytes = varintBytes(expectedBytes);
    if (this.buffer.length - this.position < lengthBytes) this.grow(lengthBytes);
    this.position += lengthBytes;
    // Relative to the start: the buffer may be another one by the time of close.
    return (this.position - this.start) * 8 + lengthBytes;
  }

  /** Ends the nested message: its length is known now. */
  close(mark: number): void {
    const reserved = mark & 7;
    const content = this.start + (mark - reserved) / 8;
    const length = this.position - content;
    const needed = varintBytes(length);
    if (needed !== reserved) {
      if (needed > reserved && this.buffer.length - this.position < needed) {
        this.grow(needed);
        this.close(mark);
        return;
      }
      this.buffer.copyWithin(content - reserved + needed, content, this.position);
    }
    const end = this.position - reserved + needed;
    this.position = content - reserved;
    this.writeUint32(length);
    this.position = end;
  }

  /** Unchecked: room was made. */
  private writeUint32(value: number): void {
    const buffer = this.buffer;
    let position = this.position;
    while (value > 0x7f) {
      buffer[position++] = (value & 0x7f) | 0x80;
      value >>>= 7;
    }
    buffer[position++] = value;
    this.position = position;
  }

  /** Unchecked: room was made. */
  private writeHalves(low: number, high: number): void {
    const buffer = this.buffer;
    let position = this.position;
    while (high !== 0) {
      buffer[position++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.position = position;
    this.writeUint32(low);
  }

  /** Makes room for `bytes` more: in a larger buffer, or in a fresh slab if earlier messages fill this one. */
  private grow(bytes: number): void {
    const length = this.position - this.start;
    const old = this.buffer;
    const wanted = length + bytes;
    let capacity = this.start > 0 ? this.capacityBytes : old.length;
    while (capacity < wanted) capacity *= 2;
    this.buffer = allocate(capacity);
    this.arrayBuffer = this.buffer.buffer;
    this.buffer.set(old.subarray(this.start, this.position));
    this.start = 0;
    this.position = length;
  }
}

/** Not from Node's pool, which small Buffers share; not zeroed, since every byte is written before it is shown. */
function allocate(bytes: number): Uint8Array {
  const buffer = Buffer.allocUnsafeSlow(bytes);
  return new Uint8Array(buffer.buffer, 0, bytes);
}

/** How many bytes a varint takes; value 0 to 2^53. */
export function varintBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  if (value < 0x1000_0000) return 4;
  if (value < 0x8_0000_0000) return 5;
  if (value < 0x400_0000_0000) return 6;
  if (value < 0x2_0000_0000_0000) return 7;
  return 8;
}

/** How many bytes an int64 takes: ten when negative. */
export function int64Bytes(value: number): number {
  return value < 0 ? 10 : varintBytes(value);
}

/** How many bytes an int64 or uint64 takes. */
export function int64BigBytes(value: bigint): number {
  const unsigned = BigInt.asUintN(64, value);
  let bytes = 1;
  for (let rest = unsigned >> 7n; rest !== 0n; rest >>= 7n) bytes++;
  return bytes;
}
