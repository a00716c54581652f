import {
  DEFAULT_WINDOW_BYTES,
  type ErrorCode,
  Flag,
  FRAME_HEADER_BYTES,
  FRAME_PAYLOAD_BYTES_MAX,
  FrameType,
  WINDOW_BYTES_MAX,
  writeFrameHeader,
  writeUint32,
} from './frames.ts';
import type { StatusCode } from './grpc.ts';
import { HEADER_TABLE_BYTES } from './hpack-decoder.ts';
import { encodeHeaderBlock, encodeIndexedLiteral } from './hpack-encoder.ts';
import { DYNAMIC_INDEX_MIN } from './hpack-table.ts';
import type { WireLimits } from './limits.ts';
import type { Output } from './output.ts';
import type { Stream } from './stream.ts';

/**
 * Everything a connection sends.
 *
 *   message ──fits window and socket──▶ output (slab)
 *      └──────else: stream's queue ──▶ ready list, round robin, a frame each ──▶ output
 *
 * A stream without window leaves the ready list until its WINDOW_UPDATE, so it costs the others nothing.
 *
 * Header blocks of answers are constants. The two fields that nearly every answer has, content-type and grpc-status 0,
 * go into the client's dynamic table when first sent and are one byte each after that.
 */
export class Sender {
  readonly output: Output;
  readonly #limits: WireLimits;
  /** The connection's window. */
  window = DEFAULT_WINDOW_BYTES;
  /** Of streams to come. */
  initialWindow = DEFAULT_WINDOW_BYTES;
  /** In all queues. */
  queuedBytes = 0;
  /** Set when a peer's ping after our HEADERS or DATA is no strike (keepalive enforcement). */
  sentSincePing = false;
  #ready: Stream[] = [];
  #readyAt = 0;
  #pumping = false;
  readonly #waiting = new Set<Stream>();
  // The client's dynamic table, as far as we fill it: index of the field, 0: not there.
  #contentTypeIndex = 0;
  #statusIndex = 0;
  #mayIndex = true;
  /** The client lowered its table: the next block begins with a size update to 0 (RFC 7541, section 4.2). */
  #mustShrink = false;

  constructor(output: Output, limits: WireLimits) {
    this.output = output;
    this.#limits = limits;
  }

