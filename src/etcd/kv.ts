import { Reader, Writer } from '../base/protobuf.ts';
import type { StoreApi } from '../mvcc/api.ts';
import type { DeleteResult, PutResult, RangeRequest, RangeResult, TxnResult } from '../mvcc/requests.ts';
import { ONE_KEY } from '../mvcc/types.ts';
import type { Method, UnaryCall, UnaryMethod } from '../wire/grpc.ts';
import type { Access } from './auth/access.ts';
import { toStatusError, translated } from './errors.ts';
import { Gets } from './gets.ts';
import type { HeaderCodec } from './header.ts';
import { readCompactionRequest } from './messages/compaction.ts';
import { readDeleteRequest, writeDeleteResponse } from './messages/delete-range.ts';
import { readPutRequest, writePutResponse } from './messages/put.ts';
import { rangeResponseBytes, readRangeRequest, writeRangeResponse } from './messages/range.ts';
import { readTxnRequest, writeTxnResponse } from './messages/txn.ts';
import { rangeStreamMethod } from './range-stream.ts';
import { checkDelete, checkPut, checkRange, checkSize, checkTxn, isReadOnly } from './validate-request.ts';

export type KvStore = Pick<StoreApi, 'range' | 'expect' | 'put' | 'deleteRange' | 'txn' | 'compact'>;

export interface KvServiceOptions {
  readonly store: KvStore;
  readonly header: HeaderCodec;
  /** The longest request that writes, and about how long a chunk of a RangeStream gets. */
  readonly maxRequestBytes: number;
  /** Compares, and operations of each branch, of one transaction. */
  readonly maxTxnOps: number;
  /** Who may do what; undefined: everybody everything. */
  readonly access?: Access;
}

/**
 * etcdserverpb.KV: bytes to mvcc's words, the store's answer to bytes.
 *
 *   request bytes ─read─▶ request ─check─▶ Store ─result─▶ write ─▶ response bytes
 *
 * Everything in a handler is synchronous but the store, and requests and answers share one Reader and one Writer: the
 * wire copies an answer before it returns. Source: etcd's server/etcdserver/api/v3rpc/key.go.
 */
export function kvService(options: KvServiceOptions): readonly (readonly [path: string, method: Method])[] {
  const handlers = new KvHandlers(options);
  return [
    ['/etcdserverpb.KV/Range', unary((request, call) => handlers.range(request, call))],
    ['/etcdserverpb.KV/RangeStream', rangeStreamMethod(options)],
    ['/etcdserverpb.KV/Put', unary((request, call) => handlers.put(request, call))],
    ['/etcdserverpb.KV/DeleteRange', unary((request, call) => handlers.deleteRange(request, call))],
    ['/etcdserverpb.KV/Txn', unary((request, call) => handlers.txn(request, call))],
    ['/etcdserverpb.KV/Compact', unary((request, call) => handlers.compact(request, call))],
  ];
}

/** What a handler throws is translated; what it answers later it answers through the call. */
function unary(handle: (request: Uint8Array, call: UnaryCall) => Uint8Array | undefined): UnaryMethod {
  return {
    kind: 'unary',
    handle(request, call) {
      try {
        return handle(request, call);
      } catch (error) {
        throw toStatusError(error);
      }
    },
  };
}

/** A scratch that a large answer has made larger than this is given back. */
const SCRATCH_BYTES_MAX = 4 * 1024 * 1024;

/** Requests that wait for the writer are copied into slabs of so many bytes. */
const KEPT_SLAB_BYTES = 256 * 1024;

class KvHandlers {
  private readonly reader = new Reader();
  private readonly scratch = new Writer(64 * 1024);
  private readonly kept = new Writer(KEPT_SLAB_BYTES);
  private readonly store: KvStore;
  private readonly header: HeaderCodec;
  private readonly maxRequestBytes: number;
  private readonly maxTxnOps: number;
  private readonly access: Access | undefined;
  private readonly gets: Gets;

  constructor({ store, header, maxRequestBytes, maxTxnOps, access }: KvServiceOptions) {
    this.store = store;
    this.header = header;
    this.maxRequestBytes = maxRequestBytes;
    this.maxTxnOps = maxTxnOps;
    this.access = access;
    this.gets = new Gets(store, (request, call) => this.answerRange(request, call));
  }

