import {
  AuthRoleGetResponse,
  AuthRoleListResponse,
  AuthStatusResponse,
  AuthUserGetResponse,
  AuthUserListResponse,
  type Permission,
  PermissionType,
} from '../../etcd/messages/auth-table.ts';
import type { ResponseHeader } from '../../etcd/messages/kv-table.ts';
import type { MessageType, Value } from '../../etcd/messages/schema.ts';
import { goQuote } from '../format/go-quote.ts';
import { messageJson } from '../format/message-json.ts';
import { prefixEnd } from '../key-range.ts';
import type { Pieces, View } from '../printer.ts';
import { fieldLines, headerFields } from './header-fields.ts';

type Header = Partial<Value<typeof ResponseHeader>>;
type Perm = Partial<Value<typeof Permission>>;

/** Of the many answers that hold a header alone: what was done is said in a line. */
export function doneView<T extends { readonly header?: Header | undefined }>(
  type: MessageType<T>,
  response: T,
  said: string,
): View {
  return {
    simple: () => [`${said}\n`],
    fields: () => [headerFields(response.header)],
    json: () => messageJson(type, response),
    protobuf: () => type.encode(response),
  };
}

/** etcdctl has no `-w fields` of it. */
export function userGetView(user: string, response: Value<typeof AuthUserGetResponse>): View {
  return {
    simple: () => [`User: ${user}\nRoles:${response.roles.map((role) => ` ${role}`).join('')}\n`],
    json: () => messageJson(AuthUserGetResponse, response),
    protobuf: () => AuthUserGetResponse.encode(response),
  };
}

/** etcdctl has no `-w fields` of it. */
export function userListView(response: Value<typeof AuthUserListResponse>): View {
  return {
    simple: () => response.users.map((user) => `${user}\n`),
    json: () => messageJson(AuthUserListResponse, response),
    protobuf: () => AuthUserListResponse.encode(response),
  };
}

export function roleListView(response: Value<typeof AuthRoleListResponse>): View {
  return {
    simple: () => response.roles.map((role) => `${role}\n`),
    fields: () => [
      headerFields(response.header),
      `"Roles" :${response.roles.map((role) => ` ${goQuote(role)}`).join('')}\n`,
    ],
    json: () => messageJson(AuthRoleListResponse, response),
    protobuf: () => AuthRoleListResponse.encode(response),
  };
}

export function authStatusView(response: Value<typeof AuthStatusResponse>): View {
  return {
    simple: () => [`Authentication Status: ${response.enabled}\nAuthRevision: ${response.authRevision}\n`],
    json: () => messageJson(AuthStatusResponse, response),
    protobuf: () => AuthStatusResponse.encode(response),
  };
}

const WRITE = PermissionType.values.indexOf('WRITE');
const READ = PermissionType.values.indexOf('READ');

export function roleGetView(role: string, response: Value<typeof AuthRoleGetResponse>): View {
  const { header, perm } = response;
  return {
    simple: () => [
      `Role ${role}\nKV Read:\n`,
      ...perm.filter(({ permType = READ }) => permType !== WRITE).flatMap(permissionLine),
      'KV Write:\n',
      ...perm.filter(({ permType = READ }) => permType !== READ).flatMap(permissionLine),
    ],
    fields: () => [headerFields(header), ...perm.map(permissionFields)],
    json: () => messageJson(AuthRoleGetResponse, response),
    protobuf: () => AuthRoleGetResponse.encode(response),
  };
}

const NO_BYTES = new Uint8Array(0);

function permissionLine({ key = NO_BYTES, range_end = NO_BYTES }: Perm): Pieces {
  if (range_end.length === 0) return ['\t', key, '\n'];
  const isOpen = range_end.length === 1 && range_end[0] === 0;
  const range: Pieces = isOpen ? ['\t[', key, ', <open ended>'] : ['\t[', key, ', ', range_end, ')'];
  const isPrefix = Buffer.from(prefixEnd(key)).equals(range_end);
  return isPrefix ? [...range, ' (prefix ', key, ')\n'] : [...range, '\n'];
}

function permissionFields({ permType = READ, key = NO_BYTES, range_end = NO_BYTES }: Perm): string {
  // Two spaces after PermType's colon, as etcdctl has them.
  return fieldLines({
    PermType: ` ${PermissionType.values[permType] ?? permType}`,
    Key: goQuote(key),
    RangeEnd: goQuote(range_end),
  });
}
