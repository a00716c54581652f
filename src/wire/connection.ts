/**
 * One HTTP/2 connection: frames in. (Frames out: sender.ts; bytes out: output.ts.)
 *
 *   socket ─chunk─▶ frames ─▶ HEADERS ─▶ head (cache or HPACK) ─▶ GrpcCall | HttpExchange
 *                     │                                              ▲
 *                     ├─▶ DATA, windows counted ─────────────────────┘
 *                     └─▶ SETTINGS, PING, WINDOW_UPDATE, RST_STREAM, …
 *
 * Frames are read where they lie in the socket's chunk; only one that is cut by the chunk's end is copied together.
 * All that one chunk caused leaves in one write at its end.
 *
 * Errors: a stream's fault resets the stream, a connection's fault sends GOAWAY and closes this connection and no
 * other (RFC 9113, section 5.4). The window of the connection is given back at receipt, so a stream whose service
 * holds back stops only its own sender; what such streams keep is bounded by receiveBufferBytesMax.
 */

import type { Socket } from 'node:net';
import type { DeadlineWheel } from './deadline-wheel.ts';
import { FloodGuard } from './flood-guard.ts';
import { FrameReader, type FrameSink } from './frame-reader.ts';
import {
  DEFAULT_WINDOW_BYTES,
  ErrorCode,
  Flag,
  FRAME_HEADER_BYTES,
  FRAME_PAYLOAD_BYTES_MAX,
  FrameType,
  readUint32,
  Setting,
  STREAM_ID_MAX,
  WINDOW_BYTES_MAX,
} from './frames.ts';
import { GrpcCall } from './grpc-call.ts';
import { HeaderReader } from './header-reader.ts';
import { HpackError } from './hpack-decoder.ts';
import { HttpExchange } from './http-exchange.ts';
import { Keepalive } from './keepalive.ts';
import type { WireLimits } from './limits.ts';
import { Output } from './output.ts';
import { refusalOf } from './refusal.ts';
import { areTrailersValid, type RequestHead } from './request-head.ts';
import { ResetMemory } from './reset-memory.ts';
import { Sender } from './sender.ts';
import type { WireStats } from './stats.ts';
import type { Stream } from './stream.ts';
import type { WireHost } from './wire-host.ts';

/** After GOAWAY the peer gets this long to read it. */
const LINGER_MS = 1000;
/** How long a draining client may take to answer the ping between the two GOAWAYs. */
const DRAIN_PING_MS = 1000;
const DRAIN_PING = Buffer.from('kedgebye', 'latin1');
const KEEPALIVE_PING = Buffer.from('kedgeyou', 'latin1');

const NOTHING = Buffer.alloc(0);
const BLOCK_TOO_LONG = 'header block too long';

export class Connection implements FrameSink {
  readonly host: WireHost;
  readonly limits: WireLimits;
  readonly stats: WireStats;
  readonly wheel: DeadlineWheel;
  readonly peer: string;
  readonly sender: Sender;
  /** Monotonic, as of the last event. */
  nowMs: number;
  /** Handlers whose promise is pending, streams long gone included. */
  running = 0;
  /** Held by partly received and held-back requests. */
  receiveBufferBytes = 0;

  readonly #socket: Socket;
  readonly #output: Output;
  readonly #reader: FrameReader;
  readonly #headers: HeaderReader;
  readonly #guard: FloodGuard;
  readonly #keepalive: Keepalive;
  readonly #streams = new Map<number, Stream>();
  readonly #resets = new ResetMemory();
  readonly #startedMs: number;
  #lastStreamId = 0;
  #receiveWindow: number;
  #receiveDebtBytes = 0;
  #settingsReceived = false;
  #readMs: number;
  #blockedMs: number | undefined = undefined;
  #isPaused = false;
  #unarmed: GrpcCall[] = [];
  /** GOAWAY with an error was sent, or the socket is gone: nothing is read any more. */
  #endedMs: number | undefined = undefined;
  #drainStartedMs: number | undefined = undefined;
  /** Streams above this are ignored: the second GOAWAY said so. */
  #drainedAtId = STREAM_ID_MAX;

