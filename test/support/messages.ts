/**
 * etcd's messages as the tests' client hands them out: int64 as decimal strings, enums by name, every field present.
 * Requests may leave out what is at its default; numbers may be given as number, bigint or string, enums as number too.
 */
export type Int64 = string;
export type Int64Input = number | string | bigint;
export type BytesInput = Uint8Array;

export interface ResponseHeader {
  readonly cluster_id: string;
  readonly member_id: string;
  readonly revision: Int64;
  readonly raft_term: string;
}

export interface KeyValue {
  readonly key: Buffer;
  readonly create_revision: Int64;
  readonly mod_revision: Int64;
  readonly version: Int64;
  readonly value: Buffer;
  readonly lease: Int64;
}

export interface Event {
  readonly type: 'PUT' | 'DELETE';
  readonly kv: KeyValue | null;
  readonly prev_kv: KeyValue | null;
}

export interface RangeRequest {
  readonly key?: BytesInput;
  readonly range_end?: BytesInput;
  readonly limit?: Int64Input;
  readonly revision?: Int64Input;
  readonly sort_order?: string | number;
  readonly sort_target?: string | number;
  readonly serializable?: boolean;
  readonly keys_only?: boolean;
  readonly count_only?: boolean;
  readonly min_mod_revision?: Int64Input;
  readonly max_mod_revision?: Int64Input;
  readonly min_create_revision?: Int64Input;
  readonly max_create_revision?: Int64Input;
}

export interface RangeResponse {
  readonly header: ResponseHeader | null;
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
  readonly count: Int64;
}

export interface RangeStreamResponse {
  readonly range_response: RangeResponse | null;
}

export interface PutRequest {
  readonly key?: BytesInput;
  readonly value?: BytesInput;
  readonly lease?: Int64Input;
  readonly prev_kv?: boolean;
  readonly ignore_value?: boolean;
  readonly ignore_lease?: boolean;
}

export interface PutResponse {
  readonly header: ResponseHeader | null;
  readonly prev_kv: KeyValue | null;
}

export interface DeleteRangeRequest {
  readonly key?: BytesInput;
  readonly range_end?: BytesInput;
  readonly prev_kv?: boolean;
}

export interface DeleteRangeResponse {
  readonly header: ResponseHeader | null;
  readonly deleted: Int64;
  readonly prev_kvs: readonly KeyValue[];
}

export interface RequestOp {
  readonly request_range?: RangeRequest;
  readonly request_put?: PutRequest;
  readonly request_delete_range?: DeleteRangeRequest;
  readonly request_txn?: TxnRequest;
}

export interface ResponseOp {
  readonly response_range?: RangeResponse | null;
  readonly response_put?: PutResponse | null;
  readonly response_delete_range?: DeleteRangeResponse | null;
  readonly response_txn?: TxnResponse | null;
}

export interface Compare {
  readonly result?: string | number;
  readonly target?: string | number;
  readonly key?: BytesInput;
  readonly range_end?: BytesInput;
  readonly version?: Int64Input;
  readonly create_revision?: Int64Input;
  readonly mod_revision?: Int64Input;
  readonly value?: BytesInput;
  readonly lease?: Int64Input;
}

export interface TxnRequest {
  readonly compare?: readonly Compare[];
  readonly success?: readonly RequestOp[];
  readonly failure?: readonly RequestOp[];
}

export interface TxnResponse {
  readonly header: ResponseHeader | null;
  readonly succeeded: boolean;
  readonly responses: readonly ResponseOp[];
}

export interface WatchCreateRequest {
  readonly key?: BytesInput;
  readonly range_end?: BytesInput;
  readonly start_revision?: Int64Input;
  readonly progress_notify?: boolean;
  readonly filters?: readonly (string | number)[];
  readonly prev_kv?: boolean;
  readonly watch_id?: Int64Input;
  readonly fragment?: boolean;
}

export interface WatchRequest {
  readonly create_request?: WatchCreateRequest;
  readonly cancel_request?: { readonly watch_id?: Int64Input };
  readonly progress_request?: Record<string, never>;
}

