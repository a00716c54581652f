import {
  AlarmRequest,
  AlarmResponse,
  DefragmentRequest,
  DefragmentResponse,
  DowngradeRequest,
  DowngradeResponse,
  HashKVRequest,
  HashKVResponse,
  MoveLeaderRequest,
  MoveLeaderResponse,
  SnapshotRequest,
  SnapshotResponse,
  StatusRequest,
  StatusResponse,
} from '../etcd/messages/maintenance-table.ts';
import { readMethod, writeMethod } from './method.ts';

/** The methods of etcdserverpb.Maintenance; snapshot answers a stream. */
export const MaintenanceMethod = {
  alarm: writeMethod('Maintenance/Alarm', AlarmRequest, AlarmResponse),
  status: readMethod('Maintenance/Status', StatusRequest, StatusResponse),
  defragment: writeMethod('Maintenance/Defragment', DefragmentRequest, DefragmentResponse),
  hashKV: readMethod('Maintenance/HashKV', HashKVRequest, HashKVResponse),
  snapshot: readMethod('Maintenance/Snapshot', SnapshotRequest, SnapshotResponse),
  downgrade: writeMethod('Maintenance/Downgrade', DowngradeRequest, DowngradeResponse),
  moveLeader: writeMethod('Maintenance/MoveLeader', MoveLeaderRequest, MoveLeaderResponse),
} as const;
