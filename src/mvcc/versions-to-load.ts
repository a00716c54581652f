import type { KeyVersion } from './key-history.ts';
import type { KeyView } from './key-index.ts';
import { select, sortsByValue } from './range.ts';
import type { TxnOp, TxnRequest, WriteRequest } from './requests.ts';
import type { Revision } from './types.ts';

/**
 * The versions whose values a decision rests on: compared values, values that a put keeps, ranges sorted by value. For
 * nearly all requests: none. More than needed may be named (both branches); changes of the same batch need no loading.
 */
export function versionsToLoad(view: KeyView, head: Revision, horizon: Revision, request: WriteRequest): KeyVersion[] {
  if (request.kind === 'put' ? !request.ignoreValue : request.kind !== 'txn') return NONE;
  const found: KeyVersion[] = [];
  if (request.kind === 'txn') addTxn(view, head, horizon, request, found);
  else addOp(view, head, horizon, request, found);
  return found;
}

const NONE: KeyVersion[] = [];

function addTxn(view: KeyView, head: Revision, horizon: Revision, request: TxnRequest, into: KeyVersion[]): void {
  for (const { key, end, target } of request.compare) {
    if (target.kind === 'value') addAll(view.versionsIn(key, end, head, 0), into);
  }
  for (const op of request.success) addOp(view, head, horizon, op, into);
  for (const op of request.failure) addOp(view, head, horizon, op, into);
}

function addOp(view: KeyView, head: Revision, horizon: Revision, op: TxnOp | WriteRequest, into: KeyVersion[]): void {
  if (op.kind === 'txn') addTxn(view, head, horizon, op, into);
  else if (op.kind === 'put' && op.ignoreValue) {
    const version = view.versionAt(op.key, head);
    if (version !== undefined) into.push(version);
  } else if (op.kind === 'range' && sortsByValue(op)) {
    const revision = op.revision <= 0 ? head : op.revision;
    if (revision <= head && revision >= horizon) addAll(select(view, { ...op, limit: 0 }, revision).versions, into);
  }
}

function addAll(versions: readonly KeyVersion[], into: KeyVersion[]): void {
  for (const version of versions) into.push(version);
}
