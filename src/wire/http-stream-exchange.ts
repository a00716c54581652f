import type { Connection } from './connection.ts';
import type { ErrorCode } from './frames.ts';
import type { HttpStream, HttpStreamHandler, HttpStreamOpener } from './http.ts';
import type { RequestHead } from './request-head.ts';
import { Stream } from './stream.ts';

/** A plain HTTP request over HTTP/2 whose body and answer are streams. */
export class HttpStreamExchange extends Stream implements HttpStream {
  readonly #abort: AbortController;
  #handler: HttpStreamHandler | undefined;
  /** Pieces of the body that wait until the handler takes more; no more than the stream's window lets in. */
  readonly #held: Uint8Array[] = [];
  #isBusy = false;
  #isEndTold = false;

  constructor(
    id: number,
    connection: Connection,
    head: RequestHead,
    sendWindow: number,
    receiveWindow: number,
    abort: AbortController,
  ) {
    super(id, connection, head, sendWindow, receiveWindow);
    this.#abort = abort;
  }

  /** Called once, when the stream is in its table. */
  open(opener: HttpStreamOpener): void {
    this.#guarded(() => {
      this.#handler = opener(this);
    });
    if (this.closed) this.#closeHandler();
  }

  override get holdsBack(): boolean {
    return this.#isBusy;
  }

  override onData(buffer: Buffer, from: number, to: number, end: boolean): void {
    if (this.ending) return;
    if (to > from) {
      this.#held.push(Uint8Array.prototype.slice.call(buffer, from, to));
      this.connection.receiveBufferBytes += to - from;
    }
    if (this.connection.receiveBufferBytes > this.connection.limits.receiveBufferBytesMax) {
      this.begin(413, {});
      this.end();
      return;
    }
    this.#deliver();
    if (end) this.#tellEnd();
  }

  override onRoom(): void {
    this.#guarded(() => this.#handler?.onDrain());
  }

  override writeEnd(): void {
    this.connection.sender.emptyEnd(this.id);
    this.connection.streams.finished(this);
  }

  override onClosed(_code: ErrorCode | undefined): void {
    this.ending = true;
    for (const piece of this.#held) this.connection.receiveBufferBytes -= piece.length;
    this.#held.length = 0;
    this.#abort.abort();
    this.#closeHandler();
  }

  begin(status: number, headers: Readonly<Record<string, string>>): void {
    if (this.ending || this.headersSent) return;
    const fields = [':status', String(status)];
    for (const [name, value] of Object.entries(headers)) fields.push(name.toLowerCase(), value);
    this.connection.sender.fields(this, fields, false);
  }

  write(bytes: Uint8Array): boolean {
    if (this.ending) return false;
    this.connection.sender.body(this, bytes);
    return this.connection.sender.hasRoom(this);
  }

  end(): void {
    if (!this.ending) this.connection.sender.end(this);
  }

  #deliver(): void {
    while (!this.#isBusy && !this.ending) {
      const piece = this.#held.shift();
      if (piece === undefined) return;
      this.connection.receiveBufferBytes -= piece.length;
      this.#guarded(() => {
        const promise = this.#handler?.onData(piece);
        if (promise === undefined) return;
        this.#isBusy = true;
        promise.then(
          () => this.#resume(),
          (error: unknown) => this.#fail(error),
        );
      });
    }
  }

  #resume(): void {
    this.#isBusy = false;
    this.#deliver();
    if (this.#isBusy || this.ending) return;
    this.connection.streams.giveBack(this);
    if (this.remoteEnded) this.#tellEnd();
  }

  #tellEnd(): void {
    if (this.#isBusy || this.#isEndTold || this.ending) return;
    this.#isEndTold = true;
    this.#guarded(() => this.#handler?.onEnd());
  }

  #guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.connection.host.onHandlerError(this.head.path, error);
    this.begin(500, {});
    this.end();
  }

  #closeHandler(): void {
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.onClose();
  }
}
