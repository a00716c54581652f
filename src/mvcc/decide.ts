import { unreachable } from '../base/invariant.ts';
import type { Draft } from './draft.ts';
import type { KeyVersion } from './key-history.ts';
import { valueIn } from './key-value.ts';
import type { Messages } from './messages.ts';
import { compareBytes, revisionToRead, select, sortByValue, sortsByValue } from './range.ts';
import {
  type Compare,
  type DeleteRequest,
  type DeleteResult,
  type KeyValueBytes,
  type PutRequest,
  type PutResult,
  type RangeRequest,
  type RangeResult,
  type RecordsRequest,
  StoreError,
  type TxnOp,
  type TxnOpResult,
  type TxnRequest,
  type TxnResult,
  type WriteRequest,
} from './requests.ts';
import { type LeaseId, NO_LEASE, ONE_KEY, type Revision } from './types.ts';

/** What comes of a change of leases. `ttl` is the granted one for a grant, else 0. */
export interface LeaseResult {
  readonly kind: 'lease';
  readonly revision: Revision;
  readonly id: LeaseId;
  readonly ttl: number;
}

/** `written`: false when the guard was not as expected. */
export interface RecordsResult {
  readonly kind: 'records';
  readonly revision: Revision;
  readonly written: boolean;
}

export type WriteResult = PutResult | DeleteResult | TxnResult | LeaseResult | RecordsResult;

/** What a decision rests on besides the draft. */
export interface DecideContext {
  /** The compaction horizon. */
  readonly horizon: Revision;
  readonly messages: Messages;
}

/**
 * Decides one request: adds its changes to the draft and answers its result, or throws a StoreError and leaves the
 * draft as it was. Pure: it reads index, leases and cache through the draft and the context, and waits for nothing.
 * Values that it compares or copies must be in memory (`versionsToLoad` says which); those that only the answer needs
 * may be missing.
 *
 * The order of steps is etcd's (server/etcdserver/txn): all compares, nested ones too, are evaluated before anything is
 * done; then every operation of the branches taken is checked; then they are done in order.
 */
export function decide(draft: Draft, request: WriteRequest, context: DecideContext): WriteResult {
  draft.begin();
  try {
    const result = decideOne(draft, request, context);
    draft.commit();
    return result;
  } catch (error) {
    draft.rollback();
    throw error;
  }
}

function decideOne(draft: Draft, request: WriteRequest, context: DecideContext): WriteResult {
  if ('permit' in request) request.permit?.();
  switch (request.kind) {
    case 'put':
      checkPut(draft, request);
      return put(draft, request, context.messages);
    case 'delete':
      return deleteRange(draft, request, context.messages);
    case 'txn':
      return decideTxn(draft, request, context);
    case 'lease-grant':
      if (draft.hasLease(request.id)) throw new StoreError('lease-exists');
      draft.note({ kind: 'grant', id: request.id, ttl: request.ttl });
      return { kind: 'lease', revision: draft.revision, id: request.id, ttl: request.ttl };
    case 'lease-revoke':
    case 'lease-expire': {
      if (!draft.hasLease(request.id)) throw new StoreError('lease-not-found');
      for (const key of draft.leaseKeys(request.id)) draft.delete(key, draft.newest(key));
      draft.note({ kind: request.kind === 'lease-revoke' ? 'revoke' : 'expire', id: request.id });
      return { kind: 'lease', revision: revisionSoFar(draft), id: request.id, ttl: 0 };
    }
    case 'lease-checkpoint':
      if (!draft.hasLease(request.id)) throw new StoreError('lease-not-found');
      draft.note({ kind: 'checkpoint', id: request.id, remainingTtl: request.remainingTtl });
      return { kind: 'lease', revision: draft.revision, id: request.id, ttl: 0 };
    case 'records':
      return decideRecords(draft, request);
    default:
      return unreachable(request);
  }
}

function decideRecords(draft: Draft, request: RecordsRequest): RecordsResult {
  const { guard } = request;
  if (guard !== undefined && !sameValue(draft.record(guard.name), guard.value)) {
    return { kind: 'records', revision: draft.revision, written: false };
  }
  for (const change of request.changes) draft.note(change);
  return { kind: 'records', revision: draft.revision, written: true };
}