  range(bytes: Uint8Array, call: UnaryCall): undefined {
    const request = readRangeRequest(this.reader.reset(bytes));
    checkRange(request);
    if (this.access?.enabled === true) this.access.range(call, request.key, request.end);
    if (request.end === ONE_KEY) this.gets.add(request, call);
    else this.answerRange(request, call);
  }

  private answerRange(request: RangeRequest, call: UnaryCall): void {
    try {
      const result = this.store.range(request);
      if (!(result instanceof Promise)) {
        call.answer(this.rangeResponse(result));
        return;
      }
      result.then((later) => {
        if (this.mayStillRead(call, request)) call.answer(this.rangeResponse(later));
      }, failing(call));
    } catch (error) {
      call.fail(translated(error));
    }
  }

  /** While it was read this replica may have heard that it is forbidden: then the call fails. */
  private mayStillRead(call: UnaryCall, { key, end }: RangeRequest): boolean {
    if (this.access?.enabled !== true) return true;
    try {
      this.access.range(call, key, end);
      return true;
    } catch (error) {
      call.fail(translated(error));
      return false;
    }
  }

  put(bytes: Uint8Array, call: UnaryCall): undefined {
    const request = readPutRequest(this.reader.reset(this.keep(bytes)));
    checkPut(request);
    checkSize(bytes.length, this.maxRequestBytes);
    const permitted = this.access?.enabled === true ? this.access.put(call, request) : request;
    this.store.put(permitted).then((result) => call.answer(this.putResponse(result)), failing(call));
  }

  deleteRange(bytes: Uint8Array, call: UnaryCall): undefined {
    const request = readDeleteRequest(this.reader.reset(bytes));
    checkDelete(request);
    checkSize(bytes.length, this.maxRequestBytes);
    const permitted = this.access?.enabled === true ? this.access.deleteRange(call, request) : request;
    this.store.deleteRange(permitted).then((result) => call.answer(this.deleteResponse(result)), failing(call));
  }

  txn(bytes: Uint8Array, call: UnaryCall): Uint8Array | undefined {
    const request = readTxnRequest(this.reader.reset(this.keep(bytes)));
    checkTxn(request, this.maxTxnOps);
    if (!isReadOnly(request)) checkSize(bytes.length, this.maxRequestBytes);
    const permitted = this.access?.enabled === true ? this.access.txn(call, request) : request;
    const result = this.store.txn(permitted);
    if (!(result instanceof Promise)) return this.txnResponse(result);
    result.then((later) => call.answer(this.txnResponse(later)), failing(call));
    return undefined;
  }

  compact(bytes: Uint8Array, call: UnaryCall): undefined {
    const { revision, physical } = readCompactionRequest(this.reader.reset(bytes));
    this.store.compact(revision, physical).then((head) => {
      this.header.write(this.begin(), head);
      call.answer(this.scratch.view());
    }, failing(call));
  }

  /** A request's bytes are the wire's again when the handler returns, but its values wait in the store's queue. */
  private keep(bytes: Uint8Array): Uint8Array {
    this.kept.raw(bytes);
    return this.kept.take();
  }

  private begin(): Writer {
    this.scratch.shrink(SCRATCH_BYTES_MAX);
    return this.scratch.begin();
  }

  private rangeResponse(result: RangeResult): Uint8Array {
    const writer = this.begin();
    if (result.kvs.length > 1) writer.reserve(rangeResponseBytes(result));
    writeRangeResponse(writer, this.header, result);
    return writer.view();
  }

  private putResponse(result: PutResult): Uint8Array {
    const writer = this.begin();
    writePutResponse(writer, this.header, result);
    return writer.view();
  }

  private deleteResponse(result: DeleteResult): Uint8Array {
    const writer = this.begin();
    writeDeleteResponse(writer, this.header, result);
    return writer.view();
  }

  private txnResponse(result: TxnResult): Uint8Array {
    const writer = this.begin();
    writeTxnResponse(writer, this.header, result);
    return writer.view();
  }
}

/** What to do when the store's promise is rejected. */
function failing(call: UnaryCall): (error: unknown) => void {
  return (error) => call.fail(translated(error));
}
