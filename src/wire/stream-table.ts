/**
 * The streams of one connection: what HEADERS, DATA, RST_STREAM and windows mean to them (RFC 9113, sections 5 and 6).
 *
 * A stream's fault resets that stream; a fault that leaves the two sides with different ideas of the connection is
 * passed up to it. The window of the connection is given back at receipt, so a stream whose service holds back stops
 * only its own sender; what such streams keep is bounded by receiveBufferBytesMax.
 */

import type { Connection } from './connection.ts';
import type { FloodGuard } from './flood-guard.ts';
import { DEFAULT_WINDOW_BYTES, ErrorCode, Flag, readUint32, STREAM_ID_MAX, WINDOW_BYTES_MAX } from './frames.ts';
import { GrpcCall } from './grpc-call.ts';
import { HeaderReader } from './header-reader.ts';
import { HttpExchange } from './http-exchange.ts';
import { httpHeadOf } from './http-head.ts';
import { HttpStreamExchange } from './http-stream-exchange.ts';
import { OpenStreams } from './open-streams.ts';
import { refusalOf } from './refusal.ts';
import type { RequestHead } from './request-head.ts';
import { ResetMemory } from './reset-memory.ts';
import type { Stream } from './stream.ts';

const NOTHING = Buffer.alloc(0);
const BLOCK_TOO_LONG = 'header block too long';

export class StreamTable {
  readonly #connection: Connection;
  readonly #guard: FloodGuard;
  readonly #headers: HeaderReader;
  readonly #streams = new OpenStreams<Stream>();
  readonly #resets = new ResetMemory();
  #lastStreamId = 0;
  /** What the peer may still send on the connection. */
  #receiveWindow: number;
  #receiveDebtBytes = 0;
  /** Calls with a deadline that began in this chunk. */
  #unarmed: GrpcCall[] = [];
  /** Streams above this are ignored: the second GOAWAY said so. */
  #drainedAtId = STREAM_ID_MAX;

  constructor(connection: Connection, guard: FloodGuard) {
    this.#connection = connection;
    this.#guard = guard;
    this.#headers = new HeaderReader(connection.limits, connection.host.methods);
    this.#receiveWindow = Math.max(connection.limits.connectionWindowBytes, DEFAULT_WINDOW_BYTES);
  }

  /** Under way. */
  get size(): number {
    return this.#streams.size;
  }

  /** The highest that the peer opened. */
  get lastStreamId(): number {
    return this.#lastStreamId;
  }

  /** The stream whose header block goes on in CONTINUATION, or 0. */
  get openBlockStreamId(): number {
    return this.#headers.openStreamId;
  }

  /** Opens the connection's window to what the limits say. */
  announceWindow(): void {
    const extra = this.#receiveWindow - DEFAULT_WINDOW_BYTES;
    if (extra > 0) this.#connection.sender.windowUpdate(0, extra);
  }

  /** From here on new streams are ignored. */
  closeDoor(): void {
    this.#drainedAtId = this.#lastStreamId;
  }

  /** The stream's END_STREAM was written. */
  finished(stream: Stream): void {
    if (stream.closed) return;
    if (!stream.remoteEnded) {
      this.#connection.sender.rstStream(stream.id, ErrorCode.noError);
      this.#resets.add(stream.id);
    }
    this.#remove(stream, ErrorCode.noError);
  }

