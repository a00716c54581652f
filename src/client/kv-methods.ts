import {
  CompactionRequest,
  CompactionResponse,
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
} from '../etcd/messages/kv-table.ts';
import { readMethod, writeMethod } from './method.ts';

/** The methods of etcdserverpb.KV. */
export const KvMethod = {
  range: readMethod('KV/Range', RangeRequest, RangeResponse),
  put: writeMethod('KV/Put', PutRequest, PutResponse),
  deleteRange: writeMethod('KV/DeleteRange', DeleteRangeRequest, DeleteRangeResponse),
  txn: writeMethod('KV/Txn', TxnRequest, TxnResponse),
  compact: writeMethod('KV/Compact', CompactionRequest, CompactionResponse),
} as const;
