import * as messages from '../etcd/messages/auth-table.ts';
import { readMethod, writeMethod } from './method.ts';

/** The methods of etcdserverpb.Auth. */
export const AuthMethod = {
  enable: writeMethod('Auth/AuthEnable', messages.AuthEnableRequest, messages.AuthEnableResponse),
  disable: writeMethod('Auth/AuthDisable', messages.AuthDisableRequest, messages.AuthDisableResponse),
  status: readMethod('Auth/AuthStatus', messages.AuthStatusRequest, messages.AuthStatusResponse),
  authenticate: readMethod('Auth/Authenticate', messages.AuthenticateRequest, messages.AuthenticateResponse),
  userAdd: writeMethod('Auth/UserAdd', messages.AuthUserAddRequest, messages.AuthUserAddResponse),
  userGet: readMethod('Auth/UserGet', messages.AuthUserGetRequest, messages.AuthUserGetResponse),
  userList: readMethod('Auth/UserList', messages.AuthUserListRequest, messages.AuthUserListResponse),
  userDelete: writeMethod('Auth/UserDelete', messages.AuthUserDeleteRequest, messages.AuthUserDeleteResponse),
  userChangePassword: writeMethod(
    'Auth/UserChangePassword',
    messages.AuthUserChangePasswordRequest,
    messages.AuthUserChangePasswordResponse,
  ),
  userGrantRole: writeMethod(
    'Auth/UserGrantRole',
    messages.AuthUserGrantRoleRequest,
    messages.AuthUserGrantRoleResponse,
  ),
  userRevokeRole: writeMethod(
    'Auth/UserRevokeRole',
    messages.AuthUserRevokeRoleRequest,
    messages.AuthUserRevokeRoleResponse,
  ),
  roleAdd: writeMethod('Auth/RoleAdd', messages.AuthRoleAddRequest, messages.AuthRoleAddResponse),
  roleGet: readMethod('Auth/RoleGet', messages.AuthRoleGetRequest, messages.AuthRoleGetResponse),
  roleList: readMethod('Auth/RoleList', messages.AuthRoleListRequest, messages.AuthRoleListResponse),
  roleDelete: writeMethod('Auth/RoleDelete', messages.AuthRoleDeleteRequest, messages.AuthRoleDeleteResponse),
  roleGrantPermission: writeMethod(
    'Auth/RoleGrantPermission',
    messages.AuthRoleGrantPermissionRequest,
    messages.AuthRoleGrantPermissionResponse,
  ),
  roleRevokePermission: writeMethod(
    'Auth/RoleRevokePermission',
    messages.AuthRoleRevokePermissionRequest,
    messages.AuthRoleRevokePermissionResponse,
  ),
} as const;