  /** Gives the sender of a stream its window back. */
  giveBack(stream: Stream): void {
    if (stream.closed || stream.remoteEnded || stream.receiveDebtBytes * 2 < this.#connection.limits.initialWindowBytes)
      return;
    this.#connection.sender.windowUpdate(stream.id, stream.receiveDebtBytes);
    stream.receiveWindow += stream.receiveDebtBytes;
    stream.receiveDebtBytes = 0;
  }

  /** Resets finished answers that no window lets out. An open streaming call may wait for ever: it holds no more than its high-water mark. */
  sweepStalled(nowMs: number): void {
    if (this.#connection.sender.queuedBytes === 0) return;
    for (const stream of this.#streams.all()) {
      const isStalled =
        stream.ending && stream.queuedBytes > 0 && nowMs - stream.progressMs >= this.#connection.limits.sendStallMs;
      if (isStalled) this.#reset(stream, ErrorCode.cancel);
    }
  }

  /** Puts the deadlines of calls that are still open after this chunk on the wheel. */
  arm(): void {
    for (const call of this.#unarmed) {
      if (!call.ending) this.#connection.wheel.add(call);
    }
    this.#unarmed.length = 0;
  }

  onData(buffer: Buffer, from: number, to: number, flags: number, id: number): void {
    const frameBytes = to - from;
    if (!this.#countReceived(frameBytes)) return;
    if ((flags & Flag.padded) !== 0) {
      const padding = from < to ? (buffer[from] as number) : frameBytes;
      from++;
      to -= padding;
      if (from > to) {
        this.#connection.fail(ErrorCode.protocolError, 'padding');
        return;
      }
    }
    const end = (flags & Flag.endStream) !== 0;
    if (
      from === to &&
      !end &&
      !this.#connection.spend(this.#guard.empty(this.#connection.nowMs), 'too many empty DATA frames')
    )
      return;
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      this.#onDataWithoutStream(id);
      return;
    }
    if (stream.remoteEnded) {
      this.#reset(stream, ErrorCode.streamClosed);
      return;
    }
    stream.receiveWindow -= frameBytes;
    if (stream.receiveWindow < 0) {
      this.#reset(stream, ErrorCode.flowControlError);
      return;
    }
    stream.receiveDebtBytes += frameBytes;
    stream.receivedBytes += to - from;
    if (end && !this.#endRemote(stream)) return;
    stream.onData(buffer, from, to, end);
    if (!end && !stream.holdsBack) this.giveBack(stream);
  }

  /** The request is complete; false when it contradicts its content-length (RFC 9113, section 8.1.1). */
  #endRemote(stream: Stream): boolean {
    stream.remoteEnded = true;
    if (stream.head.contentLength < 0 || stream.head.contentLength === stream.receivedBytes) return true;
    this.#reset(stream, ErrorCode.protocolError);
    return false;
  }

  /** The connection's window: counted for every DATA frame, whatever becomes of it, and given back at once. */
  #countReceived(bytes: number): boolean {
    this.#receiveWindow -= bytes;
    if (this.#receiveWindow < 0) {
      this.#connection.fail(ErrorCode.flowControlError, 'connection window exceeded');
      return false;
    }
    this.#receiveDebtBytes += bytes;
    if (this.#receiveDebtBytes > this.#receiveWindow) {
      this.#connection.sender.windowUpdate(0, this.#receiveDebtBytes);
      this.#receiveWindow += this.#receiveDebtBytes;
      this.#receiveDebtBytes = 0;
    }
    return true;
  }

  #onDataWithoutStream(id: number): void {
    if (id === 0 || this.#isIdle(id)) this.#connection.fail(ErrorCode.protocolError, 'DATA on an idle stream');
    else if (!this.#isForgiven(id)) this.resetId(id, ErrorCode.streamClosed);
  }

  /** Never opened. */
  #isIdle(id: number): boolean {
    return id % 2 === 0 || id > this.#lastStreamId;
  }

  /** What still comes for a stream that we closed, or never took because of GOAWAY, is no fault of the peer's. */
  #isForgiven(id: number): boolean {
    return id > this.#drainedAtId || this.#resets.has(id);
  }

