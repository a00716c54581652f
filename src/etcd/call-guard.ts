import type { Clock } from '../base/clock.ts';
import {
  type Call,
  type Method,
  type ServiceTable,
  Status,
  type StatusCode,
  StatusError,
  type StreamCall,
  type StreamHandler,
  type StreamMethod,
  type UnaryCall,
  type UnaryMethod,
} from '../wire/grpc.ts';
import { type ClientLimits, clientOf } from './client-limits.ts';
import { API_METHODS, type ApiMethod } from './messages/api.ts';
import { type Facts, requestFacts } from './request-facts.ts';

/** What is written down of a call when it is over. */
export interface CallRecord {
  /** The user when somebody knows, else the certificate's common name, else the address. */
  readonly who: string;
  readonly peer: string;
  readonly path: string;
  readonly facts: Facts;
  readonly code: StatusCode;
  readonly elapsedMs: number;
  /** Of unary calls: reading and checking, waiting for the store, sending. They add up to elapsedMs. */
  readonly stages: { readonly handleMs: number; readonly storeMs: number; readonly sendMs: number } | undefined;
}

export interface CallGuardOptions {
  readonly clock: Clock;
  readonly limits: ClientLimits | undefined;
  /** Told of every call; undefined: nobody wants to know. */
  readonly audit: ((record: CallRecord) => void) | undefined;
  /** Told of unary calls that took at least `slowMs`, those apart that wait for others by nature. */
  readonly slow: { readonly thresholdMs: number; note(record: CallRecord): void } | undefined;
  /** Who a call's token belongs to. */
  readonly userOf?: (call: Call) => string | undefined;
}

/** Locks and elections: waiting is what they are for. */
const WAITS = ['/v3lockpb.', '/v3electionpb.'];

/**
 * Stands around all methods: limits what a client may ask, and tells what was asked and how it went. Nothing stands there
 * when nobody wants any of it, so that the usual call costs nothing more.
 */
export function guarded(services: ServiceTable, options: CallGuardOptions): ServiceTable {
  if (options.limits === undefined && options.audit === undefined && options.slow === undefined) return services;
  const described = new Map(API_METHODS.map((method) => [method.path, method]));
  const guard = (path: string, method: Method): Method =>
    method.kind === 'unary'
      ? guardedUnary(
          method,
          described.get(path),
          options,
          WAITS.some((prefix) => path.startsWith(prefix)),
        )
      : guardedStream(method, described.get(path), options);
  return new Map([...services].map(([path, method]) => [path, guard(path, method)]));
}

function guardedUnary(
  method: UnaryMethod,
  described: ApiMethod | undefined,
  options: CallGuardOptions,
  waits: boolean,
): UnaryMethod {
  const { limits, clock, audit } = options;
  const slow = waits ? undefined : options.slow;
  return {
    kind: 'unary',
    handle(request, call) {
      // Read now: later the bytes are the wire's again.
      const facts = audit === undefined && slow === undefined ? {} : factsOf(described, request);
      const beganMs = clock.monotonicMs();
      // Not yet: one that is answered at once never waited.
      let handledMs = Number.POSITIVE_INFINITY;
      let leave = (): void => {};
      const over = (code: StatusCode, answeredMs: number): void => {
        leave();
        const elapsedMs = clock.monotonicMs() - beganMs;
        if (audit === undefined && (slow === undefined || elapsedMs < slow.thresholdMs)) return;
        const handleMs = Math.min(handledMs, answeredMs) - beganMs;
        const stages = {
          handleMs,
          storeMs: answeredMs - beganMs - handleMs,
          sendMs: elapsedMs - (answeredMs - beganMs),
        };
        const record = recordOf(call, facts, code, elapsedMs, stages, options);
        audit?.(record);
        if (slow !== undefined && elapsedMs >= slow.thresholdMs) slow.note(record);
      };
      const observed = new ObservedCall(call, clock, over);
      try {
        limits?.request(call);
        leave = limits?.enter(call) ?? leave;
        const answer = method.handle(request, observed);
        handledMs = clock.monotonicMs();
        if (answer instanceof Uint8Array) observed.answer(answer);
        else
          answer?.then(
            (bytes) => observed.answer(bytes),
            (error: unknown) => observed.fail(error),
          );
      } catch (error) {
        observed.fail(error);
      }
      return undefined;
    },
  };
}

/** A unary call of which somebody wants to know how it ends. */
class ObservedCall implements UnaryCall {
  readonly #call: UnaryCall;
  readonly #clock: Clock;
  readonly #over: (code: StatusCode, answeredMs: number) => void;
  #isOver = false;

