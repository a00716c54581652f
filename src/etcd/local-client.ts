import { type CallOrigin, callUnary, LocalStream, type MethodLookup } from '../wire/local-call.ts';
import {
  DeleteRangeRequest,
  DeleteRangeResponse,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
} from './messages/kv-table.ts';
import { LeaseGrantRequest, LeaseGrantResponse } from './messages/lease-table.ts';
import type { MessageType, Value } from './messages/schema.ts';
import { type WatchCreateRequest, WatchRequest, WatchResponse } from './messages/watch-table.ts';

/**
 * The API as one service uses it for the sake of another's caller: Lock and Election are recipes on KV, Lease and Watch.
 * Every step is a call as the client itself could have made it, with its metadata, so that whoever checks permissions
 * checks these too. Source: etcd's server/proxy/grpcproxy/adapter and server/etcdserver/api/v3client.
 */
export class LocalClient {
  readonly #lookup: MethodLookup;
  readonly #origin: CallOrigin;

  constructor(lookup: MethodLookup, origin: CallOrigin) {
    this.#lookup = lookup;
    this.#origin = origin;
  }

  /** Aborted when the caller is gone or its time is over. */
  get signal(): AbortSignal {
    return this.#origin.signal;
  }

  /** The same client for what must be done although the caller is gone. */
  detached(): LocalClient {
    const { metadata, peer, commonName } = this.#origin;
    return new LocalClient(this.#lookup, {
      metadata,
      peer,
      commonName,
      deadlineMs: undefined,
      signal: new AbortController().signal,
    });
  }

  range(request: Partial<Value<typeof RangeRequest>>): Promise<Value<typeof RangeResponse>> {
    return this.#call('/etcdserverpb.KV/Range', RangeRequest, RangeResponse, request);
  }

  delete(request: Partial<Value<typeof DeleteRangeRequest>>): Promise<Value<typeof DeleteRangeResponse>> {
    return this.#call('/etcdserverpb.KV/DeleteRange', DeleteRangeRequest, DeleteRangeResponse, request);
  }

  txn(request: Partial<Value<typeof TxnRequest>>): Promise<Value<typeof TxnResponse>> {
    return this.#call('/etcdserverpb.KV/Txn', TxnRequest, TxnResponse, request);
  }

  leaseGrant(request: Partial<Value<typeof LeaseGrantRequest>>): Promise<Value<typeof LeaseGrantResponse>> {
    return this.#call('/etcdserverpb.Lease/LeaseGrant', LeaseGrantRequest, LeaseGrantResponse, request);
  }

  /** Watches until the loop is left or the watch ends. A watch that the server cancels ends with its last response. */
  watch(create: Partial<Value<typeof WatchCreateRequest>>): AsyncIterable<Value<typeof WatchResponse>> {
    return { [Symbol.asyncIterator]: () => new WatchIterator(this.#lookup, this.#origin, create) };
  }

  async #call<Request, Response>(
    path: string,
    requestType: MessageType<Request>,
    responseType: MessageType<Response>,
    request: Partial<Request>,
  ): Promise<Response> {
    return responseType.decode(await callUnary(this.#lookup, path, requestType.encode(request), this.#origin));
  }
}

/** Responses that wait to be taken; then the watch is set aside and catches up later. */
const WAITING_MAX = 16;

class WatchIterator implements AsyncIterator<Value<typeof WatchResponse>> {
  readonly #stream: LocalStream;
  readonly #waiting: Uint8Array[] = [];
  #isFull = false;
  #end: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(lookup: MethodLookup, origin: CallOrigin, create: Partial<Value<typeof WatchCreateRequest>>) {
    this.#stream = new LocalStream(lookup, '/etcdserverpb.Watch/Watch', origin, {
      onMessage: (message) => {
        this.#waiting.push(message);
        this.#wake?.();
        this.#isFull = this.#waiting.length >= WAITING_MAX;
        return !this.#isFull;
      },
      onEnd: (error) => {
        this.#end = { error };
        this.#wake?.();
      },
    });
    void this.#stream.deliver(WatchRequest.encode({ create_request: create }));
  }

  async next(): Promise<IteratorResult<Value<typeof WatchResponse>>> {
    for (;;) {
      const bytes = this.#waiting.shift();
      if (bytes !== undefined) {
        if (this.#isFull && this.#waiting.length === 0) {
          this.#isFull = false;
          this.#stream.resume();
        }
        const response = WatchResponse.decode(bytes);
        if (response.canceled) {
          this.#stream.cancel();
          this.#end = { error: undefined };
        }
        return { done: false, value: response };
      }
      if (this.#end !== undefined) {
        if (this.#end.error !== undefined) throw this.#end.error;
        return { done: true, value: undefined };
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async return(): Promise<IteratorResult<Value<typeof WatchResponse>>> {
    this.#stream.cancel();
    return { done: true, value: undefined };
  }
}
