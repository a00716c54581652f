import { ResponseHeader } from './kv-table.ts';
import {
  bool,
  bytes,
  type EnumType,
  enumeration,
  int64,
  message,
  nested,
  repeated,
  string,
  uint32,
  uint64,
} from './schema.ts';

/** The messages of etcdserverpb.Maintenance. Source: etcd 3.7's rpc.proto. */

export const AlarmType: EnumType = { name: 'etcdserverpb.AlarmType', values: ['NONE', 'NOSPACE', 'CORRUPT'] };
export const AlarmAction: EnumType = {
  name: 'etcdserverpb.AlarmRequest.AlarmAction',
  values: ['GET', 'ACTIVATE', 'DEACTIVATE'],
};

export const AlarmRequest = message('etcdserverpb.AlarmRequest', {
  action: enumeration(1, AlarmAction),
  memberID: uint64(2),
  alarm: enumeration(3, AlarmType),
});
export const AlarmMember = message('etcdserverpb.AlarmMember', {
  memberID: uint64(1),
  alarm: enumeration(2, AlarmType),
});
export const AlarmResponse = message('etcdserverpb.AlarmResponse', {
  header: nested(1, ResponseHeader),
  alarms: repeated(nested(2, AlarmMember)),
});

export const DowngradeInfo = message('etcdserverpb.DowngradeInfo', { enabled: bool(1), targetVersion: string(2) });

export const StatusRequest = message('etcdserverpb.StatusRequest', {});
export const StatusResponse = message('etcdserverpb.StatusResponse', {
  header: nested(1, ResponseHeader),
  version: string(2),
  dbSize: int64(3),
  leader: uint64(4),
  raftIndex: uint64(5),
  raftTerm: uint64(6),
  raftAppliedIndex: uint64(7),
  errors: repeated(string(8)),
  dbSizeInUse: int64(9),
  isLearner: bool(10),
  storageVersion: string(11),
  dbSizeQuota: int64(12),
  downgradeInfo: nested(13, DowngradeInfo),
});

export const DefragmentRequest = message('etcdserverpb.DefragmentRequest', {});
export const DefragmentResponse = message('etcdserverpb.DefragmentResponse', { header: nested(1, ResponseHeader) });

export const HashRequest = message('etcdserverpb.HashRequest', {});
export const HashResponse = message('etcdserverpb.HashResponse', {
  header: nested(1, ResponseHeader),
  hash: uint32(2),
});

export const HashKVRequest = message('etcdserverpb.HashKVRequest', { revision: int64(1) });
export const HashKVResponse = message('etcdserverpb.HashKVResponse', {
  header: nested(1, ResponseHeader),
  hash: uint32(2),
  compact_revision: int64(3),
  hash_revision: int64(4),
});

export const SnapshotRequest = message('etcdserverpb.SnapshotRequest', {});
export const SnapshotResponse = message('etcdserverpb.SnapshotResponse', {
  header: nested(1, ResponseHeader),
  remaining_bytes: uint64(2),
  blob: bytes(3),
  version: string(4),
});

export const MoveLeaderRequest = message('etcdserverpb.MoveLeaderRequest', { targetID: uint64(1) });
export const MoveLeaderResponse = message('etcdserverpb.MoveLeaderResponse', { header: nested(1, ResponseHeader) });

export const DowngradeAction: EnumType = {
  name: 'etcdserverpb.DowngradeRequest.DowngradeAction',
  values: ['VALIDATE', 'ENABLE', 'CANCEL'],
};
export const DowngradeRequest = message('etcdserverpb.DowngradeRequest', {
  action: enumeration(1, DowngradeAction),
  version: string(2),
});
export const DowngradeResponse = message('etcdserverpb.DowngradeResponse', {
  header: nested(1, ResponseHeader),
  version: string(2),
});
export const DowngradeVersionTestRequest = message('etcdserverpb.DowngradeVersionTestRequest', { ver: string(1) });
