import {
  type Call,
  type Method,
  Status,
  StatusError,
  type StreamCall,
  type StreamHandler,
  type UnaryCall,
} from './grpc.ts';

/**
 * Calls of a service's methods from within the process: by another service, or by whoever speaks for a client in other
 * words than gRPC. To the method they are calls as any other: who asks, with which metadata and until when, is passed on.
 */
export type CallOrigin = Omit<Call, 'path'>;

/** The table that a call's method is looked up in. */
export type MethodLookup = (path: string) => Method | undefined;

/** Calls a unary method; `request` must stay as it is until the promise is settled. The answer is the caller's. */
export function callUnary(
  lookup: MethodLookup,
  path: string,
  request: Uint8Array,
  origin: CallOrigin,
): Promise<Uint8Array> {
  const method = lookup(path);
  if (method?.kind !== 'unary') return Promise.reject(unknownMethod(path));
  return new Promise((resolve, reject) => {
    const { signal } = origin;
    const onAbort = (): void => settle(() => reject(reasonOf(signal)));
    const settle = (act: () => void): void => {
      signal.removeEventListener('abort', onAbort);
      act();
    };
    if (signal.aborted) {
      reject(reasonOf(signal));
      return;
    }
    signal.addEventListener('abort', onAbort);
    const call: UnaryCall = {
      ...passedOn(path, origin),
      answer: (response) => settle(() => resolve(Uint8Array.prototype.slice.call(response))),
      fail: (error) => settle(() => reject(error)),
      atReadEnd: queueMicrotask,
    };
    try {
      const answer = method.handle(request, call);
      if (answer instanceof Uint8Array) call.answer(answer);
      else answer?.then(call.answer, call.fail);
    } catch (error) {
      call.fail(error);
    }
  });
}

/** Who hears what a local stream says. */
export interface LocalReceiver {
  /** One message; its bytes are the receiver's. False: full, until `resume` is called. */
  onMessage(message: Uint8Array): boolean;
  /** The call is over: in order (undefined), or for this reason. Not called after `cancel`. */
  onEnd(error: unknown): void;
}

/** A streaming call from within the process. */
export class LocalStream implements StreamCall {
  readonly path: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly deadlineMs: number | undefined;
  readonly peer: string;
  readonly commonName: string | undefined;
  readonly signal: AbortSignal;
  readonly bufferedBytes = 0;
  readonly #receiver: LocalReceiver;
  #handler: StreamHandler | undefined;
  #isOver = false;
  #busy: Promise<void> | undefined;

  /** Opens the method's handler. Throws `unimplemented` when there is no such method. */
  constructor(lookup: MethodLookup, path: string, origin: CallOrigin, receiver: LocalReceiver) {
    const method = lookup(path);
    if (method?.kind !== 'stream') throw unknownMethod(path);
    this.path = path;
    this.metadata = origin.metadata;
    this.deadlineMs = origin.deadlineMs;
    this.peer = origin.peer;
    this.commonName = origin.commonName;
    this.signal = origin.signal;
    this.#receiver = receiver;
    if (this.signal.aborted) throw reasonOf(this.signal);
    this.signal.addEventListener('abort', this.#onAbort);
    try {
      this.#handler = method.open(this);
    } catch (error) {
      this.#finish(error);
    }
    if (this.#isOver) this.#close();
  }

  /** Hands the method one message, which must stay as it is; resolves when the next one may come. */
  async deliver(message: Uint8Array): Promise<void> {
    await this.#busy;
    if (this.#isOver) return;
    try {
      const busy = this.#handler?.onMessage(message);
      if (busy === undefined) return;
      this.#busy = busy.catch((error: unknown) => this.#finish(error));
      await this.#busy;
    } catch (error) {
      this.#finish(error);
    }
  }

  /** Nothing more will be delivered. */
  async halfClose(): Promise<void> {
    await this.#busy;
    if (this.#isOver) return;
    try {
      this.#handler?.onHalfClose();
    } catch (error) {
      this.#finish(error);
    }
  }

  /** The receiver has room again. */
  resume(): void {
    if (!this.#isOver) this.#handler?.onDrain();
  }

  /** Nobody listens any more. */
  cancel(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#close();
  }

  send(message: Uint8Array): boolean {
    if (this.#isOver) return false;
    return this.#receiver.onMessage(Uint8Array.prototype.slice.call(message));
  }

  sendParts(head: Uint8Array, tail: Uint8Array): boolean {
    if (this.#isOver) return false;
    return this.#receiver.onMessage(Buffer.concat([head, tail]));
  }

  end(error?: StatusError): void {
    this.#finish(error);
  }

  readonly #onAbort = (): void => this.#finish(reasonOf(this.signal));

  #finish(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#close();
    this.#receiver.onEnd(error);
  }

  #close(): void {
    this.signal.removeEventListener('abort', this.#onAbort);
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.onClose();
  }
}

/** Why a call was broken off: a StatusError when its maker gave one. */
function reasonOf(signal: AbortSignal): StatusError {
  const { reason } = signal;
  return reason instanceof StatusError ? reason : new StatusError(Status.cancelled, 'context canceled');
}

function unknownMethod(path: string): StatusError {
  const [, service, method] = path.split('/');
  return new StatusError(Status.unimplemented, `unknown method ${method} for service ${service}`);
}

/** By name: an origin may be a call whose properties are computed. */
function passedOn(path: string, { metadata, deadlineMs, peer, commonName, signal }: CallOrigin): Call {
  return { path, metadata, deadlineMs, peer, commonName, signal };
}
