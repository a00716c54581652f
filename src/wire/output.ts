import type { Socket } from 'node:net';
import { FRAME_HEADER_BYTES, FRAME_PAYLOAD_BYTES_MAX, FrameType, writeFrameHeader } from './frames.ts';
import type { WireStats } from './stats.ts';

const SMALL_BYTES = 4096;
const LARGE_BYTES = 65_536;
const POOL_SLABS_MAX = 64;
const EMPTY = Buffer.alloc(0);

/** Output buffers, shared by all connections: an idle connection holds none. */
export class SlabPool {
  readonly #small: Buffer[] = [];
  readonly #large: Buffer[] = [];

  take(large: boolean): Buffer {
    return (large ? this.#large : this.#small).pop() ?? Buffer.allocUnsafeSlow(large ? LARGE_BYTES : SMALL_BYTES);
  }

  give(slab: Buffer): void {
    const slabs = slab.length === LARGE_BYTES ? this.#large : this.#small;
    if (slabs.length < POOL_SLABS_MAX) slabs.push(slab);
  }
}

/** Flushes, once per turn of the event loop, every output that was written to outside of its own socket's events. */
export class Flusher {
  #outputs: Output[] = [];
  readonly #run = (): void => {
    const outputs = this.#outputs;
    this.#outputs = [];
    for (const output of outputs) output.flush();
  };

  add(output: Output): void {
    if (this.#outputs.push(output) === 1) setImmediate(this.#run);
  }
}

/**
 * A connection's way out: frames are written into a slab and leave in one socket write per turn of the event loop
 * (or whenever 64 KiB are full). When the kernel takes everything at once, as it nearly always does, the slab is free
 * again as soon as write returns; else the socket keeps it and `blocked` says so until the socket drained.
 */
export class Output {
  readonly #socket: Socket;
  readonly #pool: SlabPool;
  readonly #flusher: Flusher;
  readonly #stats: WireStats;
  buffer: Buffer = EMPTY;
  used = 0;
  /** The socket takes no more for now. */
  blocked = false;
  /** Somebody will flush: our place in the flusher, or the socket event that is being handled. */
  scheduled = false;
  // The DATA frame that ends at `used`, if any: the next message of the same stream lengthens it.
  #dataStreamId = 0;
  #dataAt = 0;
  #dataBytes = 0;
  #dataEnd = -1;

  constructor(socket: Socket, pool: SlabPool, flusher: Flusher, stats: WireStats) {
    this.#socket = socket;
    this.#pool = pool;
    this.#flusher = flusher;
    this.#stats = stats;
  }

  /** Makes room for `bytes` (at most one frame's worth and some) in `buffer`, counts them as used, returns their place. */
  reserve(bytes: number): number {
    const at = this.used;
    if (at + bytes <= this.buffer.length) {
      this.used = at + bytes;
      return at;
    }
    return this.#reserveElsewhere(bytes);
  }

  /** The same for the payload of a DATA frame, header written; continues the stream's last frame where it can. */
  reserveData(streamId: number, bytes: number): number {
    if (
      this.#dataEnd === this.used &&
      this.#dataStreamId === streamId &&
      this.#dataBytes + bytes <= FRAME_PAYLOAD_BYTES_MAX &&
      this.used + bytes <= this.buffer.length
    ) {
      this.#dataBytes += bytes;
      writeFrameHeader(this.buffer, this.#dataAt, this.#dataBytes, FrameType.data, 0, streamId);
      const at = this.used;
      this.used = at + bytes;
      this.#dataEnd = this.used;
      return at;
    }
    const at = this.reserve(FRAME_HEADER_BYTES + bytes);
    writeFrameHeader(this.buffer, at, bytes, FrameType.data, 0, streamId);
    this.#dataStreamId = streamId;
    this.#dataAt = at;
    this.#dataBytes = bytes;
    this.#dataEnd = this.used;
    return at + FRAME_HEADER_BYTES;
  }

  flush(): void {
    this.scheduled = false;
    if (this.used > 0) this.#write();
  }

  /** Bytes given to the socket that it still holds. */
  get socketBytes(): number {
    return this.#socket.writableLength;
  }

  /** The socket's own drain event. */
  drained(): void {
    this.blocked = false;
  }

  #reserveElsewhere(bytes: number): number {
    if (!this.scheduled) {
      this.scheduled = true;
      this.#flusher.add(this);
    }
    const small = this.buffer;
    if (small.length === SMALL_BYTES && this.used + bytes <= LARGE_BYTES) {
      this.buffer = this.#pool.take(true);
      this.buffer.set(this.used === SMALL_BYTES ? small : small.subarray(0, this.used), 0);
      this.#pool.give(small);
    } else {
      if (this.used > 0) this.#write();
      this.buffer = this.#pool.take(bytes > SMALL_BYTES);
    }
    const at = this.used;
    this.used = at + bytes;
    return at;
  }

  #write(): void {
    const slab = this.buffer;
    const used = this.used;
    this.buffer = EMPTY;
    this.used = 0;
    this.#dataEnd = -1;
    const socket = this.#socket;
    if (!socket.writable) return;
    this.#stats.bytesSent.value += used;
    const accepted = socket.write(slab.subarray(0, used));
    // Nothing left in the socket: the kernel has its copy.
    if (socket.writableLength === 0) this.#pool.give(slab);
    else this.blocked = !accepted;
  }
}