function sameValue(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : compareBytes(a, b) === 0;
}

// ── Transactions ────────────────────────────────────────────────────────────────────────────────────────────────────

/** The way that a transaction takes, found before it is gone. `nested` belongs to the nested transactions in order. */
interface Path {
  readonly succeeded: boolean;
  readonly ops: readonly TxnOp[];
  readonly nested: readonly Path[];
}

function decideTxn(draft: Draft, request: TxnRequest, context: DecideContext): TxnResult {
  const path = findPath(draft, request, context.messages);
  check(draft, path, context.horizon);
  const results = execute(draft, path, context);
  return { kind: 'txn', revision: revisionSoFar(draft), succeeded: path.succeeded, results };
}

function findPath(draft: Draft, request: TxnRequest, messages: Messages): Path {
  const succeeded = request.compare.every((compare) => holds(draft, compare, messages));
  const ops = succeeded ? request.success : request.failure;
  let nested = NO_PATHS;
  for (const op of ops) if (op.kind === 'txn') nested = [...nested, findPath(draft, op, messages)];
  return { succeeded, ops, nested };
}

const NO_PATHS: readonly Path[] = [];
const NO_PATH: Path = { succeeded: true, ops: [], nested: NO_PATHS };

/** As etcd does it: all puts, those of nested transactions included, before the first range. */
function check(draft: Draft, path: Path, horizon: Revision): void {
  const ops = opsAlong(path);
  for (const op of ops) if (op.kind === 'put') checkPut(draft, op);
  for (const op of ops) if (op.kind === 'range') checkRange(op.revision, draft.revision, horizon);
}

/** With those of nested transactions in their places. */
function opsAlong({ ops, nested }: Path): readonly TxnOp[] {
  if (nested.length === 0) return ops;
  const inner = nested.values();
  return ops.flatMap((op) => (op.kind === 'txn' ? opsAlong(inner.next().value ?? NO_PATH) : [op]));
}

/** In transactions etcd takes only 0 for "the newest"; below it is compacted. */
function checkRange(asked: Revision, head: Revision, horizon: Revision): void {
  if (asked > head) throw new StoreError('future-revision');
  if (asked !== 0 && asked < (horizon === 0 ? -1 : horizon)) throw new StoreError('compacted');
}

function execute(draft: Draft, path: Path, context: DecideContext): TxnOpResult[] {
  const results: TxnOpResult[] = [];
  let nested = 0;
  for (const op of path.ops) {
    switch (op.kind) {
      case 'range':
        results.push(range(draft, op, context));
        break;
      case 'put':
        results.push(put(draft, op, context.messages));
        break;
      case 'delete':
        results.push(deleteRange(draft, op, context.messages));
        break;
      case 'txn': {
        const inner = path.nested[nested];
        nested += 1;
        if (inner === undefined) break;
        // etcd leaves the header of nested answers empty.
        const innerResults = execute(draft, inner, context);
        results.push({ kind: 'txn', revision: 0, succeeded: inner.succeeded, results: innerResults });
        break;
      }
      default:
        unreachable(op);
    }
  }
  return results;
}

/** Every key of the range must hold; of an empty range, a key whose numbers are all 0, and no value ever. */
function holds(draft: Draft, compare: Compare, messages: Messages): boolean {
  if (compare.end === ONE_KEY) {
    const version = draft.newest(compare.key);
    return keyHolds(version !== undefined && version.version > 0 ? version : undefined, compare, messages);
  }
  const versions = draft.versionsIn(compare.key, compare.end, draft.revision, 0);
  if (versions.length === 0) return keyHolds(undefined, compare, messages);
  return versions.every((version) => keyHolds(version, compare, messages));
}

