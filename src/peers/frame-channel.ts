import type { Socket } from 'node:net';
import { PEER_LIMITS } from './limits.ts';
import { Refused } from './refused.ts';

/**
 * Frames on a link: how long, what kind, the rest.
 *
 *     length of kind and body (4 bytes, big-endian) │ kind (1 byte) │ body
 *
 * First frames are asked for one at a time (`read`), because before the handshake is over nothing may pile up; then
 * `handOver` has all others handed to a function.
 */
export const FrameKind = {
  prove: 1,
  hello: 2,
  welcome: 3,
  refuse: 4,
  ping: 5,
  pong: 6,
  hint: 7,
  ability: 8,
  introduce: 9,
  request: 10,
  response: 11,
  message: 12,
  goodbye: 13,
} as const;

export interface Frame {
  readonly kind: number;
  /** Valid for ever. */
  readonly body: Buffer;
}

const HEAD_BYTES = 4;

/** What is written where it belongs, so that it need not be copied there. */
export interface WrittenPart {
  readonly bytesMax: number;
  /** Answers where it ends. */
  write(to: Buffer, at: number): number;
}

/** At most, in bytes. */
export function partBytes(part: Uint8Array | WrittenPart): number {
  return 'bytesMax' in part ? part.bytesMax : part.length;
}

/** A frame whose body is in these parts. */
export function encodeFrame(kind: number, ...parts: readonly (Uint8Array | WrittenPart)[]): Buffer {
  let at = HEAD_BYTES + 1;
  const frame = Buffer.allocUnsafe(parts.reduce((bytes, part) => bytes + partBytes(part), at));
  frame[HEAD_BYTES] = kind;
  for (const part of parts) {
    if ('bytesMax' in part) at = part.write(frame, at);
    else {
      frame.set(part, at);
      at += part.length;
    }
  }
  frame.writeUInt32BE(at - HEAD_BYTES, 0);
  return frame.subarray(0, at);
}

export class FrameChannel {
  readonly socket: Socket;
  #seen: Buffer = Buffer.alloc(0);
  /** What came since, and how long both are: joined when a whole frame is there, for a long one comes in many pieces. */
  #pieces: Buffer[] = [];
  #seenBytes = 0;
  #frameBytesMax: number = PEER_LIMITS.handshakeFrameBytesMax;
  #waiting: { resolve(frame: Frame): void; reject(error: Error): void } | undefined;
  #onFrame: ((frame: Frame) => void) | undefined;
  #onEnd: (error: Refused) => void = () => {};
  #ended: Refused | undefined;
  #rejectEnded: (error: Refused) => void = () => {};
  /** Rejects when the connection ends, for whoever waits for something else meanwhile. */
  readonly ended: Promise<never>;

  constructor(socket: Socket) {
    this.socket = socket;
    this.ended = new Promise((_, reject) => {
      this.#rejectEnded = reject;
    });
    // Nobody need be waiting.
    this.ended.catch(() => undefined);
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('error', (error) => this.#end(new Refused('unreachable', error.message)));
    socket.on('end', () => this.#end(new Refused('unreachable', 'the connection was closed')));
    socket.on('close', () => this.#end(new Refused('unreachable', 'the connection was closed')));
  }

  /** One at a time. Rejects with Refused when the connection ends or what comes is no frame. */
  read(): Promise<Frame> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#parse();
      if (this.#ended !== undefined) this.#reject(this.#ended);
    });
  }

  /** From now on every frame goes to `onFrame`, and the end of the connection, once, to `onEnd`. */
  handOver(onFrame: (frame: Frame) => void, onEnd: (error: Refused) => void): void {
    this.#frameBytesMax = PEER_LIMITS.frameBytesMax;
    this.#onFrame = onFrame;
    this.#onEnd = onEnd;
    this.socket.resume();
    this.#parse();
    if (this.#ended !== undefined) onEnd(this.#ended);
  }

  send(kind: number, body: Uint8Array | string): void {
    if (this.#ended !== undefined || this.socket.writableEnded) return;
    this.socket.write(encodeFrame(kind, typeof body === 'string' ? Buffer.from(body) : body));
  }

  /** What `encodeFrame` made. Its bytes are read until they are sent. */
  sendEncoded(frame: Buffer): void {
    if (this.#ended === undefined && !this.socket.writableEnded) this.socket.write(frame);
  }

  /** Ends the connection; whoever reads is told why. */
  destroy(error: Refused): void {
    this.#end(error);
    this.socket.destroy();
  }

  #onData(chunk: Buffer): void {
    if (this.#ended !== undefined) return;
    this.#pieces.push(chunk);
    this.#seenBytes += chunk.length;
    this.#parse();
    // Nobody asks: leave the rest with the other side.
    if (this.#onFrame === undefined && this.#seenBytes > this.#frameBytesMax) this.socket.pause();
  }

  #parse(): void {
    while (this.#has(HEAD_BYTES) && (this.#onFrame !== undefined || this.#waiting !== undefined)) {
      const bytes = this.#seen.readUInt32BE(0);
      if (bytes < 1 || bytes > this.#frameBytesMax) {
        this.destroy(new Refused('bad-frame', `a frame of ${bytes} bytes, at most ${this.#frameBytesMax} may come`));
        return;
      }
      if (!this.#has(HEAD_BYTES + bytes)) break;
      const frame = {
        kind: this.#seen[HEAD_BYTES] ?? 0,
        body: this.#seen.subarray(HEAD_BYTES + 1, HEAD_BYTES + bytes),
      };
      this.#seen = this.#seen.subarray(HEAD_BYTES + bytes);
      this.#seenBytes -= HEAD_BYTES + bytes;
      this.#deliver(frame);
    }
    if (this.#waiting !== undefined) this.socket.resume();
  }

  /** Whether so many bytes are there; then they are in one piece. */
  #has(bytes: number): boolean {
    if (this.#seen.length >= bytes) return true;
    if (this.#seenBytes < bytes) return false;
    this.#seen =
      this.#seen.length === 0 && this.#pieces.length === 1
        ? (this.#pieces[0] ?? this.#seen)
        : Buffer.concat([this.#seen, ...this.#pieces]);
    this.#pieces = [];
    return true;
  }

  #deliver(frame: Frame): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) waiting.resolve(frame);
    else this.#onFrame?.(frame);
  }

  #end(error: Refused): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#rejectEnded(error);
    this.#reject(error);
    this.#onEnd(error);
  }

  #reject(error: Refused): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(error);
  }
}
