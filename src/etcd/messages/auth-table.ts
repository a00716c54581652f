import { ResponseHeader } from './kv-table.ts';
import { bool, bytes, type EnumType, enumeration, message, nested, repeated, string, uint64 } from './schema.ts';

/** The messages of etcdserverpb.Auth and what they hold. Source: etcd 3.7's rpc.proto and auth.proto. */

export const PermissionType: EnumType = { name: 'authpb.Permission.Type', values: ['READ', 'WRITE', 'READWRITE'] };
export const Permission = message('authpb.Permission', {
  permType: enumeration(1, PermissionType),
  key: bytes(2),
  range_end: bytes(3),
});
export const UserAddOptions = message('authpb.UserAddOptions', { no_password: bool(1) });

const headerOnly = { header: nested(1, ResponseHeader) };

export const AuthEnableRequest = message('etcdserverpb.AuthEnableRequest', {});
export const AuthEnableResponse = message('etcdserverpb.AuthEnableResponse', headerOnly);
export const AuthDisableRequest = message('etcdserverpb.AuthDisableRequest', {});
export const AuthDisableResponse = message('etcdserverpb.AuthDisableResponse', headerOnly);
export const AuthStatusRequest = message('etcdserverpb.AuthStatusRequest', {});
export const AuthStatusResponse = message('etcdserverpb.AuthStatusResponse', {
  ...headerOnly,
  enabled: bool(2),
  authRevision: uint64(3),
});
export const AuthenticateRequest = message('etcdserverpb.AuthenticateRequest', {
  name: string(1),
  password: string(2),
});
export const AuthenticateResponse = message('etcdserverpb.AuthenticateResponse', { ...headerOnly, token: string(2) });

export const AuthUserAddRequest = message('etcdserverpb.AuthUserAddRequest', {
  name: string(1),
  password: string(2),
  options: nested(3, UserAddOptions),
  hashedPassword: string(4),
});
export const AuthUserAddResponse = message('etcdserverpb.AuthUserAddResponse', headerOnly);
export const AuthUserGetRequest = message('etcdserverpb.AuthUserGetRequest', { name: string(1) });
export const AuthUserGetResponse = message('etcdserverpb.AuthUserGetResponse', {
  ...headerOnly,
  roles: repeated(string(2)),
});
export const AuthUserListRequest = message('etcdserverpb.AuthUserListRequest', {});
export const AuthUserListResponse = message('etcdserverpb.AuthUserListResponse', {
  ...headerOnly,
  users: repeated(string(2)),
});
export const AuthUserDeleteRequest = message('etcdserverpb.AuthUserDeleteRequest', { name: string(1) });
export const AuthUserDeleteResponse = message('etcdserverpb.AuthUserDeleteResponse', headerOnly);
export const AuthUserChangePasswordRequest = message('etcdserverpb.AuthUserChangePasswordRequest', {
  name: string(1),
  password: string(2),
  hashedPassword: string(3),
});
export const AuthUserChangePasswordResponse = message('etcdserverpb.AuthUserChangePasswordResponse', headerOnly);
export const AuthUserGrantRoleRequest = message('etcdserverpb.AuthUserGrantRoleRequest', {
  user: string(1),
  role: string(2),
});
export const AuthUserGrantRoleResponse = message('etcdserverpb.AuthUserGrantRoleResponse', headerOnly);
export const AuthUserRevokeRoleRequest = message('etcdserverpb.AuthUserRevokeRoleRequest', {
  name: string(1),
  role: string(2),
});
export const AuthUserRevokeRoleResponse = message('etcdserverpb.AuthUserRevokeRoleResponse', headerOnly);

export const AuthRoleAddRequest = message('etcdserverpb.AuthRoleAddRequest', { name: string(1) });
export const AuthRoleAddResponse = message('etcdserverpb.AuthRoleAddResponse', headerOnly);
export const AuthRoleGetRequest = message('etcdserverpb.AuthRoleGetRequest', { role: string(1) });
export const AuthRoleGetResponse = message('etcdserverpb.AuthRoleGetResponse', {
  ...headerOnly,
  perm: repeated(nested(2, Permission)),
});
export const AuthRoleListRequest = message('etcdserverpb.AuthRoleListRequest', {});
export const AuthRoleListResponse = message('etcdserverpb.AuthRoleListResponse', {
  ...headerOnly,
  roles: repeated(string(2)),
});
export const AuthRoleDeleteRequest = message('etcdserverpb.AuthRoleDeleteRequest', { role: string(1) });
export const AuthRoleDeleteResponse = message('etcdserverpb.AuthRoleDeleteResponse', headerOnly);
export const AuthRoleGrantPermissionRequest = message('etcdserverpb.AuthRoleGrantPermissionRequest', {
  name: string(1),
  perm: nested(2, Permission),
});
export const AuthRoleGrantPermissionResponse = message('etcdserverpb.AuthRoleGrantPermissionResponse', headerOnly);
export const AuthRoleRevokePermissionRequest = message('etcdserverpb.AuthRoleRevokePermissionRequest', {
  role: string(1),
  key: bytes(2),
  range_end: bytes(3),
});
export const AuthRoleRevokePermissionResponse = message('etcdserverpb.AuthRoleRevokePermissionResponse', headerOnly);