function keyHolds(version: KeyVersion | undefined, compare: Compare, messages: Messages): boolean {
  const { target } = compare;
  switch (target.kind) {
    case 'version':
      return fits((version?.version ?? 0) - target.number, compare.result);
    case 'create':
      return fits((version?.createRevision ?? 0) - target.number, compare.result);
    case 'mod':
      return fits((version?.revision ?? 0) - target.number, compare.result);
    case 'lease': {
      const lease = version?.lease ?? NO_LEASE;
      return fits(lease === target.lease ? 0 : lease < target.lease ? -1 : 1, compare.result);
    }
    case 'value':
      if (version === undefined) return false;
      return fits(compareBytes(valueIn(loaded(version, messages)), target.value), compare.result);
    default:
      return unreachable(target);
  }
}

function fits(difference: number, result: Compare['result']): boolean {
  switch (result) {
    case 'equal':
      return difference === 0;
    case 'not-equal':
      return difference !== 0;
    case 'greater':
      return difference > 0;
    case 'less':
      return difference < 0;
    default:
      return unreachable(result);
  }
}

// ── Operations ──────────────────────────────────────────────────────────────────────────────────────────────────────

function checkPut(draft: Draft, request: PutRequest): void {
  if (request.lease !== NO_LEASE && !draft.hasLease(request.lease)) throw new StoreError('lease-not-found');
  if (!request.ignoreValue && !request.ignoreLease) return;
  const before = draft.newest(request.key);
  if (before === undefined || before.version === 0) throw new StoreError('key-not-found');
}

function put(draft: Draft, request: PutRequest, messages: Messages): PutResult {
  const before = draft.newest(request.key);
  const lives = before !== undefined && before.version > 0;
  if (!lives && (request.ignoreValue || request.ignoreLease)) throw new StoreError('key-not-found');
  const value = lives && request.ignoreValue ? valueIn(loaded(before, messages)).slice() : request.value;
  const lease = lives && request.ignoreLease ? before.lease : request.lease;
  const result: { kind: 'put'; revision: Revision; prevKv: KeyValueBytes | undefined } = {
    kind: 'put',
    revision: draft.revision + 1,
    prevKv: undefined,
  };
  if (lives && request.prevKv) {
    messages.give(before, (message) => {
      result.prevKv = message;
    });
  }
  draft.put(request.key, value, lease, before);
  return result;
}

function deleteRange(draft: Draft, request: DeleteRequest, messages: Messages): DeleteResult {
  const versions = draft.versionsIn(request.key, request.end, revisionSoFar(draft), 0);
  const prevKvs: KeyValueBytes[] = [];
  if (request.prevKv) giveAll(versions, messages, prevKvs);
  for (const version of versions) draft.delete(version.key, version);
  return { kind: 'delete', revision: revisionSoFar(draft), deleted: versions.length, prevKvs };
}

function range(draft: Draft, request: RangeRequest, context: DecideContext): RangeResult {
  const { messages } = context;
  const head = revisionSoFar(draft);
  const revision = revisionToRead(request.revision, head, context.horizon);
  const selection = select(draft, request, revision);
  if (sortsByValue(request)) {
    const all = selection.versions.map((version) => loaded(version, messages));
    sortByValue(selection, all, request);
  }
  const kvs: KeyValueBytes[] = [];
  if (request.keysOnly) for (const version of selection.versions) kvs.push(messages.keyOnly(version));
  else giveAll(selection.versions, messages, kvs);
  return { kind: 'range', revision: head, count: selection.count, more: selection.more, kvs };
}

function giveAll(versions: readonly KeyVersion[], messages: Messages, into: KeyValueBytes[]): void {
  for (let i = 0; i < versions.length; i += 1) {
    const version = versions[i];
    if (version === undefined) continue;
    into.push(NOT_YET);
    messages.give(version, (message) => {
      into[i] = message;
    });
  }
}

const NOT_YET: KeyValueBytes = new Uint8Array(0);

/** The revision that the request under decision has reached: the next one as soon as it has changed something. */
function revisionSoFar(draft: Draft): Revision {
  return draft.pending > 0 ? draft.revision + 1 : draft.revision;
}

function loaded(version: KeyVersion, messages: Messages): KeyValueBytes {
  const message = messages.peek(version);
  if (message === undefined) throw new ValueNotLoaded();
  return message;
}

/** decide met a value that is not in memory. The Writer loads what `versionsToLoad` names and decides again. */
export class ValueNotLoaded extends Error {
  override readonly name = 'ValueNotLoaded';
}
