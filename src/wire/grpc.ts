/**
 * gRPC as a service sees it. A service is a table from path to method; the server (server.ts) does the rest.
 * Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */

/** Status codes, numbered as in gRPC. */
export const Status = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;

export type StatusCode = (typeof Status)[keyof typeof Status];

/** The one error that reaches a client. Any other error thrown by a handler becomes `unknown` and is reported to `onHandlerError`. */
export class StatusError extends Error {
  override readonly name = 'StatusError';
  readonly code: StatusCode;

  constructor(code: StatusCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** One call, whatever its kind. */
export interface Call {
  readonly path: string;
  /** Request headers, names in lower case, without pseudo-headers; `-bin` values still in base64. Decoded when first read. */
  readonly metadata: ReadonlyMap<string, string>;
  /** On the monotonic clock; undefined: none. */
  readonly deadlineMs: number | undefined;
  /** `address:port` or the socket's path. */
  readonly peer: string;
  /** The subject's common name of the client's certificate, when the client showed one and it was verified. */
  readonly commonName: string | undefined;
  /** Aborted when the client cancels, the deadline passes or the connection ends. Made when first read. */
  readonly signal: AbortSignal;
}

/**
 * One request message in, one out. `request` is valid during the synchronous part of `handle`: copy what you keep.
 * The answer's bytes are copied before the event loop goes on: encoders may reuse a scratch buffer.
 */
export interface UnaryMethod {
  readonly kind: 'unary';
  /** undefined: the handler calls `call.answer` or `call.fail` itself, later or already (cheaper than a promise). */
  handle(request: Uint8Array, call: UnaryCall): Uint8Array | Promise<Uint8Array> | undefined;
}

/** A unary call that may be answered without a promise. What comes after the first answer is ignored. */
export interface UnaryCall extends Call {
  /** The response message; copied before this returns. */
  answer(response: Uint8Array): void;
  /** Ends the call as if the handler had thrown `error`. */
  fail(error: unknown): void;
  /**
   * Does the work, which must not throw, when the handlers have been given all that came in one read with this request,
   * and in time for its answers to leave with theirs: for what is cheaper done for several calls together.
   */
  atReadEnd(work: () => void): void;
}

/** Any streaming kind: the service gets messages one by one and sends as many as it likes. */
export interface StreamMethod {
  readonly kind: 'stream';
  /** Which side streams, for the `grpc_type` label of metrics only. Default: both. */
  readonly shape?: 'client_stream' | 'server_stream' | 'bidi_stream';
  open(call: StreamCall): StreamHandler;
}

export type Method = UnaryMethod | StreamMethod;

/** Path (`/package.Service/Method`) to method. */
export type ServiceTable = ReadonlyMap<string, Method>;

export interface StreamCall extends Call {
  /**
   * Queues one message (copied). False when more than the high-water mark is waiting in this stream or its connection:
   * stop, and go on at `onDrain`. Ignored after the end.
   */
  send(message: Uint8Array): boolean;
  /** The same for a message in two parts: a part shared by many streams needs no copy of its own. `head` is copied;
   * `tail` may be kept by reference until it left, so nobody may change it after. */
  sendParts(head: Uint8Array, tail: Uint8Array): boolean;
  /** Bytes accepted by send that have not left yet. */
  readonly bufferedBytes: number;
  /** Ends the call: ok, or with an error. What was sent before still leaves. Idempotent. */
  end(error?: StatusError): void;
}

export interface StreamHandler {
  /** One message; valid during the synchronous part. A promise holds back the next one, and with it the sender's window. */
  onMessage(message: Uint8Array): void | Promise<void>;
  /** The client will send no more. */
  onHalfClose(): void;
  /** send may go on. */
  onDrain(): void;
  /** The call is over (ended, cancelled, connection lost). Called once, always. */
  onClose(): void;
}
