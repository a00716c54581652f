/**
 * Memory that goes from one append to the next: their values are the bulk of what a store sends, and V8 collects all of
 * its heap the more often, the more memory is asked for outside of it.
 */
export class ScratchBuffers {
  readonly #free: Buffer[] = [];

  /** A buffer of that length; what is in it is of no meaning. */
  take(bytes: number): Buffer {
    if (bytes > BYTES_MAX) return Buffer.allocUnsafeSlow(bytes);
    const free = this.#free.pop();
    const fits = free !== undefined && free.length >= bytes;
    const whole = fits ? free : Buffer.allocUnsafeSlow(Math.max(BYTES_MIN, 2 ** Math.ceil(Math.log2(bytes))));
    return whole.subarray(0, bytes);
  }

  /** Nobody reads it any more. */
  giveBack(buffer: Buffer): void {
    const whole = Buffer.from(buffer.buffer);
    if (whole.length <= BYTES_MAX && this.#free.length < BUFFERS_MAX) this.#free.push(whole);
  }
}

/** Of one, in bytes; powers of two. */
const BYTES_MIN = 64 * 1024;
const BYTES_MAX = 1024 * 1024;
/** One append is under way, the next one is packed, and one may be decided anew. */
const BUFFERS_MAX = 4;
