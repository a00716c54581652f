import {
  MemberAddRequest,
  MemberAddResponse,
  MemberListRequest,
  MemberListResponse,
  MemberPromoteRequest,
  MemberPromoteResponse,
  MemberRemoveRequest,
  MemberRemoveResponse,
  MemberUpdateRequest,
  MemberUpdateResponse,
} from '../etcd/messages/cluster-table.ts';
import { readMethod, writeMethod } from './method.ts';

/** The methods of etcdserverpb.Cluster. */
export const ClusterMethod = {
  memberAdd: writeMethod('Cluster/MemberAdd', MemberAddRequest, MemberAddResponse),
  memberRemove: writeMethod('Cluster/MemberRemove', MemberRemoveRequest, MemberRemoveResponse),
  memberUpdate: writeMethod('Cluster/MemberUpdate', MemberUpdateRequest, MemberUpdateResponse),
  memberList: readMethod('Cluster/MemberList', MemberListRequest, MemberListResponse),
  memberPromote: writeMethod('Cluster/MemberPromote', MemberPromoteRequest, MemberPromoteResponse),
} as const;
