import { KeyValue, ResponseHeader } from './kv-table.ts';
import {
  bool,
  bytes,
  type EnumType,
  enumeration,
  id64,
  int64,
  message,
  nested,
  oneof,
  repeated,
  string,
} from './schema.ts';

/** The messages of etcdserverpb.Watch. Source: etcd 3.7's rpc.proto and kv.proto. */

export const EventType: EnumType = { name: 'mvccpb.Event.EventType', values: ['PUT', 'DELETE'] };

export const Event = message('mvccpb.Event', {
  type: enumeration(1, EventType),
  kv: nested(2, KeyValue),
  prev_kv: nested(3, KeyValue),
});

export const FilterType: EnumType = {
  name: 'etcdserverpb.WatchCreateRequest.FilterType',
  values: ['NOPUT', 'NODELETE'],
};

export const WatchCreateRequest = message('etcdserverpb.WatchCreateRequest', {
  key: bytes(1),
  range_end: bytes(2),
  start_revision: int64(3),
  progress_notify: bool(4),
  filters: repeated(enumeration(5, FilterType)),
  prev_kv: bool(6),
  watch_id: id64(7),
  fragment: bool(8),
});

export const WatchCancelRequest = message('etcdserverpb.WatchCancelRequest', { watch_id: id64(1) });
export const WatchProgressRequest = message('etcdserverpb.WatchProgressRequest', {});

export const WatchRequest = message('etcdserverpb.WatchRequest', {
  create_request: oneof('request_union', nested(1, WatchCreateRequest)),
  cancel_request: oneof('request_union', nested(2, WatchCancelRequest)),
  progress_request: oneof('request_union', nested(3, WatchProgressRequest)),
});

export const WatchResponse = message('etcdserverpb.WatchResponse', {
  header: nested(1, ResponseHeader),
  watch_id: id64(2),
  created: bool(3),
  canceled: bool(4),
  compact_revision: int64(5),
  cancel_reason: string(6),
  fragment: bool(7),
  events: repeated(nested(11, Event)),
});