  constructor(call: UnaryCall, clock: Clock, over: (code: StatusCode, answeredMs: number) => void) {
    this.#call = call;
    this.#clock = clock;
    this.#over = over;
  }

  get path(): string {
    return this.#call.path;
  }

  get metadata(): ReadonlyMap<string, string> {
    return this.#call.metadata;
  }

  get deadlineMs(): number | undefined {
    return this.#call.deadlineMs;
  }

  get peer(): string {
    return this.#call.peer;
  }

  get commonName(): string | undefined {
    return this.#call.commonName;
  }

  get signal(): AbortSignal {
    return this.#call.signal;
  }

  answer(response: Uint8Array): void {
    this.#end(Status.ok, () => this.#call.answer(response));
  }

  fail(error: unknown): void {
    this.#end(codeOf(error), () => this.#call.fail(error));
  }

  atReadEnd(work: () => void): void {
    this.#call.atReadEnd(work);
  }

  #end(code: StatusCode, tell: () => void): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const answeredMs = this.#clock.monotonicMs();
    tell();
    this.#over(code, answeredMs);
  }
}

function guardedStream(
  method: StreamMethod,
  described: ApiMethod | undefined,
  options: CallGuardOptions,
): StreamMethod {
  const { limits, audit } = options;
  return {
    ...method,
    open(call) {
      limits?.request(call);
      return audit === undefined ? method.open(call) : new ObservedStream(call, method, described, options);
    },
  };
}

/** A stream that is written down: each request in it that names keys, and its end. */
class ObservedStream implements StreamCall, StreamHandler {
  readonly #call: StreamCall;
  readonly #handler: StreamHandler;
  readonly #described: ApiMethod | undefined;
  readonly #options: CallGuardOptions;
  readonly #beganMs: number;
  /** Until the service ends it, it is the client who did. */
  #code: StatusCode = Status.cancelled;
  readonly metadata: ReadonlyMap<string, string>;

  constructor(call: StreamCall, method: StreamMethod, described: ApiMethod | undefined, options: CallGuardOptions) {
    this.#call = call;
    this.#described = described;
    this.#options = options;
    this.#beganMs = options.clock.monotonicMs();
    this.metadata = call.metadata;
    this.#handler = method.open(this);
  }

  get path(): string {
    return this.#call.path;
  }

  get deadlineMs(): number | undefined {
    return this.#call.deadlineMs;
  }

  get peer(): string {
    return this.#call.peer;
  }

  get commonName(): string | undefined {
    return this.#call.commonName;
  }

  get signal(): AbortSignal {
    return this.#call.signal;
  }

  get bufferedBytes(): number {
    return this.#call.bufferedBytes;
  }

  send(message: Uint8Array): boolean {
    return this.#call.send(message);
  }

  sendParts(head: Uint8Array, tail: Uint8Array): boolean {
    return this.#call.sendParts(head, tail);
  }

  end(error?: StatusError): void {
    this.#code = error?.code ?? Status.ok;
    this.#call.end(error);
  }

  onMessage(message: Uint8Array): void | Promise<void> {
    const facts = factsOf(this.#described, message);
    if (Object.keys(facts).length > 0 && !this.path.endsWith('/LeaseKeepAlive')) this.#write(facts, Status.ok, 0);
    return this.#handler.onMessage(message);
  }

  onHalfClose(): void {
    this.#handler.onHalfClose();
  }

  onDrain(): void {
    this.#handler.onDrain();
  }

  onClose(): void {
    this.#write({ stream: 'closed' }, this.#code, this.#options.clock.monotonicMs() - this.#beganMs);
    this.#handler.onClose();
  }

  #write(facts: Facts, code: StatusCode, elapsedMs: number): void {
    this.#options.audit?.(recordOf(this, facts, code, elapsedMs, undefined, this.#options));
  }
}

function factsOf(described: ApiMethod | undefined, request: Uint8Array): Facts {
  return described === undefined ? {} : requestFacts(described, request);
}

function recordOf(
  call: Call,
  facts: Facts,
  code: StatusCode,
  elapsedMs: number,
  stages: CallRecord['stages'],
  { userOf }: CallGuardOptions,
): CallRecord {
  const { path, peer } = call;
  return { who: userOf?.(call) ?? clientOf(call), peer, path, facts, code, elapsedMs, stages };
}

function codeOf(error: unknown): StatusCode {
  return error instanceof StatusError ? error.code : Status.unknown;
}
