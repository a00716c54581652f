import type { Method, UnaryCall } from '../../wire/grpc.ts';
import { refusal } from '../errors.ts';
import type { HeaderCodec } from '../header.ts';
import * as table from '../messages/auth-table.ts';
import type { ResponseHeader } from '../messages/kv-table.ts';
import type { MessageType, Value } from '../messages/schema.ts';
import { tableMethod } from '../table-method.ts';
import type { Access, AuthCall } from './access.ts';
import * as changes from './auth-changes.ts';
import { latin1, ROOT, toKeyPermission, toPermission, type User } from './auth-records.ts';
import type { AuthView } from './auth-view.ts';
import type { AuthWriter } from './auth-writer.ts';
import type { Authenticator } from './authenticator.ts';
import { PASSWORD_BYTES_MAX, type Passwords } from './passwords.ts';

export interface AuthServiceOptions {
  readonly header: HeaderCodec;
  readonly view: AuthView;
  readonly access: Access;
  readonly writer: AuthWriter;
  readonly authenticator: Authenticator;
  readonly passwords: Passwords;
  /** The store's, for headers. */
  readonly revision: () => number;
  /** Resolves when everything that was committed anywhere before the call is applied here. */
  readonly confirm: () => Promise<void>;
}

type Header = { readonly header: Partial<Value<typeof ResponseHeader>> };

/**
 * etcdserverpb.Auth. While auth is on, what changes or lists it is root's; users may look at themselves and at their
 * roles. Source: etcd's server/etcdserver/apply/auth.go and server/auth/store.go.
 */
