import type { Connection } from './connection.ts';
import type { ErrorCode } from './frames.ts';
import type { HttpHead, HttpResponse } from './http.ts';
import type { RequestHead } from './request-head.ts';
import { Stream } from './stream.ts';

/** A plain HTTP request over HTTP/2: the body is gathered within the request limit, the answer comes whole. */
export class HttpExchange extends Stream {
  readonly #http: HttpHead;
  readonly #abort: AbortController;
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;
  #dispatched = false;

  constructor(
    id: number,
    connection: Connection,
    head: RequestHead,
    sendWindow: number,
    receiveWindow: number,
    http: HttpHead,
    abort: AbortController,
  ) {
    super(id, connection, head, sendWindow, receiveWindow);
    this.#http = http;
    this.#abort = abort;
  }

  override get holdsBack(): boolean {
    return false;
  }

  override onData(buffer: Buffer, from: number, to: number, end: boolean): void {
    if (this.ending || this.#dispatched) return;
    const bytes = to - from;
    this.#bytes += bytes;
    this.connection.receiveBufferBytes += bytes;
    const { httpBodyBytesMax, receiveBufferBytesMax } = this.connection.limits;
    if (this.#bytes > httpBodyBytesMax || this.connection.receiveBufferBytes > receiveBufferBytesMax) {
      this.#answer({ status: 413, headers: {}, body: 'request body too large\n' });
      return;
    }
    if (bytes > 0) this.#pieces.push(Uint8Array.prototype.slice.call(buffer, from, to));
    if (end) this.#dispatch();
  }

  override onRoom(): void {}

  override writeEnd(): void {
    this.connection.sender.emptyEnd(this.id);
    this.connection.streams.finished(this);
  }

  override onClosed(_code: ErrorCode | undefined): void {
    this.ending = true;
    this.connection.receiveBufferBytes -= this.#bytes;
    this.#bytes = 0;
    this.#abort.abort();
  }

  #dispatch(): void {
    this.#dispatched = true;
    const request = { ...this.#http, body: Buffer.concat(this.#pieces) };
    this.connection.running++;
    this.connection.host.http(request).then(
      (response) => {
        this.connection.running--;
        this.#answer(response);
      },
      (error: unknown) => {
        this.connection.running--;
        this.connection.host.onHandlerError(request.path, error);
        this.#answer({ status: 500, headers: {}, body: 'internal error\n' });
      },
    );
  }

  #answer(response: HttpResponse): void {
    if (this.ending) return;
    const body = typeof response.body === 'string' ? Buffer.from(response.body, 'utf8') : response.body;
    const fields = [':status', String(response.status)];
    for (const [name, value] of Object.entries(response.headers)) fields.push(name.toLowerCase(), value);
    fields.push('content-length', String(body.length));
    const sender = this.connection.sender;
    const isEmpty = body.length === 0 || this.head.method === 'HEAD';
    sender.fields(this, fields, isEmpty);
    if (isEmpty) {
      this.ending = true;
      this.connection.streams.finished(this);
      return;
    }
    // Copied: the handler may reuse its buffer, and what the window holds back is sent later.
    sender.body(this, typeof response.body === 'string' ? body : Uint8Array.prototype.slice.call(body));
    sender.end(this);
  }
}