export interface WatchResponse {
  readonly header: ResponseHeader | null;
  readonly watch_id: Int64;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compact_revision: Int64;
  readonly cancel_reason: string;
  readonly fragment: boolean;
  readonly events: readonly Event[];
}

export interface Member {
  readonly ID: string;
  readonly name: string;
  readonly peerURLs: readonly string[];
  readonly clientURLs: readonly string[];
  readonly isLearner: boolean;
}

export interface HeaderOnly {
  readonly header: ResponseHeader | null;
}

export interface MembersResponse extends HeaderOnly {
  readonly members: readonly Member[];
}

export interface StatusResponse extends HeaderOnly {
  readonly version: string;
  readonly dbSize: Int64;
  readonly leader: string;
  readonly raftIndex: string;
  readonly raftTerm: string;
  readonly raftAppliedIndex: string;
  readonly errors: readonly string[];
  readonly dbSizeInUse: Int64;
  readonly isLearner: boolean;
  readonly storageVersion: string;
  readonly dbSizeQuota: Int64;
  readonly downgradeInfo: { readonly enabled: boolean; readonly targetVersion: string } | null;
}

/** Every unary method: what goes in and what comes out. */
export interface UnaryMethods {
  'KV/Range': [RangeRequest, RangeResponse];
  'KV/Put': [PutRequest, PutResponse];
  'KV/DeleteRange': [DeleteRangeRequest, DeleteRangeResponse];
  'KV/Txn': [TxnRequest, TxnResponse];
  'KV/Compact': [{ readonly revision?: Int64Input; readonly physical?: boolean }, HeaderOnly];
  'Lease/LeaseGrant': [
    { readonly TTL?: Int64Input; readonly ID?: Int64Input },
    HeaderOnly & { readonly ID: Int64; readonly TTL: Int64; readonly error: string },
  ];
  'Lease/LeaseRevoke': [{ readonly ID?: Int64Input }, HeaderOnly];
  'Lease/LeaseTimeToLive': [
    { readonly ID?: Int64Input; readonly keys?: boolean },
    HeaderOnly & {
      readonly ID: Int64;
      readonly TTL: Int64;
      readonly grantedTTL: Int64;
      readonly keys: readonly Buffer[];
    },
  ];
  'Lease/LeaseLeases': [Record<string, never>, HeaderOnly & { readonly leases: readonly { readonly ID: Int64 }[] }];
  'Cluster/MemberAdd': [
    { readonly peerURLs?: readonly string[]; readonly isLearner?: boolean },
    MembersResponse & { readonly member: Member | null },
  ];
  'Cluster/MemberRemove': [{ readonly ID?: Int64Input }, MembersResponse];
  'Cluster/MemberUpdate': [{ readonly ID?: Int64Input; readonly peerURLs?: readonly string[] }, MembersResponse];
  'Cluster/MemberList': [{ readonly linearizable?: boolean }, MembersResponse];
  'Cluster/MemberPromote': [{ readonly ID?: Int64Input }, MembersResponse];
  'Maintenance/Alarm': [
    { readonly action?: string | number; readonly memberID?: Int64Input; readonly alarm?: string | number },
    HeaderOnly & { readonly alarms: readonly { readonly memberID: string; readonly alarm: string }[] },
  ];
  'Maintenance/Status': [Record<string, never>, StatusResponse];
  'Maintenance/Defragment': [Record<string, never>, HeaderOnly];
  'Maintenance/Hash': [Record<string, never>, HeaderOnly & { readonly hash: number }];
  'Maintenance/HashKV': [
    { readonly revision?: Int64Input },
    HeaderOnly & { readonly hash: number; readonly compact_revision: Int64; readonly hash_revision: Int64 },
  ];
  'Maintenance/MoveLeader': [{ readonly targetID?: Int64Input }, HeaderOnly];
  'Maintenance/Downgrade': [
    { readonly action?: string | number; readonly version?: string },
    HeaderOnly & { readonly version: string },
  ];
  'Auth/AuthEnable': [Record<string, never>, HeaderOnly];
  'Auth/AuthDisable': [Record<string, never>, HeaderOnly];
  'Auth/Authenticate': [
    { readonly name?: string; readonly password?: string },
    HeaderOnly & { readonly token: string },
  ];
  'Auth/UserAdd': [
    { readonly name?: string; readonly password?: string; readonly options?: { readonly no_password: boolean } },
    HeaderOnly,
  ];
  'Auth/UserGet': [{ readonly name?: string }, HeaderOnly & { readonly roles: readonly string[] }];
  'Auth/UserList': [Record<string, never>, HeaderOnly & { readonly users: readonly string[] }];
  'Auth/UserDelete': [{ readonly name?: string }, HeaderOnly];
  'Auth/UserChangePassword': [
    { readonly name?: string; readonly password?: string; readonly hashedPassword?: string },
    HeaderOnly,
  ];
  'Auth/UserGrantRole': [{ readonly user?: string; readonly role?: string }, HeaderOnly];
  'Auth/UserRevokeRole': [{ readonly name?: string; readonly role?: string }, HeaderOnly];
  'Auth/RoleAdd': [{ readonly name?: string }, HeaderOnly];
  'Auth/RoleGet': [{ readonly role?: string }, HeaderOnly & { readonly perm: readonly PermissionInput[] }];
  'Auth/RoleList': [Record<string, never>, HeaderOnly & { readonly roles: readonly string[] }];
  'Auth/RoleDelete': [{ readonly role?: string }, HeaderOnly];
  'Auth/RoleGrantPermission': [{ readonly name?: string; readonly perm?: PermissionInput }, HeaderOnly];
  'Auth/RoleRevokePermission': [
    { readonly role?: string; readonly key?: BytesInput; readonly range_end?: BytesInput },
    HeaderOnly,
  ];
  'Auth/AuthStatus': [Record<string, never>, HeaderOnly & { readonly enabled: boolean; readonly authRevision: string }];
  'Health/Check': [{ readonly service?: string }, { readonly status: string }];
  'Lock/Lock': [LockRequest, LockResponse];
  'Lock/Unlock': [{ readonly key?: BytesInput }, HeaderOnly];
  'Election/Campaign': [CampaignRequest, CampaignResponse];
  'Election/Proclaim': [{ readonly leader?: LeaderKeyInput; readonly value?: BytesInput }, HeaderOnly];
  'Election/Leader': [{ readonly name?: BytesInput }, LeaderResponse];
  'Election/Resign': [{ readonly leader?: LeaderKeyInput }, HeaderOnly];
}

