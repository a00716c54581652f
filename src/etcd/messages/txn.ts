import { unreachable } from '../../base/invariant.ts';
import type { Reader, Writer } from '../../base/protobuf.ts';
import type { Compare, DeleteRequest, PutRequest, TxnOpResult, TxnResult } from '../../mvcc/requests.ts';
import { NO_LEASE } from '../../mvcc/types.ts';
import { type HeaderCodec, writeInnerHeader } from '../header.ts';
import { readDeleteRequest, writeDeleteResponse } from './delete-range.ts';
import { readPutRequest, writePutResponse } from './put.ts';
import { type RangeRequestMessage, rangeResponseBytes, readRangeRequest, writeRangeResponse } from './range.ts';

/** A decoded RequestOp; undefined: none of the four was set. */
export type TxnOpMessage = RangeRequestMessage | PutRequest | DeleteRequest | TxnRequestMessage | undefined;

/** A decoded TxnRequest. Once validated it is mvcc's TxnRequest. */
export interface TxnRequestMessage {
  readonly kind: 'txn';
  readonly compare: readonly Compare[];
  readonly success: readonly TxnOpMessage[];
  readonly failure: readonly TxnOpMessage[];
  /** It stands so deep in other transactions that it was not read: validation must refuse it. */
  readonly tooDeep: boolean;
}

/** Deeper nesting is not read, so that a request cannot overflow the stack. */
export const TXN_DEPTH_MAX = 500;

const NO_VALUE: Uint8Array = new Uint8Array(0);

/** Reads etcdserverpb.TxnRequest up to the end of the reader's message. Values are views of its bytes. */
export function readTxnRequest(reader: Reader): TxnRequestMessage {
  return readTxn(reader, 1);
}

function readTxn(reader: Reader, depth: number): TxnRequestMessage {
  const compare: Compare[] = [];
  const success: TxnOpMessage[] = [];
  const failure: TxnOpMessage[] = [];
  const tooDeep = depth > TXN_DEPTH_MAX;
  if (!tooDeep) {
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      switch (tag) {
        case 0x0a: {
          const limit = reader.enter();
          compare.push(readCompare(reader));
          reader.leave(limit);
          break;
        }
        case 0x12: {
          const limit = reader.enter();
          success.push(readRequestOp(reader, depth));
          reader.leave(limit);
          break;
        }
        case 0x1a: {
          const limit = reader.enter();
          failure.push(readRequestOp(reader, depth));
          reader.leave(limit);
          break;
        }
        default:
          reader.skip(tag);
      }
    }
  }
  return { kind: 'txn', compare, success, failure, tooDeep };
}

function readRequestOp(reader: Reader, depth: number): TxnOpMessage {
  let op: TxnOpMessage;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag !== 0x0a && tag !== 0x12 && tag !== 0x1a && tag !== 0x22) {
      reader.skip(tag);
      continue;
    }
    const limit = reader.enter();
    if (tag === 0x0a) op = readRangeRequest(reader);
    else if (tag === 0x12) op = readPutRequest(reader);
    else if (tag === 0x1a) op = readDeleteRequest(reader);
    else op = readTxn(reader, depth + 1);
    reader.leave(limit);
  }
  return op;
}

const results = ['equal', 'greater', 'less', 'not-equal'] as const;

function readCompare(reader: Reader): Compare {
  let result = 0;
  let target = 0;
  let key = '';
  let end = '';
  // The field of the oneof that came last, and its value.
  let operandTag = 0;
  let number = 0;
  let value = NO_VALUE;
  let lease = NO_LEASE;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case 0x08:
        result = reader.int32();
        break;
      case 0x10:
        target = reader.int32();
        break;
      case 0x1a:
        key = reader.latin1();
        break;
      case 0x20:
      case 0x28:
      case 0x30:
        operandTag = tag;
        number = reader.int64();
        break;
      case 0x3a:
        operandTag = tag;
        value = reader.view();
        break;
      case 0x40:
        operandTag = tag;
        lease = reader.int64Big();
        break;
      case 0x0202:
        end = reader.latin1();
        break;
      default:
        reader.skip(tag);
    }
  }
  const resultName = results[result];
  if (resultName === undefined) return constant(key, end, true);
  // An operand of another kind than the target counts as none: zero, or empty.
  switch (target) {
    case 0:
      return compareNumber(key, end, resultName, 'version', operandTag === 0x20 ? number : 0);
    case 1:
      return compareNumber(key, end, resultName, 'create', operandTag === 0x28 ? number : 0);
    case 2:
      return compareNumber(key, end, resultName, 'mod', operandTag === 0x30 ? number : 0);
    case 3: {
      const operand = operandTag === 0x3a ? value : NO_VALUE;
      return { key, end, result: resultName, target: { kind: 'value', value: operand } };
    }
    case 4: {
      const operand = operandTag === 0x40 ? lease : NO_LEASE;
      return { key, end, result: resultName, target: { kind: 'lease', lease: operand } };
    }
    default:
      return constant(key, end, resultName === 'equal');
  }
}

function compareNumber(
  key: string,
  end: string,
  result: Compare['result'],
  kind: 'version' | 'create' | 'mod',
  number: number,
): Compare {
  return { key, end, result, target: { kind, number } };
}

/**
 * A compare with a result or target that etcd does not know. There such a result is always met, and such a target
 * is always equal. Said with a version, which is never negative.
 */
function constant(key: string, end: string, met: boolean): Compare {
  return compareNumber(key, end, met ? 'greater' : 'less', 'version', -1);
}

/**
 * Writes etcdserverpb.TxnResponse. Only the outermost has a whole header; the headers of operations hold their
 * revision; those of nested transactions are there, but empty (all seen with etcd 3.5.30).
 */
export function writeTxnResponse(writer: Writer, header: HeaderCodec | undefined, result: TxnResult): void {
  if (header === undefined) writeInnerHeader(writer, 0);
  else header.write(writer, result.revision);
  if (result.succeeded) {
    writer.byte(0x10);
    writer.byte(1);
  }
  const ops = result.results;
  for (let i = 0; i < ops.length; i++) {
    const op = ops[i];
    if (op !== undefined) writeResponseOp(writer, op);
  }
}

function writeResponseOp(writer: Writer, op: TxnOpResult): void {
  const expectedBytes = responseBytes(op);
  const outer = writer.open(0x1a, expectedBytes + 3);
  let inner: number;
  switch (op.kind) {
    case 'range':
      inner = writer.open(0x0a, expectedBytes);
      writeRangeResponse(writer, undefined, op);
      break;
    case 'put':
      inner = writer.open(0x12, expectedBytes);
      writePutResponse(writer, undefined, op);
      break;
    case 'delete':
      inner = writer.open(0x1a, expectedBytes);
      writeDeleteResponse(writer, undefined, op);
      break;
    case 'txn':
      inner = writer.open(0x22, expectedBytes);
      writeTxnResponse(writer, undefined, op);
      break;
    default:
      unreachable(op);
  }
  writer.close(inner);
  writer.close(outer);
}

/** A guess, which saves moving large answers when their length takes more bytes than were left for it. */
function responseBytes(op: TxnOpResult): number {
  if (op.kind === 'range') return op.kvs.length === 0 ? 0 : rangeResponseBytes(op);
  if (op.kind === 'put') return op.prevKv === undefined ? 0 : op.prevKv.length;
  return 0;
}
