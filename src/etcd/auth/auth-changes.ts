import type { RecordChange, StoredRecord } from '../../mvcc/types.ts';
import { Status, StatusError } from '../../wire/grpc.ts';
import { refusal } from '../errors.ts';
import {
  type KeyPermission,
  ROOT,
  type Role,
  roleName,
  roleRecord,
  type User,
  userName,
  userRecord,
} from './auth-records.ts';
import { hasRootRole } from './auth-view.ts';

/*
 * What each request changes, decided purely from what there is. A decision throws etcd's refusal; one that changes
 * nothing answers NOTHING, and then the auth revision stays as it is.
 * Source: etcd's server/auth/store.go.
 */

/** What decisions look at. */
export interface AuthFacts {
  readonly enabled: boolean;
  user(name: string): User | undefined;
  users(): readonly User[];
  role(name: string): Role | undefined;
}

/** What is to be written besides the state; `enabled` when that changes. */
export interface AuthChange {
  readonly records: readonly RecordChange[];
  readonly enabled?: boolean;
}

/** Nothing is to be done. */
export const NOTHING = undefined;

export type Decision = (facts: AuthFacts) => AuthChange | typeof NOTHING;

export const enable: Decision = (facts) => {
  if (facts.enabled) return NOTHING;
  const root = facts.user(ROOT);
  if (root === undefined) throw refusal('rootUserNotExist');
  if (!hasRootRole(root)) throw refusal('rootRoleNotExist');
  return { records: [], enabled: true };
};

export const disable: Decision = (facts) => (facts.enabled ? { records: [], enabled: false } : NOTHING);

/** `password`: hashed; empty for a user without one. */
export function addUser(name: string, password: Uint8Array, noPassword: boolean): Decision {
  return (facts) => {
    if (name === '') throw refusal('userEmpty');
    checkNameLength(name);
    if (facts.user(name) !== undefined) throw refusal('userAlreadyExist');
    return writing(userRecord({ name, password, roles: [], noPassword }));
  };
}

export function deleteUser(name: string): Decision {
  return (facts) => {
    if (facts.enabled && name === ROOT) throw refusal('invalidAuthMgmt');
    mustBeUser(facts, name);
    return { records: [{ kind: 'record', name: userName(name), value: undefined }] };
  };
}

/** `password`: hashed; undefined: what came as a hash is none. */
export function changePassword(name: string, password: Uint8Array | undefined): Decision {
  return (facts) => {
    const user = mustBeUser(facts, name);
    if (user.noPassword) return writing(userRecord({ ...user, password: new Uint8Array(0) }));
    if (password === undefined) throw refusal('noPasswordUser');
    return writing(userRecord({ ...user, password }));
  };
}

export function grantRole(name: string, role: string): Decision {
  return (facts) => {
    const user = mustBeUser(facts, name);
    if (role !== ROOT && facts.role(role) === undefined) throw refusal('roleNotFound');
    if (user.roles.includes(role)) return NOTHING;
    return writing(userRecord({ ...user, roles: [...user.roles, role].sort(byBytes) }));
  };
}

export function revokeRole(name: string, role: string): Decision {
  return (facts) => {
    if (facts.enabled && name === ROOT && role === ROOT) throw refusal('invalidAuthMgmt');
    const user = mustBeUser(facts, name);
    if (!user.roles.includes(role)) throw refusal('roleNotGranted');
    return writing(withoutRole(user, role));
  };
}

export function addRole(name: string): Decision {
  return (facts) => {
    if (name === '') throw refusal('roleEmpty');
    checkNameLength(name);
    if (facts.role(name) !== undefined) throw refusal('roleAlreadyExist');
    return writing(roleRecord({ name, permissions: [] }));
  };
}

/** Takes it from all users too. */
export function deleteRole(name: string): Decision {
  return (facts) => {
    if (facts.enabled && name === ROOT) throw refusal('invalidAuthMgmt');
    mustBeRole(facts, name);
    const holders = facts.users().filter(({ roles }) => roles.includes(name));
    const { records } = writing(...holders.map((user) => withoutRole(user, name)));
    return { records: [{ kind: 'record', name: roleName(name), value: undefined }, ...records] };
  };
}

export function grantPermission(name: string, permission: KeyPermission | undefined): Decision {
  return (facts) => {
    if (permission === undefined) throw refusal('permissionNotGiven');
    if (!isPermissionRange(permission)) throw refusal('invalidAuthMgmt');
    const { permissions } = mustBeRole(facts, name);
    // As etcd looks it up: among those of the same key only the first.
    const at = permissions.findIndex(({ key }) => key >= permission.key);
    const found = permissions[at];
    const isKnown = found !== undefined && found.key === permission.key && found.end === permission.end;
    const changed = isKnown
      ? permissions.map((each, i) => (i === at ? permission : each))
      : [...permissions, permission].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    return writing(roleRecord({ name, permissions: changed }));
  };
}

export function revokePermission(name: string, key: string, end: string): Decision {
  return (facts) => {
    const { permissions } = mustBeRole(facts, name);
    const left = permissions.filter((each) => each.key !== key || each.end !== end);
    if (left.length === permissions.length) throw refusal('permissionNotGranted');
    return writing(roleRecord({ name, permissions: left }));
  };
}

/** It is part of a record's name, which databases index. etcd has no limit. */
function checkNameLength(name: string): void {
  if (Buffer.byteLength(name) <= NAME_BYTES_MAX) return;
  throw new StatusError(Status.invalidArgument, `kedge: a user's or role's name has at most ${NAME_BYTES_MAX} bytes`);
}

const NAME_BYTES_MAX = 1024;

function mustBeUser(facts: AuthFacts, name: string): User {
  const user = facts.user(name);
  if (user === undefined) throw refusal('userNotFound');
  return user;
}

function mustBeRole(facts: AuthFacts, name: string): Role {
  const role = facts.role(name);
  if (role === undefined) throw refusal('roleNotFound');
  return role;
}

function writing(...records: readonly StoredRecord[]): AuthChange {
  return { records: records.map(({ name, value }) => ({ kind: 'record', name, value })) };
}

function withoutRole(user: User, role: string): StoredRecord {
  return userRecord({ ...user, roles: user.roles.filter((each) => each !== role) });
}

function isPermissionRange({ key, end }: KeyPermission): boolean {
  return key !== '' && (end === '' || key < end || end === '\0');
}

/** As Go orders strings. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