  constructor(socket: Socket, peer: string, host: WireHost) {
    this.host = host;
    this.limits = host.limits;
    this.stats = host.stats;
    this.wheel = host.wheel;
    this.peer = peer;
    this.nowMs = host.clock.monotonicMs();
    this.#startedMs = this.nowMs;
    this.#readMs = this.nowMs;
    this.#socket = socket;
    this.#output = new Output(socket, host.pool, host.flusher, host.stats);
    this.sender = new Sender(this.#output, host.limits);
    this.#reader = new FrameReader(this);
    this.#headers = new HeaderReader(host.limits, host.methods);
    this.#guard = new FloodGuard(host.limits);
    this.#keepalive = new Keepalive(host.limits);
    this.#receiveWindow = Math.max(host.limits.connectionWindowBytes, DEFAULT_WINDOW_BYTES);
  }

  /** Takes over the socket, whose preface was read; `rest` came after it. */
  start(rest: Buffer): void {
    const { limits, sender } = this;
    sender.settings([
      Setting.maxConcurrentStreams,
      limits.streamsMax,
      Setting.initialWindowSize,
      limits.initialWindowBytes,
      Setting.maxHeaderListSize,
      limits.headerListBytesMax,
    ]);
    const extra = this.#receiveWindow - DEFAULT_WINDOW_BYTES;
    if (extra > 0) sender.windowUpdate(0, extra);
    const socket = this.#socket;
    socket.on('data', (chunk: Buffer) => this.#onChunk(chunk));
    socket.on('drain', () => this.#onDrain());
    socket.on('end', () => this.#onEnd());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#onClose());
    if (rest.length > 0) this.#onChunk(rest);
  }

  /** Streams under way. */
  get activeStreams(): number {
    return this.#streams.size;
  }

  /** The stream's END_STREAM was written. */
  finished(stream: Stream): void {
    if (stream.closed) return;
    if (!stream.remoteEnded) {
      this.sender.rstStream(stream.id, ErrorCode.noError);
      this.#resets.add(stream.id);
    }
    this.#remove(stream, ErrorCode.noError);
  }

  /** Gives the sender of a stream its window back. */
  giveBack(stream: Stream): void {
    if (stream.closed || stream.remoteEnded || stream.receiveDebtBytes * 2 < this.limits.initialWindowBytes) return;
    this.sender.windowUpdate(stream.id, stream.receiveDebtBytes);
    stream.receiveWindow += stream.receiveDebtBytes;
    stream.receiveDebtBytes = 0;
  }

  /** No new streams; closes when the last one is done. */
  drain(): void {
    if (this.#drainStartedMs !== undefined || this.#endedMs !== undefined) return;
    this.nowMs = this.host.clock.monotonicMs();
    this.#drainStartedMs = this.nowMs;
    this.sender.goaway(STREAM_ID_MAX, ErrorCode.noError, 'graceful_stop');
    // The client's answer comes after all requests that it sent before it knew.
    this.sender.ping(DRAIN_PING, 0, false);
  }

  /** At once. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** What is due by time; about once a second. */
  sweep(nowMs: number): void {
    this.nowMs = nowMs;
    if (this.#endedMs !== undefined) {
      if (nowMs - this.#endedMs >= LINGER_MS) this.#socket.destroy();
      return;
    }
    if (!this.#settingsReceived && nowMs - this.#startedMs >= this.limits.prefaceTimeoutMs) {
      this.#fail(ErrorCode.protocolError, 'no SETTINGS in time');
      return;
    }
    if (this.#drainStartedMs !== undefined && nowMs - this.#drainStartedMs >= DRAIN_PING_MS) this.#drainSecondHalf();
    switch (this.#keepalive.check(nowMs, this.#readMs)) {
      case 'ping':
        this.sender.ping(KEEPALIVE_PING, 0, false);
        break;
      case 'close':
        this.host.stats.connectionsFaulted.value++;
        this.#socket.destroy();
        return;
      case 'none':
    }
    this.#sweepStalls(nowMs);
  }

  #sweepStalls(nowMs: number): void {
    if (!this.#output.blocked) {
      this.#blockedMs = undefined;
    } else if (this.#blockedMs === undefined) {
      this.#blockedMs = nowMs;
    } else if (nowMs - this.#blockedMs >= this.limits.sendStallMs) {
      this.host.stats.connectionsFaulted.value++;
      this.#socket.destroy();
      return;
    }
    if (this.sender.queuedBytes === 0) return;
    for (const stream of this.#streams.values()) {
      // An open streaming call may wait for ever: it holds no more than its high-water mark.
      const isStalled = stream.ending && stream.queuedBytes > 0 && nowMs - stream.progressMs >= this.limits.sendStallMs;
      if (isStalled) this.#reset(stream, ErrorCode.cancel);
    }
  }

  #onChunk(chunk: Buffer): void {
    if (this.#endedMs !== undefined) return;
    this.nowMs = this.host.clock.monotonicMs();
    this.#readMs = this.nowMs;
    this.stats.bytesReceived.value += chunk.length;
    this.#output.scheduled = true;
    try {
      this.#reader.read(chunk);
    } catch (error) {
      if (!(error instanceof HpackError)) throw error;
      this.#fail(ErrorCode.compressionError, error.message);
    } finally {
      this.#output.flush();
    }
    if (this.#unarmed.length > 0) this.#arm();
    if (this.#output.blocked) this.#onBlocked();
  }

  #arm(): void {
    for (const call of this.#unarmed) {
      if (!call.ending) this.wheel.add(call);
    }
    this.#unarmed.length = 0;
  }

  /** The socket takes nothing: a peer that does not read gets nothing more done. */
  #onBlocked(): void {
    this.#blockedMs ??= this.nowMs;
    if (this.#output.socketBytes > this.limits.socketBufferBytesMax) {
      this.host.stats.connectionsFaulted.value++;
      this.#socket.destroy();
    } else if (!this.#isPaused) {
      this.#isPaused = true;
      this.#socket.pause();
    }
  }

  #onDrain(): void {
    this.#output.drained();
    this.#blockedMs = undefined;
    this.sender.pump();
    this.#output.flush();
    if (this.#isPaused && !this.#output.blocked) {
      this.#isPaused = false;
      this.#socket.resume();
    }
  }

  #onEnd(): void {
    this.#abortStreams(undefined);
    this.#endedMs ??= this.nowMs;
    this.#socket.end();
  }

  #onClose(): void {
    this.#endedMs ??= this.nowMs;
    this.#abortStreams(undefined);
    this.host.onClosed(this);
  }

  onFrameTooLarge(): void {
    this.#fail(ErrorCode.frameSizeError, 'frame too large');
  }

  onFrame(buffer: Buffer, at: number, to: number): boolean {
    this.#onFrame(buffer, at, to);
    return this.#endedMs === undefined;
  }

  #onFrame(buffer: Buffer, at: number, to: number): void {
    const type = buffer[at + 3] as number;
    const flags = buffer[at + 4] as number;
    const id = readUint32(buffer, at + 5) & STREAM_ID_MAX;
    const from = at + FRAME_HEADER_BYTES;
    const open = this.#headers.openStreamId;
    if (open !== 0 && (type !== FrameType.continuation || id !== open)) {
      this.#fail(ErrorCode.protocolError, 'header block interrupted');
      return;
    }
    if (!this.#settingsReceived && (type !== FrameType.settings || (flags & Flag.ack) !== 0)) {
      this.#fail(ErrorCode.protocolError, 'first frame is not SETTINGS');
      return;
    }
    switch (type) {
      case FrameType.data:
        this.#onData(buffer, from, to, flags, id);
        return;
      case FrameType.headers:
        this.#onHeaders(buffer, from, to, flags, id);
        return;
      case FrameType.priority:
        if (id === 0) this.#fail(ErrorCode.protocolError, 'PRIORITY on stream 0');
        else if (to - from !== 5) this.#resetId(id, ErrorCode.frameSizeError);
        else this.#spend(this.#guard.empty(this.nowMs), 'too many PRIORITY frames');
        return;
      case FrameType.rstStream:
        this.#onRstStream(buffer, from, to, id);
        return;
      case FrameType.settings:
        this.#onSettings(buffer, from, to, flags, id);
        return;
      case FrameType.pushPromise:
        this.#fail(ErrorCode.protocolError, 'PUSH_PROMISE from a client');
        return;
      case FrameType.ping:
        this.#onPing(buffer, from, to, flags, id);
        return;
      case FrameType.goaway:
        if (id !== 0) this.#fail(ErrorCode.protocolError, 'GOAWAY on a stream');
        else if (to - from < 8) this.#fail(ErrorCode.frameSizeError, 'GOAWAY');
        else this.#spend(this.#guard.empty(this.nowMs), 'too many GOAWAY frames');
        return;
      case FrameType.windowUpdate:
        this.#onWindowUpdate(buffer, from, to, id);
        return;
      case FrameType.continuation:
        this.#onContinuation(buffer, from, to, flags);
        return;
      default:
        this.#spend(this.#guard.empty(this.nowMs), 'too many unknown frames');
    }
  }

  #onData(buffer: Buffer, from: number, to: number, flags: number, id: number): void {
    const frameBytes = to - from;
    if (!this.#countReceived(frameBytes)) return;
    if ((flags & Flag.padded) !== 0) {
      const padding = from < to ? (buffer[from] as number) : frameBytes;
      from++;
      to -= padding;
      if (from > to) {
        this.#fail(ErrorCode.protocolError, 'padding');
        return;
      }
    }
    const end = (flags & Flag.endStream) !== 0;
    if (from === to && !end && !this.#spend(this.#guard.empty(this.nowMs), 'too many empty DATA frames')) return;
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
      this.#fail(ErrorCode.flowControlError, 'connection window exceeded');
      return false;
    }
    this.#receiveDebtBytes += bytes;
    if (this.#receiveDebtBytes > this.#receiveWindow) {
      this.sender.windowUpdate(0, this.#receiveDebtBytes);
      this.#receiveWindow += this.#receiveDebtBytes;
      this.#receiveDebtBytes = 0;
    }
    return true;
  }

  #onDataWithoutStream(id: number): void {
    if (id === 0 || this.#isIdle(id)) this.#fail(ErrorCode.protocolError, 'DATA on an idle stream');
    else if (!this.#isForgiven(id)) this.#resetId(id, ErrorCode.streamClosed);
  }

  /** Never opened. */
  #isIdle(id: number): boolean {
    return id % 2 === 0 || id > this.#lastStreamId;
  }

  /** What still comes for a stream that we closed, or never took because of GOAWAY, is no fault of the peer's. */
  #isForgiven(id: number): boolean {
    return id > this.#drainedAtId || this.#resets.has(id);
  }

  #onHeaders(buffer: Buffer, from: number, to: number, flags: number, id: number): void {
    if (id % 2 === 0) {
      this.#fail(ErrorCode.protocolError, 'HEADERS on an even stream');
      return;
    }
    const extra = ((flags & Flag.padded) !== 0 ? 1 : 0) + ((flags & Flag.priority) !== 0 ? 5 : 0);
    const padding = (flags & Flag.padded) !== 0 && from < to ? (buffer[from] as number) : 0;
    if (from + extra + padding > to) {
      this.#fail(extra > to - from ? ErrorCode.frameSizeError : ErrorCode.protocolError, 'padding');
      return;
    }
    from += extra;
    to -= padding;
    const end = (flags & Flag.endStream) !== 0;
    if ((flags & Flag.endHeaders) !== 0) {
      this.#onBlock(buffer, from, to, id, end);
      return;
    }
    if (!this.#headers.openBlock(id, end, buffer, from, to)) this.#fail(ErrorCode.enhanceYourCalm, BLOCK_TOO_LONG);
  }

  #onContinuation(buffer: Buffer, from: number, to: number, flags: number): void {
    const id = this.#headers.openStreamId;
    if (id === 0) {
      this.#fail(ErrorCode.protocolError, 'CONTINUATION without HEADERS');
    } else if (!this.#headers.addFragment(buffer, from, to)) {
      this.#fail(ErrorCode.enhanceYourCalm, BLOCK_TOO_LONG);
    } else if ((flags & Flag.endHeaders) !== 0) {
      const block = this.#headers.closeBlock();
      this.#onBlock(block, 0, block.length, id, this.#headers.openEndsStream);
    }
  }

  #onBlock(buffer: Buffer, from: number, to: number, id: number, end: boolean): void {
    const stream = this.#streams.get(id);
    if (stream !== undefined) {
      this.#onTrailers(stream, this.#headers.decodeFields(buffer, from, to), end);
    } else if (id > this.#lastStreamId) {
      this.#lastStreamId = id;
      const head = this.#headers.decodeHead(buffer, from, to);
      if (id <= this.#drainedAtId) this.#openStream(id, head, end);
    } else if (this.#isForgiven(id)) {
      this.#headers.decodeFields(buffer, from, to);
    } else {
      this.#fail(ErrorCode.streamClosed, 'HEADERS on a closed stream');
    }
  }

  #onTrailers(stream: Stream, fields: readonly string[], end: boolean): void {
    if (stream.remoteEnded) this.#reset(stream, ErrorCode.streamClosed);
    else if (!end || !areTrailersValid(fields)) this.#reset(stream, ErrorCode.protocolError);
    else if (this.#endRemote(stream)) stream.onData(NOTHING, 0, 0, true);
  }

  #openStream(id: number, head: RequestHead, end: boolean): void {
    if (head.fault !== undefined) {
      this.#resetId(id, ErrorCode.protocolError);
      return;
    }
    const { limits, sender } = this;
    if (
      this.#streams.size + this.running >= 2 * limits.streamsMax ||
      this.#streams.size >= limits.streamsMax ||
      sender.queuedBytes > limits.sendBufferBytesMax
    ) {
      this.#resetId(id, ErrorCode.refusedStream);
      return;
    }
    const refusal = refusalOf(head, this.host);
    if (refusal !== undefined) {
      sender.answer(id, refusal);
      if (end) return;
      // No fault by the frames' rules, so nothing that counts as one.
      sender.rstStream(id, ErrorCode.noError);
      this.#resets.add(id);
      return;
    }
    const receiveWindow = Math.max(limits.initialWindowBytes, DEFAULT_WINDOW_BYTES);
    this.stats.streams.value++;
    if (!head.grpc || head.entry === undefined) {
      const exchange = new HttpExchange(id, this, head, sender.initialWindow, receiveWindow);
      this.#streams.set(id, exchange);
      if (end && this.#endRemote(exchange)) exchange.onData(NOTHING, 0, 0, true);
      return;
    }
    const call = new GrpcCall(id, this, head, head.entry, sender.initialWindow, receiveWindow);
    this.#streams.set(id, call);
    if (call.deadlineMs !== undefined) this.#unarmed.push(call);
    call.open();
    if (end && !call.closed && this.#endRemote(call)) call.onData(NOTHING, 0, 0, true);
  }

  #onRstStream(buffer: Buffer, from: number, to: number, id: number): void {
    if (to - from !== 4) {
      this.#fail(ErrorCode.frameSizeError, 'RST_STREAM');
      return;
    }
    if (id === 0 || this.#isIdle(id)) {
      this.#fail(ErrorCode.protocolError, 'RST_STREAM on an idle stream');
      return;
    }
    if (!this.#spend(this.#guard.reset(this.nowMs), 'too many resets')) return;
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    this.#resets.add(id);
    const code = readUint32(buffer, from);
    this.#remove(stream, code === ErrorCode.noError ? ErrorCode.cancel : (code as ErrorCode));
  }

  #onSettings(buffer: Buffer, from: number, to: number, flags: number, id: number): void {
    if (id !== 0) {
      this.#fail(ErrorCode.protocolError, 'SETTINGS on a stream');
      return;
    }
    const isAck = (flags & Flag.ack) !== 0;
    if (isAck ? from !== to : (to - from) % 6 !== 0) {
      this.#fail(ErrorCode.frameSizeError, 'SETTINGS');
      return;
    }
    if (!this.#spend(this.#guard.settings(this.nowMs), 'too many SETTINGS') || isAck) return;
    this.#settingsReceived = true;
    for (; from < to; from += 6) {
      const setting = ((buffer[from] as number) << 8) | (buffer[from + 1] as number);
      if (!this.#applySetting(setting, readUint32(buffer, from + 2))) return;
    }
    this.sender.settingsAck();
    this.sender.pump();
  }

  #applySetting(setting: number, value: number): boolean {
    switch (setting) {
      case Setting.headerTableSize:
        this.sender.headerTableBytes(value);
        return true;
      case Setting.enablePush:
        return value <= 1 || this.#fail(ErrorCode.protocolError, 'ENABLE_PUSH');
      case Setting.initialWindowSize:
        return this.#setInitialWindow(value);
      case Setting.maxFrameSize:
        // Ours never exceed the least value allowed.
        if (value >= FRAME_PAYLOAD_BYTES_MAX && value < 2 ** 24) return true;
        return this.#fail(ErrorCode.protocolError, 'MAX_FRAME_SIZE');
      default:
        return true;
    }
  }

  #setInitialWindow(bytes: number): boolean {
    if (bytes > WINDOW_BYTES_MAX) return this.#fail(ErrorCode.flowControlError, 'INITIAL_WINDOW_SIZE');
    const difference = bytes - this.sender.initialWindow;
    this.sender.initialWindow = bytes;
    for (const stream of this.#streams.values()) {
      if (!this.sender.openStreamWindow(stream, difference)) {
        return this.#fail(ErrorCode.flowControlError, 'INITIAL_WINDOW_SIZE overflows a window');
      }
    }
    return true;
  }

  #onPing(buffer: Buffer, from: number, to: number, flags: number, id: number): void {
    if (to - from !== 8) {
      this.#fail(ErrorCode.frameSizeError, 'PING');
      return;
    }
    if (id !== 0) {
      this.#fail(ErrorCode.protocolError, 'PING on a stream');
      return;
    }
    if ((flags & Flag.ack) !== 0) {
      if (!this.#spend(this.#guard.ping(this.nowMs), 'too many pings')) return;
      if (this.#drainStartedMs !== undefined && DRAIN_PING.equals(buffer.subarray(from, to))) this.#drainSecondHalf();
      return;
    }
    const sentSince = this.sender.sentSincePing;
    this.sender.sentSincePing = false;
    const isAllowed = this.#keepalive.onPing(this.nowMs, sentSince, this.#streams.size);
    if (!isAllowed || !this.#guard.ping(this.nowMs)) {
      this.#fail(ErrorCode.enhanceYourCalm, 'too_many_pings');
      return;
    }
    this.sender.ping(buffer, from, true);
  }

  #onWindowUpdate(buffer: Buffer, from: number, to: number, id: number): void {
    if (to - from !== 4) {
      this.#fail(ErrorCode.frameSizeError, 'WINDOW_UPDATE');
      return;
    }
    if (!this.#spend(this.#guard.windowUpdate(this.nowMs), 'too many WINDOW_UPDATE frames')) return;
    const bytes = readUint32(buffer, from) & WINDOW_BYTES_MAX;
    if (id === 0) {
      if (bytes === 0) this.#fail(ErrorCode.protocolError, 'WINDOW_UPDATE of 0');
      else if (!this.sender.openConnectionWindow(bytes)) this.#fail(ErrorCode.flowControlError, 'window overflow');
      return;
    }
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      if (this.#isIdle(id)) this.#fail(ErrorCode.protocolError, 'WINDOW_UPDATE on an idle stream');
      return;
    }
    if (bytes === 0) this.#reset(stream, ErrorCode.protocolError);
    else if (!this.sender.openStreamWindow(stream, bytes)) this.#reset(stream, ErrorCode.flowControlError);
    else this.sender.pump();
  }

  #drainSecondHalf(): void {
    if (this.#drainedAtId !== STREAM_ID_MAX) return;
    this.#drainedAtId = this.#lastStreamId;
    this.sender.goaway(this.#lastStreamId, ErrorCode.noError, 'graceful_stop');
    this.#closeIfDrained();
  }

  #closeIfDrained(): void {
    if (this.#drainedAtId === STREAM_ID_MAX || this.#streams.size > 0 || this.#endedMs !== undefined) return;
    this.#endedMs = this.nowMs;
    this.#output.flush();
    this.#socket.end();
  }

  /** Resets a stream that has no object (any more). */
  #resetId(id: number, code: ErrorCode): void {
    this.#resets.add(id);
    this.sender.rstStream(id, code);
    this.#spend(this.#guard.reset(this.nowMs), 'too many faulty streams');
  }

  #reset(stream: Stream, code: ErrorCode): void {
    this.#resetId(stream.id, code);
    this.#remove(stream, code);
  }

  #remove(stream: Stream, code: ErrorCode | undefined): void {
    if (stream.closed) return;
    stream.closed = true;
    this.#streams.delete(stream.id);
    this.stats.streams.value--;
    if (stream.queuedBytes > 0 || stream.isWaiting) this.sender.drop(stream);
    stream.onClosed(code);
    if (this.#drainStartedMs !== undefined) this.#closeIfDrained();
  }

  #abortStreams(code: ErrorCode | undefined): void {
    for (const stream of [...this.#streams.values()]) this.#remove(stream, code);
  }

  #spend(isWithin: boolean, what: string): boolean {
    return isWithin || this.#fail(ErrorCode.enhanceYourCalm, what);
  }

  /** A connection error (RFC 9113, section 5.4.1). Returns false, for callers that pass it on. */
  #fail(code: ErrorCode, what: string): false {
    if (this.#endedMs !== undefined) return false;
    this.#endedMs = this.nowMs;
    this.host.stats.connectionsFaulted.value++;
    this.host.logger.debug('connection failed', { peer: this.peer, code, reason: what });
    this.sender.goaway(this.#lastStreamId, code, what);
    this.#output.flush();
    this.#abortStreams(undefined);
    this.#socket.end();
    return false;
  }
}
