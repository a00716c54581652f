import { FRAME_HEADER_BYTES, FRAME_PAYLOAD_BYTES_MAX, readUint32 } from './frames.ts';

/** Takes frames as they become complete. */
export interface FrameSink {
  /** A frame: its header at `at`, its payload up to `to`. Valid now only. False: read no further. */
  onFrame(buffer: Buffer, at: number, to: number): boolean;
  /** A frame's header announces more than we allow. Nothing is read after. */
  onFrameTooLarge(): void;
}

/**
 * Cuts a byte stream into frames (RFC 9113, section 4.1). Frames are handed on where they lie in the chunk; only one
 * that is cut by the chunk's end is copied together, in a buffer that is never larger than one frame.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  #partial = Buffer.alloc(0);
  #partialBytes = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  read(chunk: Buffer): void {
    const length = chunk.length;
    let at = 0;
    if (this.#partialBytes > 0) {
      at = this.#completePartial(chunk);
      if (at < 0) return;
    }
    while (length - at >= FRAME_HEADER_BYTES) {
      const payloadBytes = readUint32(chunk, at) >>> 8;
      if (payloadBytes > FRAME_PAYLOAD_BYTES_MAX) {
        this.#sink.onFrameTooLarge();
        return;
      }
      const next = at + FRAME_HEADER_BYTES + payloadBytes;
      if (next > length) break;
      if (!this.#sink.onFrame(chunk, at, next)) return;
      at = next;
    }
    if (at < length) this.#keep(chunk, at, length);
  }

  /** Returns how much of the chunk belonged to the frame that was cut; -1: read no further. */
  #completePartial(chunk: Buffer): number {
    let at = 0;
    if (this.#partialBytes < FRAME_HEADER_BYTES) {
      at = Math.min(FRAME_HEADER_BYTES - this.#partialBytes, chunk.length);
      this.#keep(chunk, 0, at);
      if (this.#partialBytes < FRAME_HEADER_BYTES) return at;
    }
    const payloadBytes = readUint32(this.#partial, 0) >>> 8;
    if (payloadBytes > FRAME_PAYLOAD_BYTES_MAX) {
      this.#sink.onFrameTooLarge();
      return -1;
    }
    const missing = FRAME_HEADER_BYTES + payloadBytes - this.#partialBytes;
    const count = Math.min(missing, chunk.length - at);
    this.#keep(chunk, at, at + count);
    if (count < missing) return at + count;
    this.#partialBytes = 0;
    return this.#sink.onFrame(this.#partial, 0, FRAME_HEADER_BYTES + payloadBytes) ? at + count : -1;
  }

  #keep(chunk: Buffer, from: number, to: number): void {
    const bytes = this.#partialBytes + to - from;
    if (bytes > this.#partial.length) {
      const size = Math.min(FRAME_HEADER_BYTES + FRAME_PAYLOAD_BYTES_MAX, Math.max(256, 2 * bytes));
      const larger = Buffer.allocUnsafeSlow(size);
      this.#partial.copy(larger, 0, 0, this.#partialBytes);
      this.#partial = larger;
    }
    chunk.copy(this.#partial, this.#partialBytes, from, to);
    this.#partialBytes = bytes;
  }
}
