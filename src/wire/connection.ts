/**
 * One HTTP/2 connection: frames in. (Streams: stream-table.ts; frames out: sender.ts; bytes out: output.ts.)
 *
 *   socket ─chunk─▶ FrameReader ─▶ HEADERS, CONTINUATION ─▶ StreamTable ─▶ GrpcCall | HttpExchange
 *                     │            DATA, RST_STREAM ───────────▲
 *                     └─▶ SETTINGS, PING, GOAWAY, WINDOW_UPDATE
 *
 * All that one chunk caused leaves in one write at its end. A stream's fault resets the stream, a connection's fault
 * sends GOAWAY and closes this connection and no other (RFC 9113, section 5.4).
 */

import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { DeadlineWheel } from './deadline-wheel.ts';
import { FloodGuard } from './flood-guard.ts';
import { FrameReader, type FrameSink } from './frame-reader.ts';
import {
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
import { HpackError } from './hpack-decoder.ts';
import { Keepalive } from './keepalive.ts';
import type { WireLimits } from './limits.ts';
import { Output } from './output.ts';
import { Sender } from './sender.ts';
import { verifiedCommonName } from './socket-peer.ts';
import type { WireStats } from './stats.ts';
import { StreamTable } from './stream-table.ts';
import type { WireHost } from './wire-host.ts';

/** After GOAWAY the peer gets this long to read it. */
const LINGER_MS = 1000;
/** How long a draining client may take to answer the ping between the two GOAWAYs. */
const DRAIN_PING_MS = 1000;
const DRAIN_PING = Buffer.from('kedgebye', 'latin1');
const KEEPALIVE_PING = Buffer.from('kedgeyou', 'latin1');

export class Connection implements FrameSink {
  readonly host: WireHost;
  readonly limits: WireLimits;
  readonly stats: WireStats;
  readonly wheel: DeadlineWheel;
  readonly peer: string;
  /** Of the client's verified certificate. */
  readonly commonName: string | undefined;
  readonly encrypted: boolean;
  readonly sender: Sender;
  readonly streams: StreamTable;
  /** Monotonic, as of the last event. */
  nowMs: number;
  /** Handlers whose promise is pending, streams long gone included. */
  running = 0;
  /** Held by partly received and held-back requests. */
  receiveBufferBytes = 0;

  readonly #socket: Socket;
  readonly #output: Output;
  readonly #reader: FrameReader;
  readonly #guard: FloodGuard;
  readonly #keepalive: Keepalive;
  readonly #startedMs: number;
  #settingsReceived = false;
  #readMs: number;
  #blockedMs: number | undefined = undefined;
  #isPaused = false;
  /** GOAWAY with an error was sent, or the socket is gone: nothing is read any more. */
  #endedMs: number | undefined = undefined;
  #drainStartedMs: number | undefined = undefined;
  #isDoorClosed = false;

  constructor(socket: Socket, peer: string, host: WireHost) {
    this.host = host;
    this.limits = host.limits;
    this.stats = host.stats;
    this.wheel = host.wheel;
    this.peer = peer;
    this.commonName = verifiedCommonName(socket);
    this.encrypted = socket instanceof TLSSocket;
    this.nowMs = host.clock.monotonicMs();
    this.#startedMs = this.nowMs;
    this.#readMs = this.nowMs;
    this.#socket = socket;
    this.#output = new Output(socket, host.pool, host.flusher, host.stats);
    this.sender = new Sender(this.#output, host.limits);
    this.#reader = new FrameReader(this);
    this.#guard = new FloodGuard(host.limits);
    this.#keepalive = new Keepalive(host.limits);
    this.streams = new StreamTable(this, this.#guard);
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
    this.streams.announceWindow();
    const socket = this.#socket;
    socket.on('data', (chunk: Buffer) => this.#onChunk(chunk));
    socket.on('drain', () => this.#onDrain());
    socket.on('end', () => this.#onEnd());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#onClose());
    if (rest.length > 0) this.#onChunk(rest);
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
      this.fail(ErrorCode.protocolError, 'no SETTINGS in time');
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
    this.streams.sweepStalled(nowMs);
  }

  #onChunk(chunk: Buffer): void {
    if (this.#endedMs !== undefined) return;
    this.nowMs = this.host.clock.monotonicMs();
    this.#readMs = this.nowMs;
    this.stats.bytesReceived.value += chunk.length;
    this.#output.scheduled = true;
    this.host.readEnd.begin();
    try {
      this.#reader.read(chunk);
    } catch (error) {
      if (!(error instanceof HpackError)) throw error;
      this.fail(ErrorCode.compressionError, error.message);
    } finally {
      this.host.readEnd.reached();
      this.#output.flush();
    }
    this.streams.arm();
    if (this.#output.blocked) this.#onBlocked();
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
    this.streams.abortAll(undefined);
    this.#endedMs ??= this.nowMs;
    this.#socket.end();
  }

  #onClose(): void {
    this.#endedMs ??= this.nowMs;
    this.streams.abortAll(undefined);
    this.host.onClosed(this);
  }

  onFrameTooLarge(): void {
    this.fail(ErrorCode.frameSizeError, 'frame too large');
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
    const open = this.streams.openBlockStreamId;
    if (open !== 0 && (type !== FrameType.continuation || id !== open)) {
      this.fail(ErrorCode.protocolError, 'header block interrupted');
      return;
    }
    if (!this.#settingsReceived && (type !== FrameType.settings || (flags & Flag.ack) !== 0)) {
      this.fail(ErrorCode.protocolError, 'first frame is not SETTINGS');
      return;
    }
    switch (type) {
      case FrameType.data:
        this.streams.onData(buffer, from, to, flags, id);
        return;
      case FrameType.headers:
        this.streams.onHeaders(buffer, from, to, flags, id);
        return;
      case FrameType.priority:
        if (id === 0) this.fail(ErrorCode.protocolError, 'PRIORITY on stream 0');
        else if (to - from !== 5) this.streams.resetId(id, ErrorCode.frameSizeError);
        else this.spend(this.#guard.empty(this.nowMs), 'too many PRIORITY frames');
        return;
      case FrameType.rstStream:
        this.streams.onRstStream(buffer, from, to, id);
        return;
      case FrameType.settings:
        this.#onSettings(buffer, from, to, flags, id);
        return;
      case FrameType.pushPromise:
        this.fail(ErrorCode.protocolError, 'PUSH_PROMISE from a client');
        return;
      case FrameType.ping:
        this.#onPing(buffer, from, to, flags, id);
        return;
      case FrameType.goaway:
        if (id !== 0) this.fail(ErrorCode.protocolError, 'GOAWAY on a stream');
        else if (to - from < 8) this.fail(ErrorCode.frameSizeError, 'GOAWAY');
        else this.spend(this.#guard.empty(this.nowMs), 'too many GOAWAY frames');
        return;
      case FrameType.windowUpdate:
        this.#onWindowUpdate(buffer, from, to, id);
        return;
      case FrameType.continuation:
        this.streams.onContinuation(buffer, from, to, flags);
        return;
      default:
        this.spend(this.#guard.empty(this.nowMs), 'too many unknown frames');
    }
  }

  #onSettings(buffer: Buffer, from: number, to: number, flags: number, id: number): void {
    if (id !== 0) {
      this.fail(ErrorCode.protocolError, 'SETTINGS on a stream');
      return;
    }
    const isAck = (flags & Flag.ack) !== 0;
    if (isAck ? from !== to : (to - from) % 6 !== 0) {
      this.fail(ErrorCode.frameSizeError, 'SETTINGS');
      return;
    }
    if (!this.spend(this.#guard.settings(this.nowMs), 'too many SETTINGS') || isAck) return;
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
        return value <= 1 || this.fail(ErrorCode.protocolError, 'ENABLE_PUSH');
      case Setting.initialWindowSize:
        return this.streams.setInitialWindow(value);
      case Setting.maxFrameSize:
        // Ours never exceed the least value allowed.
        if (value >= FRAME_PAYLOAD_BYTES_MAX && value < 2 ** 24) return true;
        return this.fail(ErrorCode.protocolError, 'MAX_FRAME_SIZE');
      default:
        return true;
    }
  }

  #onPing(buffer: Buffer, from: number, to: number, flags: number, id: number): void {
    if (to - from !== 8) {
      this.fail(ErrorCode.frameSizeError, 'PING');
      return;
    }
    if (id !== 0) {
      this.fail(ErrorCode.protocolError, 'PING on a stream');
      return;
    }
    if ((flags & Flag.ack) !== 0) {
      if (!this.spend(this.#guard.ping(this.nowMs), 'too many pings')) return;
      if (this.#drainStartedMs !== undefined && DRAIN_PING.equals(buffer.subarray(from, to))) this.#drainSecondHalf();
      return;
    }
    const sentSince = this.sender.sentSincePing;
    this.sender.sentSincePing = false;
    const isAllowed = this.#keepalive.onPing(this.nowMs, sentSince, this.streams.size);
    if (!isAllowed || !this.#guard.ping(this.nowMs)) {
      this.fail(ErrorCode.enhanceYourCalm, 'too_many_pings');
      return;
    }
    this.sender.ping(buffer, from, true);
  }

  #onWindowUpdate(buffer: Buffer, from: number, to: number, id: number): void {
    if (to - from !== 4) {
      this.fail(ErrorCode.frameSizeError, 'WINDOW_UPDATE');
      return;
    }
    if (!this.spend(this.#guard.windowUpdate(this.nowMs), 'too many WINDOW_UPDATE frames')) return;
    const bytes = readUint32(buffer, from) & WINDOW_BYTES_MAX;
    if (id === 0) {
      if (bytes === 0) this.fail(ErrorCode.protocolError, 'WINDOW_UPDATE of 0');
      else if (!this.sender.openConnectionWindow(bytes)) this.fail(ErrorCode.flowControlError, 'window overflow');
      return;
    }
    this.streams.onWindowUpdate(id, bytes);
  }

  #drainSecondHalf(): void {
    if (this.#isDoorClosed) return;
    this.#isDoorClosed = true;
    this.streams.closeDoor();
    this.sender.goaway(this.streams.lastStreamId, ErrorCode.noError, 'graceful_stop');
    if (this.streams.size === 0) this.onStreamsEmpty();
  }

  /** The last stream is gone: a drained connection closes. */
  onStreamsEmpty(): void {
    if (!this.#isDoorClosed || this.#endedMs !== undefined) return;
    this.#endedMs = this.nowMs;
    this.#output.flush();
    this.#socket.end();
  }

  /** Fails the connection when a flood's allowance is used up. */
  spend(isWithin: boolean, what: string): boolean {
    return isWithin || this.fail(ErrorCode.enhanceYourCalm, what);
  }

  /** A connection error (RFC 9113, section 5.4.1). Returns false, for callers that pass it on. */
  fail(code: ErrorCode, what: string): false {
    if (this.#endedMs !== undefined) return false;
    this.#endedMs = this.nowMs;
    this.host.stats.connectionsFaulted.value++;
    this.host.logger.debug('connection failed', { peer: this.peer, code, reason: what });
    this.sender.goaway(this.streams.lastStreamId, code, what);
    this.#output.flush();
    this.streams.abortAll(undefined);
    this.#socket.end();
    return false;
  }
}