  onHeaders(buffer: Buffer, from: number, to: number, flags: number, id: number): void {
    if (id % 2 === 0) {
      this.#connection.fail(ErrorCode.protocolError, 'HEADERS on an even stream');
      return;
    }
    const extra = ((flags & Flag.padded) !== 0 ? 1 : 0) + ((flags & Flag.priority) !== 0 ? 5 : 0);
    const padding = (flags & Flag.padded) !== 0 && from < to ? (buffer[from] as number) : 0;
    if (from + extra + padding > to) {
      this.#connection.fail(extra > to - from ? ErrorCode.frameSizeError : ErrorCode.protocolError, 'padding');
      return;
    }
    from += extra;
    to -= padding;
    const end = (flags & Flag.endStream) !== 0;
    if ((flags & Flag.endHeaders) !== 0) {
      this.#onBlock(buffer, from, to, id, end);
      return;
    }
    if (!this.#headers.openBlock(id, end, buffer, from, to))
      this.#connection.fail(ErrorCode.enhanceYourCalm, BLOCK_TOO_LONG);
  }

  onContinuation(buffer: Buffer, from: number, to: number, flags: number): void {
    const id = this.#headers.openStreamId;
    if (id === 0) {
      this.#connection.fail(ErrorCode.protocolError, 'CONTINUATION without HEADERS');
    } else if (!this.#headers.addFragment(buffer, from, to)) {
      this.#connection.fail(ErrorCode.enhanceYourCalm, BLOCK_TOO_LONG);
    } else if ((flags & Flag.endHeaders) !== 0) {
      const block = this.#headers.closeBlock();
      this.#onBlock(block, 0, block.length, id, this.#headers.openEndsStream);
    }
  }

  /** A complete header block. Throws HpackError. */
  #onBlock(buffer: Buffer, from: number, to: number, id: number, end: boolean): void {
    const stream = this.#streams.get(id);
    if (stream !== undefined) {
      this.#onTrailers(stream, this.#headers.decodeTrailers(buffer, from, to), end);
    } else if (id > this.#lastStreamId) {
      this.#lastStreamId = id;
      const head = this.#headers.decodeHead(buffer, from, to);
      if (id <= this.#drainedAtId) this.#openStream(id, head, end);
    } else if (this.#isForgiven(id)) {
      this.#headers.decodeTrailers(buffer, from, to);
    } else {
      this.#connection.fail(ErrorCode.streamClosed, 'HEADERS on a closed stream');
    }
  }

  #onTrailers(stream: Stream, areValid: boolean, end: boolean): void {
    if (stream.remoteEnded) this.#reset(stream, ErrorCode.streamClosed);
    else if (!end || !areValid) this.#reset(stream, ErrorCode.protocolError);
    else if (this.#endRemote(stream)) stream.onData(NOTHING, 0, 0, true);
  }

  #openStream(id: number, head: RequestHead, end: boolean): void {
    if (head.fault !== undefined) {
      this.resetId(id, ErrorCode.protocolError);
      return;
    }
    const { limits, sender } = this.#connection;
    if (
      this.#streams.size + this.#connection.running >= 2 * limits.streamsMax ||
      this.#streams.size >= limits.streamsMax ||
      sender.queuedBytes > limits.sendBufferBytesMax
    ) {
      this.resetId(id, ErrorCode.refusedStream);
      return;
    }
    const refusal = refusalOf(head, this.#connection.host);
    if (refusal !== undefined) {
      sender.answer(id, refusal);
      if (end) return;
      // No fault by the frames' rules, so nothing that counts as one.
      sender.rstStream(id, ErrorCode.noError);
      this.#resets.add(id);
      return;
    }
    const receiveWindow = Math.max(limits.initialWindowBytes, DEFAULT_WINDOW_BYTES);
    this.#connection.stats.streams.value++;
    if (!head.grpc || head.entry === undefined) {
      this.#openHttp(id, head, end, receiveWindow);
      return;
    }
    const call = new GrpcCall(id, this.#connection, head, head.entry, sender.initialWindow, receiveWindow);
    this.#streams.add(call);
    if (call.deadlineMs !== undefined) this.#unarmed.push(call);
    call.open();
    if (end && !call.closed && this.#endRemote(call)) call.onData(NOTHING, 0, 0, true);
  }

  #openHttp(id: number, head: RequestHead, end: boolean, receiveWindow: number): void {
    const connection = this.#connection;
    const abort = new AbortController();
    const http = httpHeadOf(head, connection, abort.signal);
    const opener = connection.host.httpStreams(http);
    const sendWindow = connection.sender.initialWindow;
    const exchange =
      opener === undefined
        ? new HttpExchange(id, connection, head, sendWindow, receiveWindow, http, abort)
        : new HttpStreamExchange(id, connection, head, sendWindow, receiveWindow, abort);
    this.#streams.add(exchange);
    if (opener !== undefined && exchange instanceof HttpStreamExchange) exchange.open(opener);
    if (end && !exchange.closed && this.#endRemote(exchange)) exchange.onData(NOTHING, 0, 0, true);
  }

  onRstStream(buffer: Buffer, from: number, to: number, id: number): void {
    if (to - from !== 4) {
      this.#connection.fail(ErrorCode.frameSizeError, 'RST_STREAM');
      return;
    }
    if (id === 0 || this.#isIdle(id)) {
      this.#connection.fail(ErrorCode.protocolError, 'RST_STREAM on an idle stream');
      return;
    }
    if (!this.#connection.spend(this.#guard.reset(this.#connection.nowMs), 'too many resets')) return;
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    this.#resets.add(id);
    const code = readUint32(buffer, from);
    this.#remove(stream, code === ErrorCode.noError ? ErrorCode.cancel : (code as ErrorCode));
  }

  /** The peer's INITIAL_WINDOW_SIZE. */
  setInitialWindow(bytes: number): boolean {
    if (bytes > WINDOW_BYTES_MAX) return this.#connection.fail(ErrorCode.flowControlError, 'INITIAL_WINDOW_SIZE');
    const difference = bytes - this.#connection.sender.initialWindow;
    this.#connection.sender.initialWindow = bytes;
    for (const stream of this.#streams.all()) {
      if (!this.#connection.sender.openStreamWindow(stream, difference)) {
        return this.#connection.fail(ErrorCode.flowControlError, 'INITIAL_WINDOW_SIZE overflows a window');
      }
    }
    return true;
  }

  /** Resets a stream that has no object (any more). */
  resetId(id: number, code: ErrorCode): void {
    this.#resets.add(id);
    this.#connection.sender.rstStream(id, code);
    this.#connection.spend(this.#guard.reset(this.#connection.nowMs), 'too many faulty streams');
  }

  #reset(stream: Stream, code: ErrorCode): void {
    this.resetId(stream.id, code);
    this.#remove(stream, code);
  }

  #remove(stream: Stream, code: ErrorCode | undefined): void {
    if (stream.closed) return;
    stream.closed = true;
    this.#streams.delete(stream.id);
    this.#connection.stats.streams.value--;
    if (stream.queuedBytes > 0 || stream.isWaiting) this.#connection.sender.drop(stream);
    stream.onClosed(code);
    if (this.#streams.size === 0) this.#connection.onStreamsEmpty();
  }

  /** Ends all streams; nothing is sent. */
  abortAll(code: ErrorCode | undefined): void {
    for (const stream of this.#streams.all()) this.#remove(stream, code);
  }

  /** WINDOW_UPDATE of a stream. */
  onWindowUpdate(id: number, bytes: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      if (this.#isIdle(id)) this.#connection.fail(ErrorCode.protocolError, 'WINDOW_UPDATE on an idle stream');
      return;
    }
    const { sender } = this.#connection;
    if (bytes === 0) this.#reset(stream, ErrorCode.protocolError);
    else if (!sender.openStreamWindow(stream, bytes)) this.#reset(stream, ErrorCode.flowControlError);
    else sender.pump();
  }
}
