import { ResponseHeader } from '../etcd/messages/kv-table.ts';
import {
  bool,
  bytes,
  type EnumType,
  enumeration,
  type MessageType,
  message,
  nested,
  repeated,
  string,
  uint64,
} from '../etcd/messages/schema.ts';

/** The messages of etcdserverpb.Auth. Source: etcd 3.7's rpc.proto and auth.proto. */

export const PermissionType: EnumType = {
  name: 'authpb.Permission.Type',
  values: ['READ', 'WRITE', 'READWRITE'],
};
export const Permission = message('authpb.Permission', {
  permType: enumeration(1, PermissionType),
  key: bytes(2),
  range_end: bytes(3),
});
const UserAddOptions = message('authpb.UserAddOptions', { no_password: bool(1) });

/** A response of a header alone, as most of Auth's are. */
function headerOnly(name: string) {
  return message(`etcdserverpb.${name}`, { header: nested(1, ResponseHeader) });
}
const nothing = (name: string): MessageType<object> => message(`etcdserverpb.${name}`, {});

export const AuthEnableRequest = nothing('AuthEnableRequest');
export const AuthEnableResponse = headerOnly('AuthEnableResponse');
export const AuthDisableRequest = nothing('AuthDisableRequest');
export const AuthDisableResponse = headerOnly('AuthDisableResponse');
export const AuthStatusRequest = nothing('AuthStatusRequest');
export const AuthStatusResponse = message('etcdserverpb.AuthStatusResponse', {
  header: nested(1, ResponseHeader),
  enabled: bool(2),
  authRevision: uint64(3),
});
export const AuthenticateRequest = message('etcdserverpb.AuthenticateRequest', {
  name: string(1),
  password: string(2),
});
export const AuthenticateResponse = message('etcdserverpb.AuthenticateResponse', {
  header: nested(1, ResponseHeader),
  token: string(2),
});

export const AuthUserAddRequest = message('etcdserverpb.AuthUserAddRequest', {
  name: string(1),
  password: string(2),
  options: nested(3, UserAddOptions),
});
export const AuthUserAddResponse = headerOnly('AuthUserAddResponse');
export const AuthUserGetRequest = message('etcdserverpb.AuthUserGetRequest', { name: string(1) });
export const AuthUserGetResponse = message('etcdserverpb.AuthUserGetResponse', {
  header: nested(1, ResponseHeader),
  roles: repeated(string(2)),
});
export const AuthUserListRequest = nothing('AuthUserListRequest');
export const AuthUserListResponse = message('etcdserverpb.AuthUserListResponse', {
  header: nested(1, ResponseHeader),
  users: repeated(string(2)),
});
export const AuthUserDeleteRequest = message('etcdserverpb.AuthUserDeleteRequest', { name: string(1) });
export const AuthUserDeleteResponse = headerOnly('AuthUserDeleteResponse');
export const AuthUserChangePasswordRequest = message('etcdserverpb.AuthUserChangePasswordRequest', {
  name: string(1),
  password: string(2),
});
export const AuthUserChangePasswordResponse = headerOnly('AuthUserChangePasswordResponse');
export const AuthUserGrantRoleRequest = message('etcdserverpb.AuthUserGrantRoleRequest', {
  user: string(1),
  role: string(2),
});
export const AuthUserGrantRoleResponse = headerOnly('AuthUserGrantRoleResponse');
export const AuthUserRevokeRoleRequest = message('etcdserverpb.AuthUserRevokeRoleRequest', {
  name: string(1),
  role: string(2),
});
export const AuthUserRevokeRoleResponse = headerOnly('AuthUserRevokeRoleResponse');

export const AuthRoleAddRequest = message('etcdserverpb.AuthRoleAddRequest', { name: string(1) });
export const AuthRoleAddResponse = headerOnly('AuthRoleAddResponse');
export const AuthRoleGetRequest = message('etcdserverpb.AuthRoleGetRequest', { role: string(1) });
export const AuthRoleGetResponse = message('etcdserverpb.AuthRoleGetResponse', {
  header: nested(1, ResponseHeader),
  perm: repeated(nested(2, Permission)),
});
export const AuthRoleListRequest = nothing('AuthRoleListRequest');
export const AuthRoleListResponse = message('etcdserverpb.AuthRoleListResponse', {
  header: nested(1, ResponseHeader),
  roles: repeated(string(2)),
});
export const AuthRoleDeleteRequest = message('etcdserverpb.AuthRoleDeleteRequest', { role: string(1) });
export const AuthRoleDeleteResponse = headerOnly('AuthRoleDeleteResponse');
export const AuthRoleGrantPermissionRequest = message('etcdserverpb.AuthRoleGrantPermissionRequest', {
  name: string(1),
  perm: nested(2, Permission),
});
export const AuthRoleGrantPermissionResponse = headerOnly('AuthRoleGrantPermissionResponse');
export const AuthRoleRevokePermissionRequest = message('etcdserverpb.AuthRoleRevokePermissionRequest', {
  role: string(1),
  key: bytes(2),
  range_end: bytes(3),
});
export const AuthRoleRevokePermissionResponse = headerOnly('AuthRoleRevokePermissionResponse');
