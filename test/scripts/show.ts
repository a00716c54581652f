import type {
  DeleteRangeResponse,
  Event,
  KeyValue,
  PutResponse,
  RangeResponse,
  ResponseHeader,
  ResponseOp,
  TxnResponse,
} from '../support/messages.ts';
import { showBytes } from './words.ts';

/** Whether the answer stands by itself or inside a transaction: there etcd's headers carry a revision only. */
export type Place = 'outer' | 'inner';

export function showHeader(header: ResponseHeader | null, place: Place = 'outer'): string {
  if (header === null) return 'no-header';
  const ids = [header.cluster_id, header.member_id, header.raft_term].filter((id) => id !== '0').length;
  const odd = ids === (place === 'outer' ? 3 : 0) ? '' : ` (${ids} of cluster_id, member_id, raft_term)`;
  return `rev ${header.revision}${odd}`;
}

export function showKv(kv: KeyValue): string {
  const lease = kv.lease === '0' ? '' : ` lease ${kv.lease}`;
  return `${showBytes(kv.key)}=${showBytes(kv.value)} create ${kv.create_revision} mod ${kv.mod_revision} version ${kv.version}${lease}`;
}

export function showRange(answer: RangeResponse, place: Place = 'outer'): string[] {
  const more = answer.more ? ' more' : '';
  return [
    `${showHeader(answer.header, place)} count ${answer.count}${more}`,
    ...answer.kvs.map((kv) => `  ${showKv(kv)}`),
  ];
}

export function showPut(answer: PutResponse, place: Place = 'outer'): string[] {
  return [showHeader(answer.header, place), ...(answer.prev_kv === null ? [] : [`  was ${showKv(answer.prev_kv)}`])];
}

export function showDelete(answer: DeleteRangeResponse, place: Place = 'outer'): string[] {
  return [
    `${showHeader(answer.header, place)} deleted ${answer.deleted}`,
    ...answer.prev_kvs.map((kv) => `  was ${showKv(kv)}`),
  ];
}

export function showTxn(answer: TxnResponse, place: Place = 'outer'): string[] {
  return [
    `${showHeader(answer.header, place)} ${answer.succeeded ? 'succeeded' : 'failed'}`,
    ...answer.responses.flatMap(showOp).map((line) => `  ${line}`),
  ];
}

function showOp(op: ResponseOp): string[] {
  if (op.response_range != null) return prefixed('get', showRange(op.response_range, 'inner'));
  if (op.response_put != null) return prefixed('put', showPut(op.response_put, 'inner'));
  if (op.response_delete_range != null) return prefixed('del', showDelete(op.response_delete_range, 'inner'));
  if (op.response_txn != null) return prefixed('txn', showTxn(op.response_txn, 'inner'));
  return ['empty'];
}

function prefixed(word: string, lines: readonly string[]): string[] {
  return lines.map((line, i) => (i === 0 ? `${word} ${line}` : line));
}

export function showEvent(event: Event): string[] {
  const what = event.type === 'PUT' ? 'put' : 'del';
  return [
    `${what} ${event.kv === null ? 'nothing' : showKv(event.kv)}`,
    ...(event.prev_kv === null ? [] : [`  was ${showKv(event.prev_kv)}`]),
  ];
}
