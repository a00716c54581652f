import {
  DeleteRangeResponse,
  PutResponse,
  RangeResponse,
  type ResponseOp,
  TxnResponse,
} from '../../etcd/messages/kv-table.ts';
import type { Value } from '../../etcd/messages/schema.ts';
import { messageJson } from '../format/message-json.ts';
import type { Pieces, View } from '../printer.ts';
import { fieldLines, headerFields } from './header-fields.ts';
import { type PairStyle, pairFields, pairLines } from './key-value.ts';

type Range = Partial<Value<typeof RangeResponse>>;
type Put = Partial<Value<typeof PutResponse>>;
type Delete = Partial<Value<typeof DeleteRangeResponse>>;
type Txn = Partial<Value<typeof TxnResponse>>;
type Op = Partial<Value<typeof ResponseOp>>;

export function rangeView(response: Range, style: PairStyle): View {
  return {
    simple: () => (response.kvs ?? []).flatMap((pair) => pairLines(pair, style)),
    fields: () => [rangeFields(response)],
    json: () => messageJson(RangeResponse, response),
    protobuf: () => RangeResponse.encode(response),
  };
}

export function putView(response: Put, style: PairStyle): View {
  return {
    simple: () => ['OK\n', ...(response.prev_kv === undefined ? [] : pairLines(response.prev_kv, style))],
    fields: () => [putFields(response)],
    json: () => messageJson(PutResponse, response),
    protobuf: () => PutResponse.encode(response),
  };
}

export function deleteView(response: Delete, style: PairStyle): View {
  return {
    simple: () => [
      `${response.deleted ?? 0}\n`,
      ...(response.prev_kvs ?? []).flatMap((pair) => pairLines(pair, style)),
    ],
    fields: () => [deleteFields(response)],
    json: () => messageJson(DeleteRangeResponse, response),
    protobuf: () => DeleteRangeResponse.encode(response),
  };
}

export function txnView(response: Txn, style: PairStyle): View {
  return {
    simple: () => [
      response.succeeded === true ? 'SUCCESS\n' : 'FAILURE\n',
      ...(response.responses ?? []).flatMap((op): Pieces => ['\n', ...(opView(op, style)?.simple?.() ?? [])]),
    ],
    fields: () => [
      headerFields(response.header),
      fieldLines({ Succeeded: response.succeeded ?? false }),
      ...(response.responses ?? []).flatMap((op) => opView(op, style)?.fields?.() ?? []),
    ],
    json: () => messageJson(TxnResponse, response),
    protobuf: () => TxnResponse.encode(response),
  };
}

function opView(op: Op, style: PairStyle): View | undefined {
  if (op.response_range !== undefined) return rangeView(op.response_range, style);
  if (op.response_put !== undefined) return putView(op.response_put, style);
  if (op.response_delete_range !== undefined) return deleteView(op.response_delete_range, style);
  return undefined;
}

function rangeFields({ header, kvs = [], more = false, count = 0 }: Range): string {
  return `${headerFields(header)}${kvs.map((pair) => pairFields(pair)).join('')}${fieldLines({ More: more, Count: count })}`;
}

function putFields({ header, prev_kv }: Put): string {
  return `${headerFields(header)}${prev_kv === undefined ? '' : pairFields(prev_kv, 'Prev')}`;
}

function deleteFields({ header, deleted = 0, prev_kvs = [] }: Delete): string {
  const previous = prev_kvs.map((pair) => pairFields(pair, 'Prev')).join('');
  return `${headerFields(header)}${fieldLines({ Deleted: deleted })}${previous}`;
}
