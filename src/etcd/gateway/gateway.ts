import type { Clock } from '../../base/clock.ts';
import { Status, type StatusCode, StatusError } from '../../wire/grpc.ts';
import type { HttpHead, HttpRequest, HttpResponse, HttpStreamOpener } from '../../wire/http.ts';
import { type CallOrigin, callUnary, type MethodLookup } from '../../wire/local-call.ts';
import type { MethodStats } from '../../wire/stats.ts';
import { parseTimeoutMs } from '../../wire/timeout.ts';
import { API_METHODS, type ApiMethod } from '../messages/api.ts';
import { ANSWERED, errorAnswer, JSON_TYPE, toldOf, tooLarge } from './gateway-errors.ts';
import { GatewayStream } from './gateway-stream.ts';
import { messageFromJson, messageToJson } from './json-codec.ts';

/**
 * gRPC in JSON: what etcd's grpc-gateway answers under /v3/.
 *
 *   POST /v3/kv/range  {"key":"Zm9v"}  ─json codec─▶ message ─▶ the method ─▶ message ─json codec─▶  {"header":…}
 *
 * No method has code of its own here: routes and messages come from messages/api.ts. A call goes through the same table
 * as one from the wire, so that whoever checks, counts or limits calls there does so here.
 * Source: etcd's rpc.proto, grpc-gateway; seen with etcd 3.5.30 and 3.4.23.
 */
export interface GatewayOptions {
  readonly lookup: MethodLookup;
  readonly clock: Clock;
  /** The longest message. */
  readonly requestBytesMax: number;
  /** The same cells that calls from the wire are counted in, by path: as in etcd a call counts whichever way it came. */
  readonly stats: ReadonlyMap<string, MethodStats>;
  /** Of one JSON value in a request that is a stream. */
  readonly jsonBytesMax: number;
  /** A defect: the client was told "internal error". */
  onDefect(path: string, error: unknown): void;
}

export class Gateway {
  readonly #options: GatewayOptions;
  readonly #routes = new Map<string, ApiMethod>();

  constructor(options: GatewayOptions) {
    this.#options = options;
    for (const method of API_METHODS) for (const route of method.routes) this.#routes.set(route, method);
  }

  /** Whether the path is the gateway's to answer. */
  owns(path: string): boolean {
    return path.startsWith('/v3/') || path.startsWith('/v3beta/');
  }

  /** Answers a request that is not a stream. */
  async answer(request: HttpRequest): Promise<HttpResponse> {
    try {
      const method = this.#methodOf(request);
      const message = method.request.encode(messageFromJson(method.request, textOf(request.body)));
      if (message.length > this.#options.requestBytesMax) throw tooLarge(message.length, this.#options.requestBytesMax);
      const response = await this.#call(method, message, request);
      const body = messageToJson(method.response, method.response.decode(response));
      return { status: 200, headers: ANSWERED, body };
    } catch (error) {
      return this.#failed(request.path, error);
    }
  }

  /** For a request that is a stream: what opens it. */
  stream(head: HttpHead): HttpStreamOpener | undefined {
    const method = this.#routes.get(v3Of(head.path));
    if (head.method !== 'POST' || method === undefined || !method.serverStreams) return undefined;
    return (http) => {
      const { origin, done } = this.#originOf(head);
      const ended = this.#counted(method);
      const onOver = (error: unknown, isCancelled: boolean): void => {
        done();
        ended(isCancelled ? Status.cancelled : codeOf(error));
        if (error !== undefined && toldOf(error) === undefined) this.#options.onDefect(head.path, error);
      };
      return new GatewayStream({ ...this.#options, method, origin, http, onOver });
    };
  }

  #methodOf({ method, path }: HttpHead): ApiMethod {
    const found = this.#routes.get(v3Of(path));
    if (found === undefined) throw new StatusError(Status.notFound, 'Not Found');
    if (method !== 'POST') throw new StatusError(Status.unimplemented, 'Method Not Allowed');
    return found;
  }

  async #call(method: ApiMethod, message: Uint8Array, head: HttpHead): Promise<Uint8Array> {
    const { origin, done } = this.#originOf(head);
    const ended = this.#counted(method);
    try {
      const response = await callUnary(this.#options.lookup, method.path, message, origin);
      ended(Status.ok);
      return response;
    } catch (error) {
      ended(codeOf(error));
      throw error;
    } finally {
      done();
    }
  }

  /** Counts a call; answers what counts its end. */
  #counted({ path }: ApiMethod): (code: StatusCode) => void {
    const { stats, clock } = this.#options;
    const cells = stats.get(path);
    if (cells === undefined) return () => undefined;
    const beganMs = clock.monotonicMs();
    cells.started.value++;
    return (code) => cells.ended(code, (clock.monotonicMs() - beganMs) / 1000);
  }

  /** Who asks. The certificate's name is left out, as by etcd: it is that of the connection, which a proxy may share. */
  #originOf(head: HttpHead): { readonly origin: CallOrigin; done(): void } {
    const { clock } = this.#options;
    const metadata = metadataOf(head);
    const timeoutMs = parseTimeoutMs(head.headers.get('grpc-timeout') ?? '');
    const base = { metadata, peer: head.peer, commonName: undefined };
    if (timeoutMs === undefined) {
      return { origin: { ...base, deadlineMs: undefined, signal: head.signal }, done() {} };
    }
    const late = new AbortController();
    const timer = clock.after(timeoutMs, () =>
      late.abort(new StatusError(Status.deadlineExceeded, 'context deadline exceeded')),
    );
    const origin = {
      ...base,
      deadlineMs: clock.monotonicMs() + timeoutMs,
      signal: AbortSignal.any([head.signal, late.signal]),
    };
    return { origin, done: () => timer.cancel() };
  }

  #failed(path: string, error: unknown): HttpResponse {
    const told = toldOf(error);
    if (told === undefined) this.#options.onDefect(path, error);
    return { headers: JSON_TYPE, ...errorAnswer(told ?? new StatusError(Status.unknown, 'internal error')) };
  }
}

function codeOf(error: unknown): StatusCode {
  return error === undefined ? Status.ok : (toldOf(error)?.code ?? Status.unknown);
}

/** etcd answers its older prefix as the present one. */
function v3Of(path: string): string {
  return path.startsWith('/v3beta/') ? `/v3/${path.slice('/v3beta/'.length)}` : path;
}

/** No body at all is an empty message. */
function textOf(body: Uint8Array): string {
  const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8');
  return text.trim() === '' ? '{}' : text;
}

/** What grpc-gateway passes on: the token, headers that ask for it, and who the client is. */
function metadataOf({ headers }: HttpHead): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>();
  for (const [name, value] of headers) {
    if (name === 'authorization') metadata.set(name, value);
    else if (name.startsWith(PASSED_ON)) metadata.set(name.slice(PASSED_ON.length), value);
    else if (name === 'user-agent' || name === 'accept') metadata.set(`grpcgateway-${name}`, value);
  }
  return metadata;
}

const PASSED_ON = 'grpc-metadata-';
