import * as auth from './auth-table.ts';
import * as cluster from './cluster-table.ts';
import * as election from './election-table.ts';
import * as health from './health-table.ts';
import * as kv from './kv-table.ts';
import * as lease from './lease-table.ts';
import * as lock from './lock-table.ts';
import * as maintenance from './maintenance-table.ts';
import type { AnyMessage } from './schema.ts';
import * as watch from './watch-table.ts';

/**
 * Every method of the API with its messages and its places in the JSON gateway: what those need who handle calls of any
 * method alike (the gateway, reflection, the audit log). Routes as in the google.api.http options of etcd's .proto files.
 */
export interface ApiMethod {
  readonly service: string;
  readonly name: string;
  /** As gRPC calls it: `/package.Service/Method`. */
  readonly path: string;
  readonly request: AnyMessage;
  readonly response: AnyMessage;
  readonly clientStreams: boolean;
  readonly serverStreams: boolean;
  /** All are POST with the whole message as body. */
  readonly routes: readonly string[];
}

/** [name, request, response, routes without /v3] */
type Row = readonly [
  name: string,
  request: object,
  response: object,
  routes: readonly string[],
  streams?: 'server' | 'both',
];

const SERVICES: Readonly<Record<string, readonly Row[]>> = {
  'etcdserverpb.KV': [
    ['Range', kv.RangeRequest, kv.RangeResponse, ['/kv/range']],
    ['RangeStream', kv.RangeRequest, kv.RangeStreamResponse, [], 'server'],
    ['Put', kv.PutRequest, kv.PutResponse, ['/kv/put']],
    ['DeleteRange', kv.DeleteRangeRequest, kv.DeleteRangeResponse, ['/kv/deleterange']],
    ['Txn', kv.TxnRequest, kv.TxnResponse, ['/kv/txn']],
    ['Compact', kv.CompactionRequest, kv.CompactionResponse, ['/kv/compaction']],
  ],
  'etcdserverpb.Watch': [['Watch', watch.WatchRequest, watch.WatchResponse, ['/watch'], 'both']],
  'etcdserverpb.Lease': [
    ['LeaseGrant', lease.LeaseGrantRequest, lease.LeaseGrantResponse, ['/lease/grant']],
    ['LeaseRevoke', lease.LeaseRevokeRequest, lease.LeaseRevokeResponse, ['/lease/revoke', '/kv/lease/revoke']],
    ['LeaseKeepAlive', lease.LeaseKeepAliveRequest, lease.LeaseKeepAliveResponse, ['/lease/keepalive'], 'both'],
    [
      'LeaseTimeToLive',
      lease.LeaseTimeToLiveRequest,
      lease.LeaseTimeToLiveResponse,
      ['/lease/timetolive', '/kv/lease/timetolive'],
    ],
    ['LeaseLeases', lease.LeaseLeasesRequest, lease.LeaseLeasesResponse, ['/lease/leases', '/kv/lease/leases']],
  ],
  'etcdserverpb.Cluster': [
    ['MemberAdd', cluster.MemberAddRequest, cluster.MemberAddResponse, ['/cluster/member/add']],
    ['MemberRemove', cluster.MemberRemoveRequest, cluster.MemberRemoveResponse, ['/cluster/member/remove']],
    ['MemberUpdate', cluster.MemberUpdateRequest, cluster.MemberUpdateResponse, ['/cluster/member/update']],
    ['MemberList', cluster.MemberListRequest, cluster.MemberListResponse, ['/cluster/member/list']],
    ['MemberPromote', cluster.MemberPromoteRequest, cluster.MemberPromoteResponse, ['/cluster/member/promote']],
  ],
  'etcdserverpb.Maintenance': [
    ['Alarm', maintenance.AlarmRequest, maintenance.AlarmResponse, ['/maintenance/alarm']],
    ['Status', maintenance.StatusRequest, maintenance.StatusResponse, ['/maintenance/status']],
    ['Defragment', maintenance.DefragmentRequest, maintenance.DefragmentResponse, ['/maintenance/defragment']],
    ['Hash', maintenance.HashRequest, maintenance.HashResponse, ['/maintenance/hash']],
    ['HashKV', maintenance.HashKVRequest, maintenance.HashKVResponse, ['/maintenance/hashkv']],
    ['Snapshot', maintenance.SnapshotRequest, maintenance.SnapshotResponse, ['/maintenance/snapshot'], 'server'],
    ['MoveLeader', maintenance.MoveLeaderRequest, maintenance.MoveLeaderResponse, ['/maintenance/transfer-leadership']],
    ['Downgrade', maintenance.DowngradeRequest, maintenance.DowngradeResponse, ['/maintenance/downgrade']],
  ],
  'etcdserverpb.Auth': [
    ['AuthEnable', auth.AuthEnableRequest, auth.AuthEnableResponse, ['/auth/enable']],
    ['AuthDisable', auth.AuthDisableRequest, auth.AuthDisableResponse, ['/auth/disable']],
    ['AuthStatus', auth.AuthStatusRequest, auth.AuthStatusResponse, ['/auth/status']],
    ['Authenticate', auth.AuthenticateRequest, auth.AuthenticateResponse, ['/auth/authenticate']],
    ['UserAdd', auth.AuthUserAddRequest, auth.AuthUserAddResponse, ['/auth/user/add']],
    ['UserGet', auth.AuthUserGetRequest, auth.AuthUserGetResponse, ['/auth/user/get']],
    ['UserList', auth.AuthUserListRequest, auth.AuthUserListResponse, ['/auth/user/list']],
    ['UserDelete', auth.AuthUserDeleteRequest, auth.AuthUserDeleteResponse, ['/auth/user/delete']],
    [
      'UserChangePassword',
      auth.AuthUserChangePasswordRequest,
      auth.AuthUserChangePasswordResponse,
      ['/auth/user/changepw'],
    ],
    ['UserGrantRole', auth.AuthUserGrantRoleRequest, auth.AuthUserGrantRoleResponse, ['/auth/user/grant']],
    ['UserRevokeRole', auth.AuthUserRevokeRoleRequest, auth.AuthUserRevokeRoleResponse, ['/auth/user/revoke']],
    ['RoleAdd', auth.AuthRoleAddRequest, auth.AuthRoleAddResponse, ['/auth/role/add']],
    ['RoleGet', auth.AuthRoleGetRequest, auth.AuthRoleGetResponse, ['/auth/role/get']],
    ['RoleList', auth.AuthRoleListRequest, auth.AuthRoleListResponse, ['/auth/role/list']],
    ['RoleDelete', auth.AuthRoleDeleteRequest, auth.AuthRoleDeleteResponse, ['/auth/role/delete']],
    [
      'RoleGrantPermission',
      auth.AuthRoleGrantPermissionRequest,
      auth.AuthRoleGrantPermissionResponse,
      ['/auth/role/grant'],
    ],
    [
      'RoleRevokePermission',
      auth.AuthRoleRevokePermissionRequest,
      auth.AuthRoleRevokePermissionResponse,
      ['/auth/role/revoke'],
    ],
  ],
  'v3lockpb.Lock': [
    ['Lock', lock.LockRequest, lock.LockResponse, ['/lock/lock']],
    ['Unlock', lock.UnlockRequest, lock.UnlockResponse, ['/lock/unlock']],
  ],
  'v3electionpb.Election': [
    ['Campaign', election.CampaignRequest, election.CampaignResponse, ['/election/campaign']],
    ['Proclaim', election.ProclaimRequest, election.ProclaimResponse, ['/election/proclaim']],
    ['Leader', election.LeaderRequest, election.LeaderResponse, ['/election/leader']],
    ['Observe', election.LeaderRequest, election.LeaderResponse, ['/election/observe'], 'server'],
    ['Resign', election.ResignRequest, election.ResignResponse, ['/election/resign']],
  ],
  'grpc.health.v1.Health': [
    ['Check', health.HealthCheckRequest, health.HealthCheckResponse, []],
    ['Watch', health.HealthCheckRequest, health.HealthCheckResponse, [], 'server'],
  ],
};

export const API_METHODS: readonly ApiMethod[] = Object.entries(SERVICES).flatMap(([service, rows]) =>
  rows.map(([name, request, response, routes, streams]) => ({
    service,
    name,
    path: `/${service}/${name}`,
    request: request as AnyMessage,
    response: response as AnyMessage,
    clientStreams: streams === 'both',
    serverStreams: streams !== undefined,
    routes: routes.map((route) => `/v3${route}`),
  })),
);
