/**
 * One HTTP/2 connection of the generator, written so that it is never the limit: requests are copied from templates into
 * one output buffer, which goes out with one write per chunk read; answers are parsed in place in a buffer all
 * connections share. Windows are kept on both sides; every answer's gRPC status is read.
 */
import { connect, type Socket } from 'node:net';
import type { Call, Handler, Message } from './call.ts';
import {
  clientPreface,
  flag,
  frameHeaderBytes,
  framePayloadBytesMax,
  frameType,
  setting,
  windowBytesDefault,
  windowBytesMax,
  writeFrameHeader,
  writeWindowUpdate,
} from './frames.ts';
import { RequestHeaders, ResponseHeaders } from './hpack.ts';

/** Streams of one connection whose ids are told apart; four times more than calls, so that a late one is not overtaken. */
const streamSlots = 4096;
const outputBytes = 128 * 1024;
const headerBlockBytesMax = 256;
const grpcPrefixBytes = 5;
/** What we take before giving window back: half of it, so that no server ever waits for us. */
const receivedBytesMax = windowBytesMax / 2;
/** libuv reads into it and the callback consumes it before anything else can run, so one serves all connections. */
const sharedInput = Buffer.allocUnsafeSlow(256 * 1024);

export class Connection {
  readonly #handler: Handler;
  readonly #socket: Socket;
  readonly #requestHeaders: RequestHeaders;
  readonly #responseHeaders = new ResponseHeaders();
  readonly #calls: (Call | undefined)[] = new Array(streamSlots).fill(undefined);
  #blocked: Call[] = [];
  #output = Buffer.allocUnsafeSlow(outputBytes);
  #outputAt = 0;
  #nextStream = 1;
  #sendWindowBytes = windowBytesDefault;
  #streamWindowBytes = windowBytesDefault;
  #receivedBytes = 0;
  /** The beginning of a frame whose rest is yet to come. */
  readonly #partial = Buffer.allocUnsafeSlow(frameHeaderBytes + framePayloadBytesMax);
  #partialBytes = 0;
  #isClosed = false;
  /** When the bytes now being parsed arrived, in milliseconds of `performance.now()`: one clock reading per chunk. */
  now = performance.now();

