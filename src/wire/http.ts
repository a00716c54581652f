/** Plain HTTP beside gRPC on the same port: health, metrics, gRPC in JSON. Served over HTTP/1.1 and HTTP/2 alike. */
export interface HttpHead {
  readonly method: string;
  /** Path without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** The host that the client addressed, with its port. */
  readonly authority: string | undefined;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** `address:port` or the socket's path. */
  readonly peer: string;
  /** Over TLS. */
  readonly encrypted: boolean;
  /** The subject's common name of the client's verified certificate. */
  readonly commonName: string | undefined;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** A request that came whole. */
export interface HttpRequest extends HttpHead {
  /** Bounded by the server's limit of bodies. */
  readonly body: Uint8Array;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string;
}

export type HttpHandler = (request: HttpRequest) => Promise<HttpResponse>;

/** The answer to a request whose body is read as it comes: `begin` once, then `write`, then `end`. */
export interface HttpStream {
  begin(status: number, headers: Readonly<Record<string, string>>): void;
  /** False when more than enough is waiting to leave: stop, and go on at `onDrain`. Ignored after the end. The bytes are the wire's from here on. */
  write(bytes: Uint8Array): boolean;
  end(): void;
}

export interface HttpStreamHandler {
  /** A piece of the body, the handler's own. A promise holds back the next one, and with it the sender. */
  onData(piece: Uint8Array): void | Promise<void>;
  /** The body is complete. */
  onEnd(): void;
  /** write may go on. */
  onDrain(): void;
  /** The exchange is over: ended, or the client is gone. Called once, always. */
  onClose(): void;
}

export type HttpStreamOpener = (stream: HttpStream) => HttpStreamHandler;

/** Asked before a body is read: what opens the stream for requests that are streams, undefined for all others. */
export type HttpStreams = (head: HttpHead) => HttpStreamOpener | undefined;
