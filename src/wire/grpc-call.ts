import type { Connection } from './connection.ts';
import type { WheelEntry } from './deadline-wheel.ts';
import { ErrorCode } from './frames.ts';
import { Status, type StatusCode, StatusError, type StreamCall, type StreamHandler, type UnaryCall } from './grpc.ts';
import { gunzipBounded } from './gzip.ts';
import { type HeldMessage, HeldMessages } from './held-messages.ts';
import { MessageReader } from './message-reader.ts';
import type { MethodEntry } from './method-entry.ts';
import type { RequestHead } from './request-head.ts';
import { encodeStatusMessage } from './status-message.ts';
import { Stream } from './stream.ts';

const NOTHING = new Uint8Array(0);
const NO_FIELDS: readonly string[] = [];
const NO_MESSAGE = 'cardinality violation: received no request message from non-client-streaming RPC';
const SEVERAL_MESSAGES = 'cardinality violation: received multiple request messages for non-client-streaming RPC';

/**
 * One gRPC call of either kind, from its head to its trailers.
 *
 * A unary request that came whole in one DATA frame goes to the handler as a view of what the socket gave, and a
 * synchronous answer is in the output before the next frame is looked at: no copy, promise, closure or timer.
 */
export class GrpcCall extends Stream implements UnaryCall, StreamCall, WheelEntry {
  readonly deadlineMs: number | undefined;
  wheelSlot = -1;
  wheelNext: WheelEntry | undefined = undefined;
  wheelPrevious: WheelEntry | undefined = undefined;
  readonly #entry: MethodEntry;
  readonly #startedMs: number;
  #handler: StreamHandler | undefined = undefined;
  #abort: AbortController | undefined = undefined;
  #aborted = false;
  #code: StatusCode = Status.ok;
  #text = '';
  /** Made when a message does not come in a frame of its own. */
  #reader: MessageReader | undefined = undefined;
  /** Of these, so many are in the connection's books. */
  #readerBytes = 0;
  /** Unary: the request, until it is dispatched. Streams: complete messages that are held back. */
  #held: HeldMessages | undefined = undefined;
  /** A promise of the handler's, or an inflation, is pending. */
  #busy = false;
  #remoteEndTold = false;
  #dispatched = false;

  constructor(
    id: number,
    connection: Connection,
    head: RequestHead,
    entry: MethodEntry,
    sendWindow: number,
    receiveWindow: number,
  ) {
    super(id, connection, head, sendWindow, receiveWindow);
    this.#entry = entry;
    this.#startedMs = connection.nowMs;
    this.deadlineMs = head.timeoutMs === undefined ? undefined : connection.nowMs + head.timeoutMs;
    entry.stats.started.value++;
  }

  get path(): string {
    return this.head.path;
  }

  get metadata(): ReadonlyMap<string, string> {
    return this.head.metadata;
  }

  get peer(): string {
    return this.connection.peer;
  }