  /** Use `open`. */
  private constructor(handler: Handler, port: number, opened: () => void) {
    this.#handler = handler;
    this.#requestHeaders = new RequestHeaders(`127.0.0.1:${port}`);
    this.#socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      onread: { buffer: sharedInput, callback: (bytes) => this.#received(bytes) },
    });
    this.#socket.once('connect', opened);
    this.#socket.on('error', (error) => this.#break(error));
    this.#socket.on('close', () => this.#break(new Error('the server closed the connection')));
  }

  /** Connects to the server on loopback and greets it. */
  static async open(port: number, handler: Handler): Promise<Connection> {
    const { promise, resolve, reject } = deferred();
    let isOpen = false;
    const untilOpen: Handler = {
      answered: (call, bytes, from, to) => handler.answered(call, bytes, from, to),
      ended: (call, grpcStatus, grpcMessage) => handler.ended(call, grpcStatus, grpcMessage),
      broke: (broken, error) => (isOpen ? handler.broke(broken, error) : reject(error)),
    };
    const connection = new Connection(untilOpen, port, resolve);
    await promise;
    isOpen = true;
    connection.#socket.write(clientPreface());
    return connection;
  }

  /** Begins a unary request. Goes out with the next `flush`, or once the server's windows allow. */
  request(call: Call, message: Message): void {
    call.endsAfterMessage = true;
    this.#begin(call, message);
  }

  /** Begins a stream with its first message and leaves it open for more. */
  openStream(call: Call, message: Message): void {
    call.endsAfterMessage = false;
    this.#begin(call, message);
  }

  /** Sends another message on a stream that is open. */
  send(call: Call, message: Message): void {
    call.message = message;
    call.startedAt = this.now;
    this.#transmit(call);
  }

  /** Writes out what gathered. The connection does so itself after each chunk it parsed. */
  flush(): void {
    if (this.#outputAt === 0 || this.#isClosed) return;
    this.#socket.write(this.#output.subarray(0, this.#outputAt));
    this.#outputAt = 0;
    // What the kernel took at once is ours again; otherwise the socket keeps the buffer and we need another.
    if (this.#socket.writableLength > 0) this.#output = Buffer.allocUnsafeSlow(outputBytes);
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.destroy();
  }

  #begin(call: Call, message: Message): void {
    call.message = message;
    call.stream = 0;
    call.startedAt = this.now;
    call.sendWindowBytes = this.#streamWindowBytes;
    call.receivedBytes = 0;
    call.partialBytes = 0;
    this.#transmit(call);
  }

  #transmit(call: Call): void {
    const message = call.message;
    if (message === undefined) return;
    const payloadBytesMax = message.bytesMax + grpcPrefixBytes;
    if (payloadBytesMax > this.#sendWindowBytes || payloadBytesMax > call.sendWindowBytes) {
      call.isBlocked = true;
      this.#blocked.push(call);
      return;
    }
    this.#makeRoom(headerBlockBytesMax + payloadBytesMax + 2 * frameHeaderBytes);
    const out = this.#output;
    let at = this.#outputAt;
    if (call.stream === 0) {
      call.stream = this.#takeStream(call);
      const block = this.#requestHeaders.blockOf(message.path);
      at = writeFrameHeader(out, at, block.length, frameType.headers, flag.endHeaders, call.stream);
      for (let i = 0; i < block.length; i++) out[at++] = block[i] as number;
    }
    const payloadAt = at + frameHeaderBytes;
    const end = message.write(call, out, payloadAt + grpcPrefixBytes);
    const payloadBytes = end - payloadAt;
    writeFrameHeader(out, at, payloadBytes, frameType.data, call.endsAfterMessage ? flag.endStream : 0, call.stream);
    out[payloadAt] = 0;
    out.writeUInt32BE(payloadBytes - grpcPrefixBytes, payloadAt + 1);
    this.#outputAt = end;
    this.#sendWindowBytes -= payloadBytes;
    call.sendWindowBytes -= payloadBytes;
  }

  #makeRoom(bytes: number): void {
    if (this.#outputAt + bytes > outputBytes) this.flush();
  }

  #takeStream(call: Call): number {
    let stream = this.#nextStream;
    // Ids may be skipped: a slot still held by a slow call is passed over.
    while (this.#calls[(stream >>> 1) % streamSlots] !== undefined) stream += 2;
    this.#nextStream = stream + 2;
    this.#calls[(stream >>> 1) % streamSlots] = call;
    return stream;
  }

  #received(bytesRead: number): boolean {
    this.now = performance.now();
    try {
      this.#parse(sharedInput, bytesRead);
    } catch (error) {
      this.#break(error instanceof Error ? error : new Error(String(error)));
      return false;
    }
    this.flush();
    return true;
  }

  #parse(input: Buffer, bytesRead: number): void {
    let at = 0;
    while (this.#partialBytes > 0 && at < bytesRead) {
      const wanted = this.#partialBytes < frameHeaderBytes ? frameHeaderBytes : frameBytesAt(this.#partial, 0);
      const taken = Math.min(wanted - this.#partialBytes, bytesRead - at);
      input.copy(this.#partial, this.#partialBytes, at, at + taken);
      at += taken;
      this.#partialBytes += taken;
      if (this.#partialBytes >= frameHeaderBytes && this.#partialBytes === frameBytesAt(this.#partial, 0)) {
        this.#partialBytes = 0;
        this.#frame(this.#partial, 0);
      }
    }
    while (bytesRead - at >= frameHeaderBytes) {
      const frameBytes = frameBytesAt(input, at);
      if (bytesRead - at < frameBytes) break;
      this.#frame(input, at);
      at += frameBytes;
    }
    if (at < bytesRead) {
      input.copy(this.#partial, 0, at, bytesRead);
      this.#partialBytes = bytesRead - at;
    }
  }

  #frame(bytes: Buffer, at: number): void {
    const flags = bytes[at + 4] as number;
    const stream = bytes.readUInt32BE(at + 5) & windowBytesMax;
    const from = at + frameHeaderBytes;
    const to = at + frameBytesAt(bytes, at);
    switch (bytes[at + 3]) {
      case frameType.data:
        this.#data(stream, flags, bytes, from, to);
        break;
      case frameType.headers:
        this.#headers(stream, flags, bytes, from, to);
        break;
      case frameType.windowUpdate:
        this.#windowUpdate(stream, bytes.readUInt32BE(from));
        break;
      case frameType.settings:
        this.#settings(flags, bytes, from, to);
        break;
      case frameType.ping:
        this.#ping(flags, bytes, from, to);
        break;
      case frameType.rstStream:
        // etcd resets a stream that it has answered already when it answered before it saw the end of the request.
        if (this.#isOpen(stream)) this.#end(stream, -1, `RST_STREAM ${bytes.readUInt32BE(from)}`);
        break;
      case frameType.goAway:
        throw new Error(`GOAWAY ${bytes.readUInt32BE(from + 4)} ${bytes.toString('latin1', from + 8, to)}`);
      default:
        throw new Error(`a frame of type ${bytes[at + 3]} was not expected`);
    }
  }

  #data(stream: number, flags: number, bytes: Buffer, from: number, to: number): void {
    this.#receivedBytes += to - from;
    if (this.#receivedBytes > receivedBytesMax) this.#giveWindow(0, this.#receivedBytes);
    const call = this.#callOf(stream);
    call.receivedBytes += to - from;
    if (call.receivedBytes > receivedBytesMax) this.#giveWindow(stream, call.receivedBytes, call);
    if (flags & flag.padded) {
      to -= bytes[from] as number;
      from++;
    }
    if (call.partialBytes > 0) this.#continue(call, bytes, from, to);
    else {
      const rest = this.#messages(call, bytes, from, to);
      if (rest < to) keepPartial(call, bytes, rest, to);
    }
    if (flags & flag.endStream) this.#end(stream, -1, 'the stream ended without trailers');
  }

  /** Hands over the whole messages between `from` and `to`; returns where an unfinished one begins. */
  #messages(call: Call, bytes: Buffer, from: number, to: number): number {
    while (to - from >= grpcPrefixBytes) {
      const end = from + grpcPrefixBytes + bytes.readUInt32BE(from + 1);
      if (end > to) break;
      if (bytes[from] !== 0) throw new Error('a compressed answer was not asked for');
      call.messages++;
      this.#handler.answered(call, bytes, from + grpcPrefixBytes, end);
      from = end;
    }
    return from;
  }

  #continue(call: Call, bytes: Buffer, from: number, to: number): void {
    keepPartial(call, bytes, from, to);
    const partial = call.partial;
    if (partial === undefined || call.partialBytes < grpcPrefixBytes) return;
    const gathered = call.partialBytes;
    if (gathered < grpcPrefixBytes + partial.readUInt32BE(1)) return;
    call.partialBytes = 0;
    const rest = this.#messages(call, partial, 0, gathered);
    partial.copy(partial, 0, rest, gathered);
    call.partialBytes = gathered - rest;
  }

  #headers(stream: number, flags: number, bytes: Buffer, from: number, to: number): void {
    if (!(flags & flag.endHeaders)) throw new Error('a header block over several frames was not expected');
    if (flags & flag.padded) {
      to -= bytes[from] as number;
      from++;
    }
    if (flags & flag.priority) from += 5;
    const block = this.#responseHeaders.read(bytes, from, to);
    if (block.httpStatus !== 0 && block.httpStatus !== 200) throw new Error(`HTTP status ${block.httpStatus}`);
    if (flags & flag.endStream) this.#end(stream, block.grpcStatus, block.grpcMessage);
  }

  #end(stream: number, grpcStatus: number, grpcMessage: string): void {
    const call = this.#callOf(stream);
    this.#calls[(stream >>> 1) % streamSlots] = undefined;
    call.stream = 0;
    if (call.partialBytes > 0) throw new Error('a stream ended within a message');
    this.#handler.ended(call, grpcStatus, grpcMessage);
  }

  #isOpen(stream: number): boolean {
    return this.#calls[(stream >>> 1) % streamSlots]?.stream === stream;
  }

  #callOf(stream: number): Call {
    const call = this.#calls[(stream >>> 1) % streamSlots];
    if (call === undefined || call.stream !== stream)
      throw new Error(`a frame for stream ${stream}, which is not open (the next one is ${this.#nextStream})`);
    return call;
  }

  #giveWindow(stream: number, bytes: number, call?: Call): void {
    if (call === undefined) this.#receivedBytes = 0;
    else call.receivedBytes = 0;
    this.#makeRoom(frameHeaderBytes + 4);
    this.#outputAt = writeWindowUpdate(this.#output, this.#outputAt, stream, bytes);
  }

  #windowUpdate(stream: number, bytes: number): void {
    if (stream === 0) this.#sendWindowBytes += bytes;
    else {
      // Updates for a stream that has ended meanwhile are normal.
      const call = this.#calls[(stream >>> 1) % streamSlots];
      if (call !== undefined && call.stream === stream) call.sendWindowBytes += bytes;
    }
    this.#unblock();
  }

  #unblock(): void {
    if (this.#blocked.length === 0) return;
    const waiting = this.#blocked;
    this.#blocked = [];
    for (const call of waiting) {
      call.isBlocked = false;
      this.#transmit(call);
    }
  }

  #settings(flags: number, bytes: Buffer, from: number, to: number): void {
    if (flags & flag.ack) return;
    for (let at = from; at < to; at += 6) {
      const value = bytes.readUInt32BE(at + 2);
      switch (bytes.readUInt16BE(at)) {
        case setting.initialWindowBytes:
          for (const call of this.#calls) if (call) call.sendWindowBytes += value - this.#streamWindowBytes;
          for (const call of this.#blocked) if (call.stream === 0) call.sendWindowBytes = value;
          this.#streamWindowBytes = value;
          this.#unblock();
          break;
        case setting.headerTableBytes:
          if (value < 4096) throw new Error('a server with a smaller header table is not supported');
          break;
      }
    }
    this.#makeRoom(frameHeaderBytes);
    this.#outputAt = writeFrameHeader(this.#output, this.#outputAt, 0, frameType.settings, flag.ack, 0);
  }

  #ping(flags: number, bytes: Buffer, from: number, to: number): void {
    if (flags & flag.ack) return;
    this.#makeRoom(frameHeaderBytes + to - from);
    const at = writeFrameHeader(this.#output, this.#outputAt, to - from, frameType.ping, flag.ack, 0);
    bytes.copy(this.#output, at, from, to);
    this.#outputAt = at + to - from;
  }

  #break(error: Error): void {
    if (this.#isClosed) return;
    this.close();
    this.#handler.broke(this, error);
  }
}

function frameBytesAt(bytes: Buffer, at: number): number {
  const payloadBytes = bytes.readUInt32BE(at) >>> 8;
  if (payloadBytes > framePayloadBytesMax) throw new Error(`a frame of ${payloadBytes} bytes`);
  return frameHeaderBytes + payloadBytes;
}

/** Appends to the call's unfinished message, in a buffer that grows and is kept for the next one. */
function keepPartial(call: Call, bytes: Buffer, from: number, to: number): void {
  const needed = call.partialBytes + to - from;
  if (call.partial === undefined || call.partial.length < needed) {
    const larger = Buffer.allocUnsafeSlow(Math.max(64 * 1024, 2 * needed));
    call.partial?.copy(larger, 0, 0, call.partialBytes);
    call.partial = larger;
  }
  bytes.copy(call.partial, call.partialBytes, from, to);
  call.partialBytes = needed;
}

function deferred(): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } {
  let resolve = (): void => undefined;
  let reject = (_error: Error): void => undefined;
  const promise = new Promise<void>((resolved, rejected) => {
    resolve = resolved;
    reject = rejected;
  });
  return { promise, resolve, reject };
}
