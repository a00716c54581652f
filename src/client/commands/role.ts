import type { Command } from '../../base/command.ts';
import { flag, option } from '../../base/options.ts';
import * as messages from '../../etcd/messages/auth-table.ts';
import { AuthMethod } from '../auth-methods.ts';
import { type ClientCall, clientCommand } from '../client-command.ts';
import { badArguments } from '../exit-error.ts';
import { bytesOfText } from '../format/byte-text.ts';
import type { ClientHost } from '../host.ts';
import { fromKeyRange, type KeyRange, prefixRange, ZERO_KEY } from '../key-range.ts';
import { doneView, roleGetView, roleListView } from '../views/auth-views.ts';

const own = { group: 'Which keys', fromEnvironment: false } as const;

const RANGE_OPTIONS = {
  prefix: option(flag, { ...own, flag: 'prefix', default: false, help: 'all keys that begin with <key>' }),
  fromKey: option(flag, { ...own, flag: 'from-key', default: false, help: 'all keys from <key> on' }),
} as const;

const ROLE = { name: 'role name', help: 'the role', required: true } as const;
const KEY = { name: 'key', help: 'the key, or where the range begins', required: true } as const;
const END = { name: 'endkey', help: 'where it ends, not included', required: false } as const;

/** `kedge role …`: etcdctl's. */
export function commands(host: ClientHost): Command[] {
  return [
    clientCommand(host, {
      name: 'role add',
      summary: 'make a role',
      operands: [ROLE],
      options: {},
      details: 'Example:\n  kedge role add reader',
      run: add,
    }),
    clientCommand(host, {
      name: 'role delete',
      summary: 'delete a role',
      operands: [ROLE],
      options: {},
      details: 'Example:\n  kedge role delete reader',
      run: remove,
    }),
    clientCommand(host, {
      name: 'role get',
      summary: 'print what a role may do',
      operands: [ROLE],
      options: {},
      details: 'Example:\n  kedge role get reader',
      run: get,
    }),
    clientCommand(host, {
      name: 'role list',
      summary: 'list all roles',
      operands: [],
      options: {},
      details: 'Example:\n  kedge role list',
      run: list,
    }),
    clientCommand(host, {
      name: 'role grant-permission',
      summary: 'allow a role to read or write keys',
      operands: [
        ROLE,
        {
          name: 'permission type',
          help: 'read, write or readwrite',
          required: true,
          choices: ['read', 'write', 'readwrite'],
        },
        KEY,
        END,
      ],
      options: RANGE_OPTIONS,
      details: `Examples:
  kedge role grant-permission reader read --prefix /app/
  kedge role grant-permission owner readwrite --prefix ''`,
      run: grant,
    }),
    clientCommand(host, {
      name: 'role revoke-permission',
      summary: 'take a permission back',
      operands: [ROLE, KEY, END],
      options: RANGE_OPTIONS,
      details: 'Example:\n  kedge role revoke-permission reader --prefix /app/',
      run: revoke,
    }),
  ];
}

async function add(call: ClientCall): Promise<void> {
  const name = onlyOperand(call, 'role add command requires role name as its argument');
  const connection = await call.connect();
  const response = await connection.call(AuthMethod.roleAdd, { name });
  call.print(doneView(messages.AuthRoleAddResponse, response, `Role ${name} created`));
}

async function remove(call: ClientCall): Promise<void> {
  const role = onlyOperand(call, 'role delete command requires role name as its argument');
  const connection = await call.connect();
  const response = await connection.call(AuthMethod.roleDelete, { role });
  call.print(doneView(messages.AuthRoleDeleteResponse, response, `Role ${role} deleted`));
}

async function get(call: ClientCall): Promise<void> {
  const role = onlyOperand(call, 'role get command requires role name as its argument');
  const connection = await call.connect();
  call.print(roleGetView(role, await connection.call(AuthMethod.roleGet, { role })));
}

async function list(call: ClientCall): Promise<void> {
  if (call.operands.length !== 0) throw badArguments('role list command requires no arguments');
  const connection = await call.connect();
  call.print(roleListView(await connection.call(AuthMethod.roleList, {})));
}

async function grant(call: ClientCall<typeof RANGE_OPTIONS>): Promise<void> {
  const [name, type, ...keys] = call.operands;
  if (name === undefined || type === undefined || keys.length === 0) {
    throw badArguments('role grant command requires role name, permission type, and key [endkey] as its argument');
  }
  const permType = messages.PermissionType.values.indexOf(type.toUpperCase());
  if (permType < 0) throw badArguments(`invalid permission type: ${type}`);
  const range = permissionRange(keys, call.options);
  const connection = await call.connect();
  const response = await connection.call(AuthMethod.roleGrantPermission, { name, perm: { permType, ...range } });
  call.print(doneView(messages.AuthRoleGrantPermissionResponse, response, `Role ${name} updated`));
}

async function revoke(call: ClientCall<typeof RANGE_OPTIONS>): Promise<void> {
  const [role, ...keys] = call.operands;
  const [key] = keys;
  if (role === undefined || key === undefined) {
    throw badArguments('role revoke-permission command requires role name and key [endkey] as its argument');
  }
  const range = permissionRange(keys, call.options);
  const connection = await call.connect();
  const response = await connection.call(AuthMethod.roleRevokePermission, { role, ...range });
  const said = `${revokedText(key, range.range_end)} is revoked from role ${role}`;
  call.print(doneView(messages.AuthRoleRevokePermissionResponse, response, said));
}

function revokedText(key: string, end: Uint8Array): string {
  if (end.length === 0) return `Permission of key ${key}`;
  if (end.length === 1 && end[0] === 0) return `Permission of range [${key}, <open ended>`;
  return `Permission of range [${key}, ${Buffer.from(end).toString()})`;
}

function onlyOperand({ operands }: ClientCall, whenNot: string): string {
  const [only] = operands;
  if (only === undefined || operands.length !== 1) throw badArguments(whenNot);
  return only;
}

/** A permission is of one key, or of a range whose empty beginning is written `\0`. */
function permissionRange(
  [key = '', end]: readonly string[],
  { prefix, fromKey }: { readonly prefix: boolean; readonly fromKey: boolean },
): KeyRange {
  if (prefix && fromKey && (end === undefined || key === '')) {
    throw badArguments('--from-key and --prefix flags are mutually exclusive');
  }
  if (key === '') return { key: ZERO_KEY, range_end: prefix || fromKey ? ZERO_KEY : new Uint8Array(0) };
  if (end === undefined) {
    if (prefix) return prefixRange(key);
    return fromKey ? fromKeyRange(key) : { key: bytesOfText(key), range_end: new Uint8Array(0) };
  }
  if (prefix) throw badArguments('unexpected endkey argument with --prefix flag');
  if (fromKey) throw badArguments('unexpected endkey argument with --from-key flag');
  return { key: bytesOfText(key), range_end: bytesOfText(end) };
}
