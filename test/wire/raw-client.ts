import { connect, type Socket } from 'node:net';
import { Flag, FrameType, PREFACE, writeFrameHeader, writeUint32 } from '../../src/wire/frames.ts';
import { HpackDecoder } from '../../src/wire/hpack-decoder.ts';
import { encodeHeaderBlock } from '../../src/wire/hpack-encoder.ts';

/** A frame as it came. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
  /** Of HEADERS: decoded. */
  readonly fields: ReadonlyMap<string, string>;
}

/** Frames by hand, right or wrong: says exactly what a test wants it to say. */
export class RawClient {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  isClosed = false;
  readonly #decoder = new HpackDecoder();
  #rest = Buffer.alloc(0);
  #wake: (() => void)[] = [];

  constructor(port: number) {
    this.socket = connect({ host: '127.0.0.1', port, noDelay: true });
    this.socket.on('data', (chunk) => this.#onData(chunk));
    this.socket.on('error', () => this.socket.destroy());
    this.socket.on('close', () => {
      this.isClosed = true;
      this.#notify();
    });
  }

  /** Connects, says the preface and SETTINGS (identifier, value, …), and waits for the server's. */
  static async open(port: number, settings: readonly number[] = []): Promise<RawClient> {
    const client = new RawClient(port);
    client.send(PREFACE, settingsFrame(settings));
    await client.next((frame) => frame.type === FrameType.settings && (frame.flags & Flag.ack) !== 0);
    return client;
  }

  send(...bytes: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(bytes));
  }

  /** The first frame, come or to come, that `matches`; undefined when the connection closed without one. */
  async find(matches: (frame: Frame) => boolean): Promise<Frame | undefined> {
    for (;;) {
      const found = this.frames.find(matches);
      if (found !== undefined || this.isClosed) return found;
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  /** The same, which must come. */
  async next(matches: (frame: Frame) => boolean): Promise<Frame> {
    const found = await this.find(matches);
    if (found === undefined) throw new Error(`closed; came: ${this.frames.map((frame) => frame.type).join(' ')}`);
    return found;
  }

  /** The answer's last HEADERS on a stream. */
  trailers(streamId: number): Promise<Frame> {
    return this.next((frame) => frame.streamId === streamId && isEnd(frame));
  }

  /** Error code of GOAWAY, after the connection closed; undefined: none came. */
  async goawayCode(): Promise<number | undefined> {
    await this.closed();
    return this.frames.findLast((frame) => frame.type === FrameType.goaway)?.payload.readUInt32BE(4);
  }

  /** Error code of RST_STREAM. */
  async resetCode(streamId: number): Promise<number> {
    const frame = await this.next((f) => f.type === FrameType.rstStream && f.streamId === streamId);
    return frame.payload.readUInt32BE(0);
  }

  /** DATA of a stream so far. */
  data(streamId: number): Buffer {
    const mine = this.frames.filter((frame) => frame.type === FrameType.data && frame.streamId === streamId);
    return Buffer.concat(mine.map((frame) => frame.payload));
  }

  async closed(): Promise<void> {
    while (!this.isClosed) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  /** Says something and hears the answer: all that was sent before has been handled. */
  async roundTrip(): Promise<void> {
    const count = this.frames.length;
    this.send(frame(FrameType.ping, 0, 0, Buffer.alloc(8, 0x5a)));
    await this.find((f) => f.type === FrameType.ping && this.frames.indexOf(f) >= count);
  }

  close(): void {
    this.socket.destroy();
  }

  #onData(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (this.#rest.length - at >= 9) {
      const length = this.#rest.readUIntBE(at, 3);
      if (this.#rest.length - at - 9 < length) break;
      const payload = Buffer.from(this.#rest.subarray(at + 9, at + 9 + length));
      const type = this.#rest[at + 3] ?? 0;
      const fields = new Map<string, string>();
      if (type === FrameType.headers) {
        const list: string[] = [];
        this.#decoder.decode(payload, 0, payload.length, 65_536, list);
        for (let i = 0; i < list.length; i += 2) fields.set(list[i] ?? '', list[i + 1] ?? '');
      }
      const streamId = this.#rest.readUInt32BE(at + 5);
      this.frames.push({ type, flags: this.#rest[at + 4] ?? 0, streamId, payload, fields });
      at += 9 + length;
    }
    this.#rest = this.#rest.subarray(at);
    this.#notify();
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const resolve of wake) resolve();
  }
}

function isEnd(frame: Frame): boolean {
  const canEnd = frame.type === FrameType.headers || frame.type === FrameType.data;
  return canEnd && (frame.flags & Flag.endStream) !== 0;
}

export function frame(type: number, flags: number, streamId: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const out = Buffer.alloc(9 + payload.length);
  writeFrameHeader(out, 0, payload.length, type, flags, streamId);
  out.set(payload, 9);
  return out;
}

/** Identifier, value, identifier, value, … */
export function settingsFrame(settings: readonly number[]): Buffer {
  const payload = Buffer.alloc(settings.length * 3);
  for (let i = 0; i + 1 < settings.length; i += 2) {
    payload.writeUInt16BE(settings[i] ?? 0, i * 3);
    payload.writeUInt32BE(settings[i + 1] ?? 0, i * 3 + 2);
  }
  return frame(FrameType.settings, 0, 0, payload);
}

export function uint32(value: number): Buffer {
  const out = Buffer.alloc(4);
  writeUint32(out, 0, value);
  return out;
}

export const GRPC_FIELDS: readonly string[] = [
  ':method',
  'POST',
  ':scheme',
  'http',
  ':path',
  '/test.Echo/Unary',
  ':authority',
  'test',
  'content-type',
  'application/grpc',
  'te',
  'trailers',
];

/** HEADERS of a gRPC request; `more`: further fields. */
export function requestHeaders(streamId: number, path: string, more: readonly string[] = [], flags = 0): Buffer {
  const fields = GRPC_FIELDS.map((field) => (field === '/test.Echo/Unary' ? path : field));
  return frame(FrameType.headers, Flag.endHeaders | flags, streamId, encodeHeaderBlock([...fields, ...more]));
}

/** A length-prefixed message. */
export function message(bytes: Uint8Array | string, flag = 0): Buffer {
  const body = Buffer.from(bytes as Uint8Array);
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(body.length, 1);
  return Buffer.concat([prefix, body]);
}

/** A whole unary request. */
export function request(streamId: number, path: string, body: Uint8Array | string): Buffer {
  return Buffer.concat([
    requestHeaders(streamId, path),
    frame(FrameType.data, Flag.endStream, streamId, message(body)),
  ]);
}
