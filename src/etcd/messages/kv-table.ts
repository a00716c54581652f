import {
  bool,
  bytes,
  type EnumType,
  enumeration,
  id64,
  int64,
  type MessageType,
  message,
  nested,
  nestedLater,
  oneof,
  repeated,
  uint64,
} from './schema.ts';

/** The messages of etcdserverpb.KV and what they hold. Source: etcd 3.7's rpc.proto and kv.proto. */

export const ResponseHeader = message('etcdserverpb.ResponseHeader', {
  cluster_id: uint64(1),
  member_id: uint64(2),
  revision: int64(3),
  raft_term: uint64(4),
});

export const KeyValue = message('mvccpb.KeyValue', {
  key: bytes(1),
  create_revision: int64(2),
  mod_revision: int64(3),
  version: int64(4),
  value: bytes(5),
  lease: id64(6),
});

export const SortOrder: EnumType = {
  name: 'etcdserverpb.RangeRequest.SortOrder',
  values: ['NONE', 'ASCEND', 'DESCEND'],
};
export const SortTarget: EnumType = {
  name: 'etcdserverpb.RangeRequest.SortTarget',
  values: ['KEY', 'VERSION', 'CREATE', 'MOD', 'VALUE'],
};

export const RangeRequest = message('etcdserverpb.RangeRequest', {
  key: bytes(1),
  range_end: bytes(2),
  limit: int64(3),
  revision: int64(4),
  sort_order: enumeration(5, SortOrder),
  sort_target: enumeration(6, SortTarget),
  serializable: bool(7),
  keys_only: bool(8),
  count_only: bool(9),
  min_mod_revision: int64(10),
  max_mod_revision: int64(11),
  min_create_revision: int64(12),
  max_create_revision: int64(13),
});

export const RangeResponse = message('etcdserverpb.RangeResponse', {
  header: nested(1, ResponseHeader),
  kvs: repeated(nested(2, KeyValue)),
  more: bool(3),
  count: int64(4),
});

export const RangeStreamResponse = message('etcdserverpb.RangeStreamResponse', {
  range_response: nested(1, RangeResponse),
});

export const PutRequest = message('etcdserverpb.PutRequest', {
  key: bytes(1),
  value: bytes(2),
  lease: id64(3),
  prev_kv: bool(4),
  ignore_value: bool(5),
  ignore_lease: bool(6),
});

export const PutResponse = message('etcdserverpb.PutResponse', {
  header: nested(1, ResponseHeader),
  prev_kv: nested(2, KeyValue),
});

export const DeleteRangeRequest = message('etcdserverpb.DeleteRangeRequest', {
  key: bytes(1),
  range_end: bytes(2),
  prev_kv: bool(3),
});

export const DeleteRangeResponse = message('etcdserverpb.DeleteRangeResponse', {
  header: nested(1, ResponseHeader),
  deleted: int64(2),
  prev_kvs: repeated(nested(3, KeyValue)),
});

export const CompareResult: EnumType = {
  name: 'etcdserverpb.Compare.CompareResult',
  values: ['EQUAL', 'GREATER', 'LESS', 'NOT_EQUAL'],
};
export const CompareTarget: EnumType = {
  name: 'etcdserverpb.Compare.CompareTarget',
  values: ['VERSION', 'CREATE', 'MOD', 'VALUE', 'LEASE'],
};

export const Compare = message('etcdserverpb.Compare', {
  result: enumeration(1, CompareResult),
  target: enumeration(2, CompareTarget),
  key: bytes(3),
  version: oneof('target_union', int64(4)),
  create_revision: oneof('target_union', int64(5)),
  mod_revision: oneof('target_union', int64(6)),
  value: oneof('target_union', bytes(7)),
  lease: oneof('target_union', id64(8)),
  range_end: bytes(64),
});

export const RequestOp = message('etcdserverpb.RequestOp', {
  request_range: oneof('request', nested(1, RangeRequest)),
  request_put: oneof('request', nested(2, PutRequest)),
  request_delete_range: oneof('request', nested(3, DeleteRangeRequest)),
  request_txn: oneof(
    'request',
    nestedLater(4, (): MessageType<object> => TxnRequest),
  ),
});

export const TxnRequest = message('etcdserverpb.TxnRequest', {
  compare: repeated(nested(1, Compare)),
  success: repeated(nested(2, RequestOp)),
  failure: repeated(nested(3, RequestOp)),
});

export const ResponseOp = message('etcdserverpb.ResponseOp', {
  response_range: oneof('response', nested(1, RangeResponse)),
  response_put: oneof('response', nested(2, PutResponse)),
  response_delete_range: oneof('response', nested(3, DeleteRangeResponse)),
  response_txn: oneof(
    'response',
    nestedLater(4, (): MessageType<object> => TxnResponse),
  ),
});

export const TxnResponse = message('etcdserverpb.TxnResponse', {
  header: nested(1, ResponseHeader),
  succeeded: bool(2),
  responses: repeated(nested(3, ResponseOp)),
});

export const CompactionRequest = message('etcdserverpb.CompactionRequest', { revision: int64(1), physical: bool(2) });
export const CompactionResponse = message('etcdserverpb.CompactionResponse', { header: nested(1, ResponseHeader) });