  get commonName(): string | undefined {
    return this.connection.commonName;
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#aborted) this.#abort.abort();
    }
    return this.#abort.signal;
  }

  get bufferedBytes(): number {
    return this.queuedBytes;
  }

  /** True while no more of the request is wanted for now. */
  override get holdsBack(): boolean {
    return this.#busy;
  }

  /** Opens the handler of a streaming method. Called once, right after the constructor. */
  open(): void {
    if (this.deadlineMs !== undefined && this.deadlineMs <= this.#startedMs) {
      this.onDeadline();
      return;
    }
    const method = this.#entry.method;
    if (method.kind === 'unary') return;
    try {
      this.#handler = method.open(this);
      // It ended the call while opening.
      if (this.closed) this.#closeHandler();
    } catch (error) {
      this.fail(error);
    }
  }

  override onData(buffer: Buffer, from: number, to: number, end: boolean): void {
    if (this.ending) return;
    const bytes = to - from;
    if (
      bytes >= 5 &&
      buffer[from] === 0 &&
      (this.#reader === undefined || this.#reader.isEmpty) &&
      buffer.readUInt32BE(from + 1) === bytes - 5 &&
      bytes - 5 <= this.connection.limits.requestBytesMax
    ) {
      this.#onMessage(buffer.subarray(from + 5, to), end);
    } else if (bytes > 0) {
      this.#assemble(buffer, from, to);
    }
    if (end) this.#onRemoteEnd();
  }

  override onRoom(): void {
    try {
      this.#handler?.onDrain();
    } catch (error) {
      this.fail(error);
    }
  }

  override writeEnd(): void {
    this.connection.sender.trailers(this, this.#code, this.#text, NO_FIELDS);
    this.connection.streams.finished(this);
  }

  override onClosed(code: ErrorCode | undefined): void {
    this.connection.wheel.remove(this);
    this.connection.receiveBufferBytes -= (this.#held?.bytes ?? 0) + this.#readerBytes;
    this.#reader = undefined;
    this.#held = undefined;
    if (!this.ending) {
      this.ending = true;
      this.#ended(Status.cancelled);
      this.#abortNow();
    } else if (code !== undefined && code !== ErrorCode.noError) {
      this.#abortNow();
    }
    this.#closeHandler();
  }

  onDeadline(): void {
    this.#abortNow();
    this.#finish(Status.deadlineExceeded, 'context deadline exceeded');
  }

  answer(response: Uint8Array): void {
    if (this.ending) return;
    const sender = this.connection.sender;
    sender.headers(this);
    this.#entry.stats.messagesSent.value++;
    this.connection.stats.messageBytesSent.value += response.length;
    sender.message(this, response, NOTHING, false);
    this.#finish(Status.ok, '');
  }

  atReadEnd(work: () => void): void {
    this.connection.host.readEnd.add(work);
  }

  send(message: Uint8Array): boolean {
    return this.sendParts(message, NOTHING);
  }

  sendParts(head: Uint8Array, tail: Uint8Array): boolean {
    if (this.ending) return false;
    const sender = this.connection.sender;
    if (!this.headersSent) sender.headers(this);
    this.#entry.stats.messagesSent.value++;
    this.connection.stats.messageBytesSent.value += head.length + tail.length;
    sender.message(this, head, tail, true);
    return sender.hasRoom(this);
  }

  end(error?: StatusError): void {
    if (error !== undefined) {
      this.#finish(error.code, error.message);
      return;
    }
    if (this.ending) return;
    if (!this.headersSent) this.connection.sender.headers(this);
    this.#finish(Status.ok, '');
  }

  fail(error: unknown): void {
    if (error instanceof StatusError) {
      this.#finish(error.code, error.message);
      return;
    }
    this.connection.host.onHandlerError(this.path, error);
    this.#finish(Status.unknown, error instanceof Error ? error.message : String(error));
  }

  #finish(code: StatusCode, message: string): void {
    if (this.ending) return;
    this.#code = code;
    this.#text = message === '' ? '' : encodeStatusMessage(message, this.connection.limits.statusMessageBytesMax);
    this.#ended(code);
    this.connection.wheel.remove(this);
    this.connection.sender.end(this);
  }

  #ended(code: StatusCode): void {
    this.#entry.stats.ended(code, (this.connection.host.clock.monotonicMs() - this.#startedMs) / 1000);
  }

  #abortNow(): void {
    this.#aborted = true;
    this.#abort?.abort();
  }

  #closeHandler(): void {
    const handler = this.#handler;
    this.#handler = undefined;
    try {
      handler?.onClose();
    } catch (error) {
      this.connection.host.onHandlerError(this.path, error);
    }
  }

  #assemble(buffer: Buffer, from: number, to: number): void {
    this.#reader ??= new MessageReader();
    const reader = this.#reader;
    const max = this.connection.limits.requestBytesMax;
    while (from < to) {
      from = reader.read(buffer, from, to);
      if (reader.flag > 1) {
        this.#finish(Status.internal, `grpc: received unexpected payload format ${reader.flag}`);
      } else if (reader.length > max) {
        this.#finish(Status.resourceExhausted, `grpc: received message larger than max (${reader.length} vs. ${max})`);
      } else if (reader.isComplete) {
        const compressed = reader.flag === 1;
        const message = reader.take();
        if (compressed) this.#inflate(message);
        else this.#onMessage(message, false);
      }
      if (this.ending) return;
    }
    this.connection.receiveBufferBytes += reader.bytes - this.#readerBytes;
    this.#readerBytes = reader.bytes;
    if (this.connection.receiveBufferBytes > this.connection.limits.receiveBufferBytesMax) this.#overflow();
  }

  #overflow(): void {
    this.#finish(Status.resourceExhausted, 'too many bytes of unfinished requests on this connection');
  }

  #inflate(message: Uint8Array): void {
    const encoding = this.head.encoding;
    if (encoding === '' || encoding === 'identity') {
      this.#finish(Status.internal, 'grpc: compressed flag set with identity or empty encoding');
      return;
    }
    if (this.#busy) {
      this.#hold(message, true);
      return;
    }
    this.#busy = true;
    gunzipBounded(message, this.connection.limits.requestBytesMax).then(
      (plain) => {
        this.#busy = false;
        if (this.ending) return;
        this.#onMessage(plain, this.remoteEnded && this.#entry.method.kind === 'unary');
        this.#resume();
      },
      (error: unknown) => this.fail(error),
    );
  }

  /** `last`: nothing follows, so a unary request need not be kept. */
  #onMessage(message: Uint8Array, last: boolean): void {
    if (this.#entry.method.kind === 'stream') {
      if (this.#busy) this.#hold(message, false);
      else this.#deliver(message);
    } else if (this.#held?.isEmpty === false || this.#dispatched || this.#busy) {
      this.#finish(Status.internal, SEVERAL_MESSAGES);
    } else if (last) {
      this.#dispatch(message);
    } else {
      this.#hold(message, false);
    }
  }

  #hold(message: Uint8Array, compressed: boolean): void {
    this.#held ??= new HeldMessages();
    this.#held.push(message, compressed);
    this.connection.receiveBufferBytes += message.length;
    if (this.connection.receiveBufferBytes > this.connection.limits.receiveBufferBytesMax) this.#overflow();
  }

  #release(): HeldMessage | undefined {
    const held = this.#held?.shift();
    if (held !== undefined) this.connection.receiveBufferBytes -= held.bytes.length;
    return held;
  }

  #count(message: Uint8Array): void {
    this.#entry.stats.messagesReceived.value++;
    this.connection.stats.messageBytesReceived.value += message.length;
  }

  #dispatch(message: Uint8Array): void {
    const method = this.#entry.method;
    if (method.kind !== 'unary') return;
    this.#dispatched = true;
    this.#count(message);
    try {
      const answer = method.handle(message, this);
      if (answer === undefined) return;
      if (answer instanceof Uint8Array) this.answer(answer);
      else this.#await(answer);
    } catch (error) {
      this.fail(error);
    }
  }

  #await(answer: Promise<Uint8Array>): void {
    this.connection.running++;
    answer.then(
      (response) => {
        this.connection.running--;
        this.answer(response);
      },
      (error: unknown) => {
        this.connection.running--;
        if (!this.ending || !(error instanceof StatusError)) this.fail(error);
      },
    );
  }

  #deliver(message: Uint8Array): void {
    this.#count(message);
    try {
      const promise = this.#handler?.onMessage(message);
      if (promise === undefined) return;
      this.#busy = true;
      promise.then(
        () => {
          this.#busy = false;
          this.#resume();
        },
        (error: unknown) => this.fail(error),
      );
    } catch (error) {
      this.fail(error);
    }
  }

  /** Goes on with what was held back; then with the sender's window and the end of the request. */
  #resume(): void {
    if (this.#entry.method.kind === 'stream') {
      while (!this.#busy && !this.ending) {
        const held = this.#release();
        if (held === undefined) break;
        if (held.isCompressed) this.#inflate(held.bytes);
        else this.#deliver(held.bytes);
      }
    }
    if (this.#busy || this.ending) return;
    this.connection.streams.giveBack(this);
    if (this.remoteEnded) this.#onRemoteEnd();
  }

  #onRemoteEnd(): void {
    if (this.ending || this.#busy || this.#remoteEndTold) return;
    this.#remoteEndTold = true;
    if (this.#reader !== undefined && !this.#reader.isEmpty) {
      this.#finish(Status.internal, 'unexpected EOF');
      return;
    }
    if (this.#entry.method.kind === 'unary') {
      if (this.#dispatched) return;
      const held = this.#release();
      if (held !== undefined) this.#dispatch(held.bytes);
      else this.#finish(Status.internal, NO_MESSAGE);
      return;
    }
    try {
      this.#handler?.onHalfClose();
    } catch (error) {
      this.fail(error);
    }
  }
}
