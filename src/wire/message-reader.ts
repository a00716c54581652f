import { readUint32 } from './frames.ts';

const PREFIX_BYTES = 5;
/** A message's buffer begins no larger: what a peer only announces costs nothing. */
const FIRST_BYTES = 16_384;

/** Puts together length-prefixed messages that are spread over DATA frames, or several in one. */
export class MessageReader {
  /** 0 plain, 1 compressed; 0 until the prefix is there. */
  flag = 0;
  /** As announced; 0 until the prefix is there. */
  length = 0;
  readonly #prefix = new Uint8Array(PREFIX_BYTES);
  #prefixBytes = 0;
  #body: Uint8Array | undefined = undefined;
  #filled = 0;

  /** Between messages. */
  get isEmpty(): boolean {
    return this.#prefixBytes === 0;
  }

  get isComplete(): boolean {
    return this.#prefixBytes === PREFIX_BYTES && this.#filled === this.length;
  }

  /** Memory held. */
  get bytes(): number {
    return this.#body?.length ?? 0;
  }

  /** Takes from `buffer[from, to)` until a message's prefix or body is complete; returns where it stopped. */
  read(buffer: Uint8Array, from: number, to: number): number {
    if (this.#prefixBytes < PREFIX_BYTES) {
      while (this.#prefixBytes < PREFIX_BYTES && from < to)
        this.#prefix[this.#prefixBytes++] = buffer[from++] as number;
      if (this.#prefixBytes === PREFIX_BYTES) {
        this.flag = this.#prefix[0] as number;
        this.length = readUint32(this.#prefix, 1);
      }
      return from;
    }
    const count = Math.min(this.length - this.#filled, to - from);
    const body = this.#room(count);
    body.set(buffer.subarray(from, from + count), this.#filled);
    this.#filled += count;
    return from + count;
  }

  /** The complete message; it is the caller's. */
  take(): Uint8Array {
    const message = this.#body === undefined ? new Uint8Array(0) : this.#body.subarray(0, this.length);
    this.#body = undefined;
    this.#filled = 0;
    this.#prefixBytes = 0;
    this.flag = 0;
    this.length = 0;
    return message;
  }

  #room(count: number): Uint8Array {
    const needed = this.#filled + count;
    const body = this.#body;
    if (body !== undefined && needed <= body.length) return body;
    const size = Math.min(this.length, Math.max(needed, body === undefined ? FIRST_BYTES : body.length * 2));
    const larger = Buffer.allocUnsafeSlow(size);
    if (body !== undefined) larger.set(body.subarray(0, this.#filled));
    this.#body = larger;
    return larger;
  }
}
