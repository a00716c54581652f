import type { BboltFile } from '../bbolt/file.ts';

/** What a snapshot has of etcd's users and roles: protobuf's authpb.User and authpb.Role, by name. */
export interface AuthData {
  readonly enabled: boolean;
  readonly users: ReadonlyMap<string, Uint8Array>;
  readonly roles: ReadonlyMap<string, Uint8Array>;
}

/** Users and roles fit into memory by far. Source: etcd's server/storage/schema/auth.go, auth_users.go, auth_roles.go. */
export function readAuth(file: BboltFile): AuthData {
  const settings = entriesOf(file, 'auth');
  return {
    enabled: settings.get('authEnabled')?.[0] === 1,
    users: entriesOf(file, 'authUsers'),
    roles: entriesOf(file, 'authRoles'),
  };
}

/** What a person has to know of it, when there is anything. */
export function authRemark(file: BboltFile): string[] {
  const { enabled, users, roles } = readAuth(file);
  if (!enabled && users.size === 0 && roles.size === 0) return [];
  const state = enabled ? 'enabled' : 'not enabled';
  return [
    `Authentication was ${state}, with ${users.size} users and ${roles.size} roles: these are not carried over, set them up anew before clients connect.`,
  ];
}

function entriesOf(file: BboltFile, bucket: string): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  for (const { key, value } of file.bucket(bucket)?.entries() ?? []) {
    found.set(Buffer.from(key.buffer, key.byteOffset, key.length).toString('utf8'), value);
  }
  return found;
}