export function authService(options: AuthServiceOptions): readonly (readonly [path: string, method: Method])[] {
  const { header, view, access, writer, authenticator, passwords, confirm } = options;
  const mustBeAdmin = (call: AuthCall): void => {
    if (access.enabled) access.admin(call);
  };
  const answered = (): Header => ({ header: header.value(options.revision()) });
  const change = async (call: AuthCall, decide: changes.Decision): Promise<Header> => {
    // What another replica has changed counts, be it only for what is refused.
    await confirm();
    await writer.change(() => mustBeAdmin(call), decide);
    return answered();
  };
  /** Hashing is dear: not for whoever may not. */
  const hash = async (call: AuthCall, password: string): Promise<Uint8Array> => {
    await confirm();
    mustBeAdmin(call);
    if (Buffer.byteLength(password) > PASSWORD_BYTES_MAX) throw refusal('passwordTooLong');
    return passwords.hash(password);
  };
  return [
    method('AuthEnable', table.AuthEnableRequest, table.AuthEnableResponse, (_, call) => change(call, changes.enable)),
    method('AuthDisable', table.AuthDisableRequest, table.AuthDisableResponse, (_, call) =>
      change(call, changes.disable),
    ),
    method('AuthStatus', table.AuthStatusRequest, table.AuthStatusResponse, async (_, call) => {
      await confirm();
      // Anybody's, as since 3.6: it tells whether one must log in. A token that is none is refused all the same.
      if (access.enabled) access.identify(call);
      return { ...answered(), enabled: view.enabled, authRevision: BigInt(view.revision) };
    }),
    method('Authenticate', table.AuthenticateRequest, table.AuthenticateResponse, async ({ name, password }, call) => {
      await confirm();
      const token = await authenticator.authenticate(name, password, call.peer);
      return { ...answered(), token };
    }),
    method('UserAdd', table.AuthUserAddRequest, table.AuthUserAddResponse, async (request, call) => {
      const noPassword = request.options?.no_password === true;
      const password = noPassword ? NO_BYTES : await hash(call, request.password);
      return change(call, changes.addUser(request.name, password, noPassword));
    }),
    method('UserGet', table.AuthUserGetRequest, table.AuthUserGetResponse, async ({ name }, call) => {
      await confirm();
      mayLook(call, ({ name: own }) => own === name);
      const user = view.user(name);
      if (user === undefined) throw refusal('userNotFound');
      return { ...answered(), roles: user.roles };
    }),
    method('UserList', table.AuthUserListRequest, table.AuthUserListResponse, async (_, call) => {
      await confirm();
      mustBeAdmin(call);
      return { ...answered(), users: view.users().map(({ name }) => name) };
    }),
    method('UserDelete', table.AuthUserDeleteRequest, table.AuthUserDeleteResponse, ({ name }, call) =>
      change(call, changes.deleteUser(name)),
    ),
    method(
      'UserChangePassword',
      table.AuthUserChangePasswordRequest,
      table.AuthUserChangePasswordResponse,
      async ({ name, password, hashedPassword }, call) => {
        const hashed = password === '' ? decodedHash(hashedPassword) : await hash(call, password);
        return change(call, changes.changePassword(name, hashed));
      },
    ),
    method('UserGrantRole', table.AuthUserGrantRoleRequest, table.AuthUserGrantRoleResponse, ({ user, role }, call) =>
      change(call, changes.grantRole(user, role)),
    ),
    method(
      'UserRevokeRole',
      table.AuthUserRevokeRoleRequest,
      table.AuthUserRevokeRoleResponse,
      ({ name, role }, call) => change(call, changes.revokeRole(name, role)),
    ),
    method('RoleAdd', table.AuthRoleAddRequest, table.AuthRoleAddResponse, ({ name }, call) =>
      change(call, changes.addRole(name)),
    ),
    method('RoleGet', table.AuthRoleGetRequest, table.AuthRoleGetResponse, async ({ role: name }, call) => {
      await confirm();
      mayLook(call, ({ roles }) => roles.includes(name));
      const role = view.role(name);
      if (role === undefined) throw refusal('roleNotFound');
      return { ...answered(), perm: name === ROOT ? [ROOT_PERMISSION] : role.permissions.map(toPermission) };
    }),
    method('RoleList', table.AuthRoleListRequest, table.AuthRoleListResponse, async (_, call) => {
      await confirm();
      mustBeAdmin(call);
      return { ...answered(), roles: view.roles().map(({ name }) => name) };
    }),
    method('RoleDelete', table.AuthRoleDeleteRequest, table.AuthRoleDeleteResponse, ({ role }, call) =>
      change(call, changes.deleteRole(role)),
    ),
    method(
      'RoleGrantPermission',
      table.AuthRoleGrantPermissionRequest,
      table.AuthRoleGrantPermissionResponse,
      ({ name, perm }, call) => change(call, changes.grantPermission(name, perm && toKeyPermission(perm))),
    ),
    method(
      'RoleRevokePermission',
      table.AuthRoleRevokePermissionRequest,
      table.AuthRoleRevokePermissionResponse,
      ({ role, key, range_end }, call) => change(call, changes.revokePermission(role, latin1(key), latin1(range_end))),
    ),
  ];

  /** Root, or a user for whom it holds. */
  function mayLook(call: AuthCall, holds: (user: Pick<User, 'name' | 'roles'>) => boolean): void {
    if (!access.enabled) return;
    const identity = access.identify(call);
    const user = identity === undefined ? undefined : view.user(identity.user);
    if (user === undefined || !holds(user)) access.mustBeRoot(identity);
  }
}

const NO_BYTES = new Uint8Array(0);
const ROOT_PERMISSION = toPermission({ type: table.PermissionType.values.indexOf('READWRITE'), key: '', end: '\0' });

function method<Request, Response>(
  name: string,
  request: MessageType<Request>,
  response: MessageType<Response>,
  answer: (request: Request, call: UnaryCall) => Promise<Partial<Response>>,
): readonly [string, Method] {
  return [`/etcdserverpb.Auth/${name}`, tableMethod(request, response, answer)];
}

/** A hash as etcd's clients send it, in base64; undefined when it is none. */
function decodedHash(base64: string): Uint8Array | undefined {
  const bytes = Buffer.from(base64, 'base64');
  return bytes.toString('base64') === base64 ? new Uint8Array(bytes) : undefined;
}