  /** SETTINGS_HEADER_TABLE_SIZE of the peer. */
  headerTableBytes(bytes: number): void {
    if (bytes >= HEADER_TABLE_BYTES || !this.#mayIndex) return;
    this.#mayIndex = false;
    this.#mustShrink = true;
    this.#contentTypeIndex = 0;
    this.#statusIndex = 0;
  }

  /** Whether a stream may accept more from its service. */
  hasRoom(stream: Stream): boolean {
    if (
      stream.queuedBytes <= this.#limits.streamSendHighWaterBytes &&
      this.queuedBytes <= this.#limits.connectionSendHighWaterBytes
    ) {
      return true;
    }
    stream.isWaiting = true;
    this.#waiting.add(stream);
    return false;
  }

  /** A gRPC answer's head: `:status 200`, `content-type: application/grpc`. */
  headers(stream: Stream): void {
    stream.headersSent = true;
    this.sentSincePing = true;
    const output = this.output;
    if (this.#contentTypeIndex !== 0) {
      const at = output.reserve(FRAME_HEADER_BYTES + 2);
      writeFrameHeader(output.buffer, at, 2, FrameType.headers, Flag.endHeaders, stream.id);
      output.buffer[at + 9] = STATUS_200;
      output.buffer[at + 10] = 0x80 | this.#contentTypeIndex;
      return;
    }
    this.#block(stream.id, 0, this.#openingBlock());
  }

  /** One length-prefixed message in two parts. `tailIsShared`: nobody will change it, so it may be kept by reference. */
  message(stream: Stream, head: Uint8Array, tail: Uint8Array, tailIsShared: boolean): void {
    const body = head.length + tail.length;
    const bytes = body + 5;
    if (
      stream.queuedBytes > 0 ||
      this.output.blocked ||
      bytes > this.window ||
      bytes > stream.sendWindow ||
      bytes > FRAME_PAYLOAD_BYTES_MAX
    ) {
      this.#queueMessage(stream, head, tail, tailIsShared);
      return;
    }
    this.window -= bytes;
    stream.sendWindow -= bytes;
    this.sentSincePing = true;
    const at = this.output.reserveData(stream.id, bytes);
    const buffer = this.output.buffer;
    buffer[at] = 0;
    writeUint32(buffer, at + 1, body);
    buffer.set(head, at + 5);
    if (tail.length > 0) buffer.set(tail, at + 5 + head.length);
  }

  /** Raw bytes of a plain HTTP answer, kept by reference: nobody will change them. */
  body(stream: Stream, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#enqueue(stream, bytes);
    this.#makeReady(stream);
    this.pump();
  }

  /** Ends the answer when the queue is empty, now or later. */
  end(stream: Stream): void {
    stream.ending = true;
    if (stream.queuedBytes === 0) stream.writeEnd();
  }

  /** Trailers with END_STREAM; with the head in the same block when none was sent. `message` is encoded already. */
  trailers(stream: Stream, code: StatusCode, message: string, more: readonly string[]): void {
    this.sentSincePing = true;
    if (code === 0 && stream.headersSent) {
      if (this.#statusIndex !== 0) {
        const output = this.output;
        const at = output.reserve(FRAME_HEADER_BYTES + 1);
        writeFrameHeader(output.buffer, at, 1, FrameType.headers, END_BLOCK, stream.id);
        output.buffer[at + 9] = 0x80 | this.#statusIndex;
        return;
      }
      if (this.#mayIndex) {
        this.#statusIndex = DYNAMIC_INDEX_MIN;
        if (this.#contentTypeIndex !== 0) this.#contentTypeIndex++;
        this.#block(stream.id, Flag.endStream, STATUS_OK_INDEXING);
        return;
      }
    }
    const fields = stream.headersSent ? [] : [':status', '200', 'content-type', CONTENT_TYPE];
    fields.push('grpc-status', String(code));
    if (message !== '') fields.push('grpc-message', message);
    this.#block(stream.id, Flag.endStream, encodeHeaderBlock(fields.concat(more)));
    stream.headersSent = true;
  }

  /** Any other header block. */
  fields(stream: Stream, fields: readonly string[], endStream: boolean): void {
    stream.headersSent = true;
    this.sentSincePing = true;
    this.#block(stream.id, endStream ? Flag.endStream : 0, encodeHeaderBlock(fields));
  }

  /** A whole answer in one block, to a request that has no stream object. */
  answer(streamId: number, fields: readonly string[]): void {
    this.sentSincePing = true;
    this.#block(streamId, Flag.endStream, encodeHeaderBlock(fields));
  }

  /** An empty DATA frame with END_STREAM. */
  emptyEnd(streamId: number): void {
    const at = this.output.reserve(FRAME_HEADER_BYTES);
    writeFrameHeader(this.output.buffer, at, 0, FrameType.data, Flag.endStream, streamId);
  }

  /** `settings`: identifier, value, identifier, value, … */
  settings(settings: readonly number[]): void {
    const count = settings.length / 2;
    const at = this.#frame(count * 6, FrameType.settings, 0, 0);
    for (let i = 0; i < count; i++) {
      const entry = at + i * 6;
      this.output.buffer[entry] = 0;
      this.output.buffer[entry + 1] = settings[2 * i] as number;
      writeUint32(this.output.buffer, entry + 2, settings[2 * i + 1] as number);
    }
  }

  settingsAck(): void {
    this.#frame(0, FrameType.settings, Flag.ack, 0);
  }

  /** Eight bytes of `payload` from `from`. */
  ping(payload: Uint8Array, from: number, ack: boolean): void {
    const at = this.#frame(8, FrameType.ping, ack ? Flag.ack : 0, 0);
    for (let i = 0; i < 8; i++) this.output.buffer[at + i] = payload[from + i] as number;
  }

  goaway(lastStreamId: number, code: ErrorCode, debug: string): void {
    const at = this.#frame(8 + debug.length, FrameType.goaway, 0, 0);
    writeUint32(this.output.buffer, at, lastStreamId);
    writeUint32(this.output.buffer, at + 4, code);
    this.output.buffer.write(debug, at + 8, 'latin1');
  }

  rstStream(streamId: number, code: ErrorCode): void {
    // First the frame, then the buffer: making room may change it.
    const at = this.#frame(4, FrameType.rstStream, 0, streamId);
    writeUint32(this.output.buffer, at, code);
  }

  windowUpdate(streamId: number, bytes: number): void {
    const at = this.#frame(4, FrameType.windowUpdate, 0, streamId);
    writeUint32(this.output.buffer, at, bytes);
  }

  /** Returns false when the window would overflow (a connection error). */
  openConnectionWindow(bytes: number): boolean {
    if (this.window + bytes > WINDOW_BYTES_MAX) return false;
    this.window += bytes;
    this.pump();
    return true;
  }

  /** Returns false when the window would overflow (a stream error). `bytes` is negative when SETTINGS shrank it. */
  openStreamWindow(stream: Stream, bytes: number): boolean {
    if (stream.sendWindow + bytes > WINDOW_BYTES_MAX) return false;
    stream.sendWindow += bytes;
    if (stream.queuedBytes > 0 && stream.sendWindow > 0) this.#makeReady(stream);
    return true;
  }

  /** Forgets what a closed stream had queued. */
  drop(stream: Stream): void {
    this.queuedBytes -= stream.queuedBytes;
    stream.queuedBytes = 0;
    stream.queue = undefined;
    if (stream.isWaiting) this.#waiting.delete(stream);
  }

  /** Sends what windows and socket allow, a frame per stream in turn. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#readyAt < this.#ready.length && this.window > 0 && !this.output.blocked) {
        const stream = this.#ready[this.#readyAt++] as Stream;
        stream.isReady = false;
        if (!stream.closed) this.#sendFrame(stream);
      }
      if (this.#readyAt === this.#ready.length) {
        this.#ready.length = 0;
        this.#readyAt = 0;
      } else if (this.#readyAt > 1024) {
        this.#ready.splice(0, this.#readyAt);
        this.#readyAt = 0;
      }
    } finally {
      this.#pumping = false;
    }
    if (this.#waiting.size > 0) this.#tellRoom();
  }

  #sendFrame(stream: Stream): void {
    const bytes = Math.min(FRAME_PAYLOAD_BYTES_MAX, this.window, stream.sendWindow, stream.queuedBytes);
    if (bytes > 0) {
      this.window -= bytes;
      stream.sendWindow -= bytes;
      stream.queuedBytes -= bytes;
      this.queuedBytes -= bytes;
      this.sentSincePing = true;
      stream.progressMs = stream.connection.nowMs;
      const at = this.output.reserveData(stream.id, bytes);
      dequeue(stream, this.output.buffer, at, bytes);
    }
    if (stream.queuedBytes > 0) {
      if (stream.sendWindow > 0) this.#makeReady(stream);
    } else {
      stream.queue = undefined;
      if (stream.ending) stream.writeEnd();
    }
  }

  #tellRoom(): void {
    if (this.queuedBytes * 2 > this.#limits.connectionSendHighWaterBytes) return;
    for (const stream of [...this.#waiting]) {
      if (stream.queuedBytes * 2 > this.#limits.streamSendHighWaterBytes) continue;
      stream.isWaiting = false;
      this.#waiting.delete(stream);
      if (!stream.closed && !stream.ending) stream.onRoom();
    }
  }

  #queueMessage(stream: Stream, head: Uint8Array, tail: Uint8Array, tailIsShared: boolean): void {
    const prefix = new Uint8Array(5);
    writeUint32(prefix, 1, head.length + tail.length);
    this.#enqueue(stream, prefix);
    if (head.length > 0) this.#enqueue(stream, head);
    if (tail.length > 0) this.#enqueue(stream, tail);
    const queue = stream.queue;
    this.#makeReady(stream);
    this.pump();
    // What did not leave at once must be ours: the caller goes on with its buffers.
    if (queue === undefined || stream.queue !== queue) return;
    own(queue, head, stream);
    if (!tailIsShared) own(queue, tail, stream);
  }

  #enqueue(stream: Stream, piece: Uint8Array): void {
    if (stream.queue === undefined) {
      stream.queue = [];
      stream.queueOffset = 0;
      stream.progressMs = stream.connection.nowMs;
    }
    stream.queue.push(piece);
    stream.queuedBytes += piece.length;
    this.queuedBytes += piece.length;
  }

  #makeReady(stream: Stream): void {
    if (stream.isReady || stream.sendWindow <= 0) return;
    stream.isReady = true;
    this.#ready.push(stream);
  }

  #openingBlock(): Uint8Array {
    if (!this.#mayIndex) return HEADERS_PLAIN;
    this.#contentTypeIndex = DYNAMIC_INDEX_MIN;
    if (this.#statusIndex !== 0) this.#statusIndex++;
    return HEADERS_INDEXING;
  }

  #block(streamId: number, flags: number, block: Uint8Array): void {
    const shrink = this.#mustShrink ? 1 : 0;
    this.#mustShrink = false;
    const at = this.#frame(block.length + shrink, FrameType.headers, flags | Flag.endHeaders, streamId);
    if (shrink > 0) this.output.buffer[at] = 0x20;
    this.output.buffer.set(block, at + shrink);
  }

  #frame(payloadBytes: number, type: number, flags: number, streamId: number): number {
    const at = this.output.reserve(FRAME_HEADER_BYTES + payloadBytes);
    writeFrameHeader(this.output.buffer, at, payloadBytes, type, flags, streamId);
    return at + FRAME_HEADER_BYTES;
  }
}

const CONTENT_TYPE = 'application/grpc';
const STATUS_200 = 0x88;
const END_BLOCK = Flag.endHeaders | Flag.endStream;
const HEADERS_PLAIN = encodeHeaderBlock([':status', '200', 'content-type', CONTENT_TYPE]);
const HEADERS_INDEXING = Buffer.concat([Buffer.of(STATUS_200), encodeIndexedLiteral('content-type', CONTENT_TYPE)]);
const STATUS_OK_INDEXING = encodeIndexedLiteral('grpc-status', '0');

function dequeue(stream: Stream, buffer: Uint8Array, at: number, bytes: number): void {
  const queue = stream.queue as Uint8Array[];
  let taken = 0;
  while (bytes > 0) {
    const piece = queue[taken] as Uint8Array;
    const rest = piece.length - stream.queueOffset;
    const count = Math.min(rest, bytes);
    buffer.set(piece.subarray(stream.queueOffset, stream.queueOffset + count), at);
    at += count;
    bytes -= count;
    if (count === rest) {
      taken++;
      stream.queueOffset = 0;
    } else {
      stream.queueOffset += count;
    }
  }
  if (taken > 0) queue.splice(0, taken);
}

/** Replaces a borrowed piece by a copy, of its unsent part only. */
function own(queue: Uint8Array[], piece: Uint8Array, stream: Stream): void {
  const place = queue.lastIndexOf(piece);
  if (place < 0) return;
  const offset = place === 0 ? stream.queueOffset : 0;
  // Not piece.slice: a Buffer's is a view.
  queue[place] = Uint8Array.prototype.slice.call(piece, offset);
  if (place === 0) stream.queueOffset = 0;
}
