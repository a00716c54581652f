import { Writer } from '../base/protobuf.ts';
import type { Revision } from '../mvcc/types.ts';
import type { EventBatch, WatchEvent } from '../mvcc/watch.ts';
import type { StreamCall } from '../wire/grpc.ts';
import type { HeaderCodec } from './header.ts';
import { eventBytes, type WatchResponseHead, writeEvent, writeWatchResponseHead } from './messages/watch.ts';

/**
 * Sends WatchResponses. What a thousand watchers of one range get differs in a few bytes at most: the events are
 * encoded once per batch, and the head is kept for the next one who wants the same.
 *
 *   WatchResponse = head (header, watch_id) ++ events            protobuf: concatenation is a message
 */
export class WatchResponseWriter {
  readonly #header: HeaderCodec;
  readonly #fragmentBytes: number;
  readonly #scratch = new Writer(256);
  readonly #heads = new Writer(256);
  #head: Uint8Array = new Uint8Array(0);
  #headRevision: Revision = -1;
  #headWatchId = 0n;

  constructor(header: HeaderCodec, fragmentBytes: number) {
    this.#header = header;
    this.#fragmentBytes = fragmentBytes;
  }

  /** Any response without events. Answers as StreamCall.send. */
  control(call: StreamCall, revision: Revision, watchId: bigint, more: Partial<WatchResponseHead> = {}): boolean {
    const writer = this.#scratch.begin();
    writeWatchResponseHead(writer, this.#header, revision, { ...PLAIN, watchId, ...more });
    return call.send(writer.view());
  }

  /** Answers as StreamCall.send. */
  events(call: StreamCall, watchId: bigint, batch: EventBatch): boolean {
    if (batch.revision !== this.#headRevision || watchId !== this.#headWatchId) {
      const writer = this.#heads.begin();
      writeWatchResponseHead(writer, this.#header, batch.revision, { ...PLAIN, watchId });
      this.#head = writer.view();
      this.#headRevision = batch.revision;
      this.#headWatchId = watchId;
    }
    batch.wireForm ??= encodeEvents(batch.events);
    return call.sendParts(this.#head, batch.wireForm);
  }

  /**
   * The same, split where it would reach the limit: between events, also of one revision, as the client wants it. All
   * but the last response have `fragment` set. Answers as StreamCall.send for the last one: they belong together.
   */
  fragments(call: StreamCall, watchId: bigint, batch: EventBatch): boolean {
    const { events, revision } = batch;
    batch.wireForm ??= encodeEvents(events);
    if (batch.wireForm.length + HEAD_BYTES_MAX < this.#fragmentBytes) return this.events(call, watchId, batch);
    const writer = this.#scratch.begin();
    writeWatchResponseHead(writer, this.#header, revision, { ...PLAIN, watchId });
    if (writer.length + batch.wireForm.length < this.#fragmentBytes || events.length < 2) {
      return this.events(call, watchId, batch);
    }
    writeWatchResponseHead(writer.begin(), this.#header, revision, { ...PLAIN, watchId, fragment: true });
    const head = writer.view();
    let start = 0;
    let end = 0;
    let first = true;
    for (const event of events) {
      const bytes = eventBytes(event);
      if (!first && head.length + (end - start) + bytes >= this.#fragmentBytes) {
        call.sendParts(head, batch.wireForm.subarray(start, end));
        start = end;
      }
      end += bytes;
      first = false;
    }
    writeWatchResponseHead(writer.begin(), this.#header, revision, { ...PLAIN, watchId });
    return call.sendParts(writer.view(), batch.wireForm.subarray(start, end));
  }
}

/** More than header, watch_id and a flag ever take. */
const HEAD_BYTES_MAX = 128;

const PLAIN: WatchResponseHead = {
  watchId: 0n,
  created: false,
  canceled: false,
  compactRevision: 0,
  cancelReason: '',
  fragment: false,
};

/** Larger ones get a buffer of their own: who is slow to leave should not hold more than its own bytes for long. */
const SLAB_BYTES = 32 * 1024;
const slab = new Writer(SLAB_BYTES);

function encodeEvents(events: readonly WatchEvent[]): Uint8Array {
  let bytes = 0;
  for (const event of events) bytes += eventBytes(event);
  const writer = bytes > SLAB_BYTES / 4 ? new Writer(bytes) : slab;
  for (const event of events) writeEvent(writer, event);
  return writer.take();
}
