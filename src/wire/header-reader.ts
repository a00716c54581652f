import { HeadCache } from './head-cache.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import type { WireLimits } from './limits.ts';
import type { MethodEntry } from './method-entry.ts';
import { RequestHead } from './request-head.ts';

/** A connection's header blocks: put together from fragments, recognised or decoded. */
export class HeaderReader {
  readonly #limits: WireLimits;
  readonly #methods: ReadonlyMap<string, MethodEntry>;
  readonly #decoder = new HpackDecoder();
  readonly #heads = new HeadCache();
  #pieces: Buffer[] = [];
  #bytes = 0;
  /** The stream whose block goes on in CONTINUATION, or 0. */
  openStreamId = 0;
  openEndsStream = false;

  constructor(limits: WireLimits, methods: ReadonlyMap<string, MethodEntry>) {
    this.#limits = limits;
    this.#methods = methods;
  }

  /** A HEADERS frame without END_HEADERS. False: too long, as with addFragment. */
  openBlock(streamId: number, endsStream: boolean, buffer: Buffer, from: number, to: number): boolean {
    this.openStreamId = streamId;
    this.openEndsStream = endsStream;
    return this.addFragment(buffer, from, to);
  }

  /** False: too many or too long. HPACK would go out of step without reading on, so the connection is lost. */
  addFragment(buffer: Buffer, from: number, to: number): boolean {
    this.#bytes += to - from;
    this.#pieces.push(Buffer.from(buffer.subarray(from, to)));
    const isCountFine = this.#pieces.length <= this.#limits.continuationFramesMax + 1;
    return isCountFine && this.#bytes <= this.#limits.headerListBytesMax;
  }

  /** The whole block; none is open after. */
  closeBlock(): Buffer {
    const block = Buffer.concat(this.#pieces);
    this.openStreamId = 0;
    this.#pieces = [];
    this.#bytes = 0;
    return block;
  }

  /** Decodes a block that is no request's head; false: malformed, for trailers hold no pseudo-headers. Throws HpackError. */
  decodeTrailers(buffer: Buffer, from: number, to: number): boolean {
    const fields = this.#decodeFields(buffer, from, to);
    return this.#decoder.isWellFormed && !fields.some((name, i) => i % 2 === 0 && name.startsWith(':'));
  }

  #decodeFields(buffer: Buffer, from: number, to: number): string[] {
    const fields: string[] = [];
    this.#decoder.decode(buffer, from, to, this.#limits.headerListBytesMax, fields);
    return fields;
  }

  /** A request's head. Throws HpackError. */
  decodeHead(buffer: Buffer, from: number, to: number): RequestHead {
    const version = this.#decoder.table.version;
    const known = this.#heads.find(buffer, from, to, version);
    if (known !== undefined) return known;
    const fields = this.#decodeFields(buffer, from, to);
    const tooLarge = this.#decoder.listBytes > this.#limits.headerListBytesMax;
    const head = new RequestHead(fields, tooLarge, this.#decoder.isWellFormed, this.#methods);
    if (this.#decoder.table.version === version) this.#heads.add(buffer, from, to, version, head);
    return head;
  }
}