export interface LockRequest {
  readonly name?: BytesInput;
  readonly lease?: Int64Input;
}

export type LockResponse = HeaderOnly & { readonly key: Buffer };

export interface CampaignRequest {
  readonly name?: BytesInput;
  readonly lease?: Int64Input;
  readonly value?: BytesInput;
}

export interface LeaderKeyInput {
  readonly name?: BytesInput;
  readonly key?: BytesInput;
  readonly rev?: Int64Input;
  readonly lease?: Int64Input;
}

export type CampaignResponse = HeaderOnly & {
  readonly leader: { readonly name: Buffer; readonly key: Buffer; readonly rev: Int64; readonly lease: Int64 } | null;
};

export type LeaderResponse = HeaderOnly & { readonly kv: KeyValue | null };

/** Every method that answers with a stream. */
export interface StreamMethods {
  'Watch/Watch': [WatchRequest, WatchResponse];
  'Lease/LeaseKeepAlive': [{ readonly ID?: Int64Input }, HeaderOnly & { readonly ID: Int64; readonly TTL: Int64 }];
  'KV/RangeStream': [RangeRequest, RangeStreamResponse];
  'Maintenance/Snapshot': [
    Record<string, never>,
    HeaderOnly & { readonly remaining_bytes: string; readonly blob: Buffer; readonly version: string },
  ];
  /** A unary call as a stream: that one can be cancelled. */
  'Lock/Lock': [LockRequest, LockResponse];
  'Election/Campaign': [CampaignRequest, CampaignResponse];
  'Election/Observe': [{ readonly name?: BytesInput }, LeaderResponse];
  'Health/Watch': [{ readonly service?: string }, { readonly status: string }];
}

export interface PermissionInput {
  readonly permType?: 'READ' | 'WRITE' | 'READWRITE';
  readonly key?: BytesInput;
  readonly range_end?: BytesInput;
}
