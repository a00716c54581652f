import { Status, StatusError } from '../../wire/grpc.ts';
import type { HttpStream, HttpStreamHandler } from '../../wire/http.ts';
import { type CallOrigin, LocalStream, type MethodLookup } from '../../wire/local-call.ts';
import type { ApiMethod } from '../messages/api.ts';
import { ANSWERED, errorAnswer, errorLine, JSON_TYPE, toldOf, tooLarge } from './gateway-errors.ts';
import { messageFromJson, messageToJson } from './json-codec.ts';
import { JsonSplitter } from './json-splitter.ts';

export interface GatewayStreamOptions {
  readonly lookup: MethodLookup;
  readonly method: ApiMethod;
  readonly origin: CallOrigin;
  readonly http: HttpStream;
  readonly requestBytesMax: number;
  readonly jsonBytesMax: number;
  /** Called once: why it ended, or that its client is gone. */
  onOver(error: unknown, isCancelled: boolean): void;
}

/**
 * A streaming call in JSON: the body is JSON values one after the other, the answer a line for each message.
 *
 *   {"create_request":{…}} {"cancel_request":{…}}  ─▶  {"result":{…}}⏎ {"result":{…}}⏎ … {"error":{…}}⏎
 *
 * The head is sent with the first line, so that a call which fails before has the status that says so. A client that
 * does not read holds up its own call alone, and one that goes away ends it.
 */
export class GatewayStream implements HttpStreamHandler {
  readonly #options: GatewayStreamOptions;
  readonly #splitter: JsonSplitter;
  #call: LocalStream | undefined;
  #hasBegun = false;
  #isOver = false;
  /** A method that takes one message has it. */
  #isAsked = false;

  constructor(options: GatewayStreamOptions) {
    this.#options = options;
    this.#splitter = new JsonSplitter(options.jsonBytesMax);
    const { lookup, method, origin } = options;
    try {
      this.#call = new LocalStream(lookup, method.path, origin, {
        onMessage: (message) => this.#write(message),
        onEnd: (error) => this.#finish(error),
      });
    } catch (error) {
      this.#finish(error);
    }
  }

  onData(piece: Uint8Array): void | Promise<void> {
    if (this.#isOver || this.#isAsked) return;
    const values = this.#splitter.push(piece);
    if (values === undefined) {
      const text = `grpc: received message larger than max (more than ${this.#options.jsonBytesMax} bytes of JSON)`;
      this.#fail(new StatusError(Status.resourceExhausted, text));
    } else if (values.length > 0) {
      return this.#deliver(values);
    }
  }

  onEnd(): void {
    void this.#onRequestEnd();
  }

  onDrain(): void {
    this.#call?.resume();
  }

  onClose(): void {
    this.#call?.cancel();
    this.#over(undefined, true);
  }

  async #onRequestEnd(): Promise<void> {
    const rest = this.#splitter.rest();
    // Of a method that takes one message an empty body is the empty one.
    const values = rest !== '' ? [rest] : this.#options.method.clientStreams || this.#isAsked ? [] : ['{}'];
    if (!this.#isAsked) await this.#deliver(values);
    if (!this.#isOver) await this.#call?.halfClose();
  }

  async #deliver(values: readonly string[]): Promise<void> {
    const { method, requestBytesMax } = this.#options;
    try {
      for (const text of values) {
        if (this.#isOver || this.#isAsked) return;
        const message = method.request.encode(messageFromJson(method.request, text));
        if (message.length > requestBytesMax) throw tooLarge(message.length, requestBytesMax);
        this.#isAsked = !method.clientStreams;
        // A stream that answers takes as long as it likes: nothing more is wanted of this request meanwhile.
        if (this.#isAsked) void this.#call?.deliver(message);
        else await this.#call?.deliver(message);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #write(message: Uint8Array): boolean {
    const { method, http } = this.#options;
    this.#begin(200, ANSWERED);
    return http.write(Buffer.from(`{"result":${messageToJson(method.response, method.response.decode(message))}}\n`));
  }

  #begin(status: number, headers: Readonly<Record<string, string>>): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#options.http.begin(status, headers);
  }

  #fail(error: unknown): void {
    this.#call?.cancel();
    this.#finish(error);
  }

  #finish(error: unknown): void {
    if (this.#isOver) return;
    const { http } = this.#options;
    if (error !== undefined) {
      const told = toldOf(error) ?? new StatusError(Status.unknown, 'internal error');
      if (this.#hasBegun) {
        http.write(Buffer.from(errorLine(told)));
      } else {
        const { status, body } = errorAnswer(told);
        this.#begin(status, JSON_TYPE);
        http.write(Buffer.from(body));
      }
    }
    this.#begin(200, {});
    // Before the end, which may close the exchange at once: it was not the client who ended it.
    this.#over(error, false);
    http.end();
  }

  #over(error: unknown, isCancelled: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.onOver(error, isCancelled);
  }
}
