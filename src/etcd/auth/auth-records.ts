import type { StoredRecord } from '../../mvcc/types.ts';
import { Permission, UserAddOptions } from '../messages/auth-table.ts';
import { bool, bytes, message, nested, repeated, string, uint64, type Value } from '../messages/schema.ts';

/*
 * What auth keeps, as the store's records:
 *
 *     auth/state         whether it is on, and the auth revision: every change rewrites it under its guard
 *     auth/user/<name>   authpb.User, byte for byte as etcd keeps it in its bucket authUsers: hashes can be moved
 *     auth/role/<name>   authpb.Role, likewise
 */

/** Everything of auth's begins so. */
export const AUTH_PREFIX = 'auth/';
export const STATE_RECORD = 'auth/state';
export const USER_PREFIX = 'auth/user/';
export const ROLE_PREFIX = 'auth/role/';

/** The user that must be there before auth can be switched on, and the role that may do everything. */
export const ROOT = 'root';

const STATE = message('kedge.AuthState', { enabled: bool(1), revision: uint64(2) });
/** authpb.User. Source: etcd's api/authpb/auth.proto. */
const USER = message('authpb.User', {
  name: bytes(1),
  password: bytes(2),
  roles: repeated(string(3)),
  options: nested(4, UserAddOptions),
});
/** authpb.Role. */
const ROLE = message('authpb.Role', { name: bytes(1), keyPermission: repeated(nested(2, Permission)) });

export interface AuthState {
  readonly enabled: boolean;
  /** From 1 on; each change but switching on counts it up. */
  readonly revision: number;
}

export interface User {
  readonly name: string;
  /** bcrypt's text; empty for a user without password. */
  readonly password: Uint8Array;
  /** In order. */
  readonly roles: readonly string[];
  readonly noPassword: boolean;
}

/** What a role may do with which keys. `end` as in a range's; `type` is authpb's number. */
export interface KeyPermission {
  readonly type: number;
  readonly key: string;
  readonly end: string;
}

export interface Role {
  readonly name: string;
  /** Ordered by key. */
  readonly permissions: readonly KeyPermission[];
}

/** As long as nobody has changed anything. */
const FIRST_STATE: AuthState = { enabled: false, revision: 1 };

export function decodeState(value: Uint8Array | undefined): AuthState {
  if (value === undefined) return FIRST_STATE;
  const { enabled, revision } = STATE.decode(value);
  return { enabled, revision: Number(revision) };
}

export function stateRecord({ enabled, revision }: AuthState): StoredRecord {
  return { name: STATE_RECORD, value: STATE.encode({ enabled, revision: BigInt(revision) }) };
}

export function userName(name: string): string {
  return USER_PREFIX + toKey(name);
}

export function roleName(name: string): string {
  return ROLE_PREFIX + toKey(name);
}

export function decodeUser(value: Uint8Array): User {
  const { name, password, roles, options } = USER.decode(value);
  return {
    name: Buffer.from(name).toString(),
    password: Uint8Array.prototype.slice.call(password),
    roles,
    noPassword: options?.no_password === true,
  };
}

export function userRecord({ name, password, roles, noPassword }: User): StoredRecord {
  const options = { no_password: noPassword };
  return { name: userName(name), value: USER.encode({ name: Buffer.from(name), password, roles, options }) };
}

export function decodeRole(value: Uint8Array): Role {
  const { name, keyPermission } = ROLE.decode(value);
  return { name: Buffer.from(name).toString(), permissions: keyPermission.map(toKeyPermission) };
}

export function roleRecord({ name, permissions }: Role): StoredRecord {
  const keyPermission = permissions.map(toPermission);
  return { name: roleName(name), value: ROLE.encode({ name: Buffer.from(name), keyPermission }) };
}

/** From a message. */
export function toKeyPermission({ permType, key, range_end }: Partial<Value<typeof Permission>>): KeyPermission {
  return { type: permType ?? 0, key: latin1(key), end: latin1(range_end) };
}

/** To a message. */
export function toPermission({ type, key, end }: KeyPermission): Partial<Value<typeof Permission>> {
  return { permType: type, key: Buffer.from(key, 'latin1'), range_end: Buffer.from(end, 'latin1') };
}

export function latin1(found: Uint8Array | undefined): string {
  return found === undefined ? '' : Buffer.from(found.buffer, found.byteOffset, found.length).toString('latin1');
}

/** Names are UTF-8, records' names byte strings. */
function toKey(name: string): string {
  return Buffer.from(name).toString('latin1');
}
