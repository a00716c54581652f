import {
  decodeState,
  ROLE_PREFIX,
  roleName,
  STATE_RECORD,
  stateRecord,
  USER_PREFIX,
  userName,
} from '../../etcd/auth/auth-records.ts';
import type { StoredRecord } from '../../mvcc/types.ts';
import type { BboltFile } from '../bbolt/file.ts';

/*
 * etcd keeps users and roles in buckets, kedge in records, both as the same bytes (authpb.User, authpb.Role): passwords
 * stay what they are. Source: etcd's server/storage/schema/auth.go, auth_users.go, auth_roles.go.
 */

/** The buckets' entries in order: what a snapshot for etcd has of a store's users and roles. */
export interface AuthBuckets {
  readonly auth: readonly Entry[];
  readonly authRoles: readonly Entry[];
  readonly authUsers: readonly Entry[];
}

type Entry = readonly [key: Uint8Array, value: Uint8Array];

/** A snapshot's users and roles as records; none when there are none and auth was never on. */
export function authRecords(file: BboltFile): StoredRecord[] {
  const settings = entriesOf(file, 'auth');
  const users = entriesOf(file, 'authUsers');
  const roles = entriesOf(file, 'authRoles');
  const enabled = settings.get('authEnabled')?.[0] === 1;
  if (!enabled && users.size === 0 && roles.size === 0) return [];
  const revision = settings.get('authRevision');
  return [
    stateRecord({ enabled, revision: revision?.length === 8 ? Number(view(revision).getBigUint64(0)) : 1 }),
    ...[...users].map(([name, value]) => ({ name: userName(name), value: value.slice() })),
    ...[...roles].map(([name, value]) => ({ name: roleName(name), value: value.slice() })),
  ];
}

/** What a person has to know of it, when there is anything. */
export function authRemark(records: readonly StoredRecord[]): string[] {
  const state = records.find(({ name }) => name === STATE_RECORD);
  if (state === undefined) return [];
  const count = (prefix: string): number => records.filter(({ name }) => name.startsWith(prefix)).length;
  const isOn = decodeState(state.value).enabled ? 'on' : 'off';
  return [
    `Authentication is ${isOn}, with ${count(USER_PREFIX)} users and ${count(ROLE_PREFIX)} roles: carried over, passwords too; whoever has a token logs in anew.`,
  ];
}

/** The other way round. */
export function authBuckets(records: readonly StoredRecord[]): AuthBuckets {
  const named = (prefix: string): Entry[] =>
    records
      .filter(({ name }) => name.startsWith(prefix))
      .map(({ name, value }): Entry => [Buffer.from(name.slice(prefix.length), 'latin1'), value])
      .sort(([a], [b]) => Buffer.compare(a, b));
  const state = records.find(({ name }) => name === STATE_RECORD);
  return {
    auth: state === undefined ? [] : settingsOf(state),
    authRoles: named(ROLE_PREFIX),
    authUsers: named(USER_PREFIX),
  };
}

function settingsOf(state: StoredRecord): Entry[] {
  const { enabled, revision } = decodeState(state.value);
  const bytes = new Uint8Array(8);
  view(bytes).setBigUint64(0, BigInt(revision));
  return [
    [Buffer.from('authEnabled'), new Uint8Array([enabled ? 1 : 0])],
    [Buffer.from('authRevision'), bytes],
  ];
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function entriesOf(file: BboltFile, bucket: string): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  for (const { key, value } of file.bucket(bucket)?.entries() ?? []) {
    found.set(Buffer.from(key.buffer, key.byteOffset, key.length).toString('utf8'), value);
  }
  return found;
}
