import type { DeleteRequest, PutRequest, RangeRequest, TxnRequest } from '../mvcc/requests.ts';
import { NO_LEASE } from '../mvcc/types.ts';
import { refusal } from './errors.ts';
import type { RangeRequestMessage } from './messages/range.ts';
import type { TxnOpMessage, TxnRequestMessage } from './messages/txn.ts';
import { checkNoDuplicateKey } from './validate-intervals.ts';

/**
 * What etcd refuses before its store sees a request, check by check in its order.
 * Source: server/etcdserver/api/v3rpc/key.go of etcd 3.7. All throw StatusError.
 */

/** Range: there is a key, and the sorting is one of etcd's. */
export function checkRange(request: RangeRequestMessage): void {
  if (request.key === '') throw refusal('emptyKey');
  if (!request.sortKnown) throw refusal('invalidSortOption');
}

/** RangeStream: as Range, in the order of keys, and without filters. */
export function checkRangeStream(request: RangeRequestMessage): void {
  checkRange(request);
  if (!isDefaultOrder(request)) throw refusal('rangeStreamSortOrder');
  if (hasRevisionFilters(request)) throw refusal('rangeStreamRevisionFilters');
}

function isDefaultOrder(request: RangeRequest): boolean {
  return request.order === 'none' || (request.target === 'key' && request.order === 'ascend');
}

function hasRevisionFilters(request: RangeRequest): boolean {
  return (
    request.minModRevision !== 0 ||
    request.maxModRevision !== 0 ||
    request.minCreateRevision !== 0 ||
    request.maxCreateRevision !== 0
  );
}

/** Put: there is a key, and nothing is both given and to be ignored. */
export function checkPut(request: PutRequest): void {
  if (request.key === '') throw refusal('emptyKey');
  if (request.ignoreValue && request.value.length !== 0) throw refusal('valueProvided');
  if (request.ignoreLease && request.lease !== NO_LEASE) throw refusal('leaseProvided');
}

/** DeleteRange: there is a key. */
export function checkDelete(request: DeleteRequest): void {
  if (request.key === '') throw refusal('emptyKey');
}

/** Txn: not too many operations, each one sound, and no key written twice. Then it is one that the store takes. */
export function checkTxn(
  request: TxnRequestMessage,
  opsMax: number,
): asserts request is TxnRequestMessage & TxnRequest {
  checkTxnOps(request, opsMax);
  // Only after the number of operations is known to be within bounds.
  checkNoDuplicateKey(request.success);
  checkNoDuplicateKey(request.failure);
}

/** A nested transaction may have as many operations as its parent has left of its own. */
function checkTxnOps(request: TxnRequestMessage, opsMax: number): void {
  const { compare, success, failure } = request;
  const ops = Math.max(compare.length, success.length, failure.length);
  if (ops > opsMax || request.tooDeep) throw refusal('tooManyOps');
  for (let i = 0; i < compare.length; i++) if (compare[i]?.key === '') throw refusal('emptyKey');
  for (let i = 0; i < success.length; i++) checkOp(success[i], opsMax - ops);
  for (let i = 0; i < failure.length; i++) checkOp(failure[i], opsMax - ops);
}

function checkOp(op: TxnOpMessage, opsMax: number): void {
  // An operation that is none: the text is etcd's, odd as it is.
  if (op === undefined) throw refusal('keyNotFound');
  if (op.kind === 'put') checkPut(op);
  else if (op.kind === 'range') checkRange(op);
  else if (op.kind === 'delete') checkDelete(op);
  else checkTxnOps(op, opsMax);
}

/** Whether a transaction can only read, which etcd answers without Raft and so without its limit on bytes. */
export function isReadOnly(request: TxnRequest): boolean {
  const { success, failure } = request;
  for (let i = 0; i < success.length; i++) if (success[i]?.kind !== 'range') return false;
  for (let i = 0; i < failure.length; i++) if (failure[i]?.kind !== 'range') return false;
  return true;
}

/**
 * What etcd wraps around a request before it measures it: the envelope's header with an id (2 + 1 + 10 bytes), and tag
 * and length of the request (1 + 3 bytes).
 */
const ENVELOPE_BYTES = 17;

/** The limit on the bytes of a request that writes. `requestBytes` is its length as it came. */
export function checkSize(requestBytes: number, requestBytesMax: number): void {
  if (requestBytes + ENVELOPE_BYTES > requestBytesMax) throw refusal('requestTooLarge');
}
