import type { Command } from '../../base/command.ts';
import { flag, option, text } from '../../base/options.ts';
import * as messages from '../../etcd/messages/auth-table.ts';
import { AuthMethod } from '../auth-methods.ts';
import { type ClientCall, clientCommand } from '../client-command.ts';
import { badArguments } from '../exit-error.ts';
import type { ClientHost } from '../host.ts';
import { linesOf } from '../input.ts';
import { askPassword } from '../password.ts';
import { doneView, roleGetView, userGetView, userListView } from '../views/auth-views.ts';

const own = { group: 'How', fromEnvironment: false } as const;

const INTERACTIVE = {
  interactive: option(flag, {
    ...own,
    flag: 'interactive',
    default: true,
    help: 'ask for the password, twice; =false: it is the first word of standard input',
  }),
} as const;

const ADD_OPTIONS = {
  ...INTERACTIVE,
  newUserPassword: option(text('password'), {
    ...own,
    flag: 'new-user-password',
    default: '',
    defaultText: 'none',
    help: 'the password; others on the machine can see it here',
  }),
  noPassword: option(flag, {
    ...own,
    flag: 'no-password',
    default: false,
    help: 'nobody can log in with a password; a client certificate of that common name can',
  }),
} as const;

const GET_OPTIONS = {
  detail: option(flag, { ...own, flag: 'detail', default: false, help: 'what the roles may do, too' }),
} as const;

const USER = { name: 'user name', help: 'the user', required: true } as const;
const ROLE = { name: 'role name', help: 'the role', required: true } as const;

/** `kedge user …`: etcdctl's. */
export function commands(host: ClientHost): Command[] {
  return [
    clientCommand(host, {
      name: 'user add',
      summary: 'make a user',
      operands: [{ name: 'user name or user:password', help: 'the user', required: true }],
      options: ADD_OPTIONS,
      details: `Examples:
  kedge user add root                                 asks for a password
  kedge user add app --interactive=false <password.txt
  kedge user add node-1 --no-password                 for client certificates`,
      run: add,
    }),
    clientCommand(host, {
      name: 'user delete',
      summary: 'delete a user',
      operands: [USER],
      options: {},
      details: 'Example:\n  kedge user delete app',
      run: remove,
    }),
    clientCommand(host, {
      name: 'user get',
      summary: 'print the roles of a user',
      operands: [USER],
      options: GET_OPTIONS,
      details: 'Example:\n  kedge user get app --detail',
      run: get,
    }),
    clientCommand(host, {
      name: 'user list',
      summary: 'list all users',
      operands: [],
      options: {},
      details: 'Example:\n  kedge user list',
      run: list,
    }),
    clientCommand(host, {
      name: 'user passwd',
      summary: 'change the password of a user',
      operands: [USER],
      options: INTERACTIVE,
      details: 'Example:\n  kedge user passwd app',
      run: passwd,
    }),
    clientCommand(host, {
      name: 'user grant-role',
      summary: 'give a role to a user',
      operands: [USER, ROLE],
      options: {},
      details: 'Example:\n  kedge user grant-role app reader',
      run: grantRole,
    }),
    clientCommand(host, {
      name: 'user revoke-role',
      summary: 'take a role from a user',
      operands: [USER, ROLE],
      options: {},
      details: 'Example:\n  kedge user revoke-role app reader',
      run: revokeRole,
    }),
  ];
}

async function add(call: ClientCall<typeof ADD_OPTIONS>): Promise<void> {
  const { operands, options } = call;
  const [written] = operands;
  if (written === undefined || operands.length !== 1) {
    throw badArguments('user add command requires user name as its argument');
  }
  const { name, password } = await newUser(call, written);
  const connection = await call.connect();
  const request = { name, password, options: { no_password: options.noPassword } };
  const response = await connection.call(AuthMethod.userAdd, request);
  call.print(doneView(messages.AuthUserAddResponse, response, `User ${name} created`));
}

async function newUser(
  { host, options }: ClientCall<typeof ADD_OPTIONS>,
  written: string,
): Promise<{ readonly name: string; readonly password: string }> {
  if (options.noPassword) return { name: written, password: '' };
  if (options.newUserPassword !== '') return { name: written, password: options.newUserPassword };
  const colon = written.indexOf(':');
  if (colon < 0) return { name: written, password: await newPassword(host, written, options.interactive) };
  if (colon === 0) throw badArguments('empty user name is not allowed');
  return { name: written.slice(0, colon), password: written.slice(colon + 1) };
}

async function newPassword(host: ClientHost, user: string, interactive: boolean): Promise<string> {
  if (!interactive) return linesOf(host.input).word();
  const password = await askPassword(host, `Password of ${user}: `);
  if (password === '') throw badArguments('empty password');
  const again = await askPassword(host, `Type password of ${user} again for confirmation: `);
  if (password !== again) throw badArguments('given passwords are different');
  return password;
}

async function remove(call: ClientCall): Promise<void> {
  const [name] = exactly(call.operands, 1, 'user delete command requires user name as its argument');
  const connection = await call.connect();
  const response = await connection.call(AuthMethod.userDelete, { name });
  call.print(doneView(messages.AuthUserDeleteResponse, response, `User ${name} deleted`));
}

async function get(call: ClientCall<typeof GET_OPTIONS>): Promise<void> {
  const [name] = exactly(call.operands, 1, 'user get command requires user name as its argument');
  const connection = await call.connect();
  const response = await connection.call(AuthMethod.userGet, { name });
  if (!call.options.detail) {
    call.print(userGetView(name, response));
    return;
  }
  call.host.out(`User: ${name}\n`);
  for (const role of response.roles) {
    call.host.out('\n');
    call.print(roleGetView(role, await connection.call(AuthMethod.roleGet, { role })));
  }
}

async function list(call: ClientCall): Promise<void> {
  if (call.operands.length !== 0) throw badArguments('user list command requires no arguments');
  const connection = await call.connect();
  call.print(userListView(await connection.call(AuthMethod.userList, {})));
}

async function passwd(call: ClientCall<typeof INTERACTIVE>): Promise<void> {
  const [name] = exactly(call.operands, 1, 'user passwd command requires user name as its argument');
  const password = await newPassword(call.host, name, call.options.interactive);
  const connection = await call.connect();
  const response = await connection.call(AuthMethod.userChangePassword, { name, password });
  call.print(doneView(messages.AuthUserChangePasswordResponse, response, 'Password updated'));
}

async function grantRole(call: ClientCall): Promise<void> {
  const whenMissing = 'user grant command requires user name and role name as its argument';
  const [user, role] = exactly(call.operands, 2, whenMissing);
  const connection = await call.connect();
  const response = await connection.call(AuthMethod.userGrantRole, { user, role });
  call.print(doneView(messages.AuthUserGrantRoleResponse, response, `Role ${role} is granted to user ${user}`));
}

async function revokeRole(call: ClientCall): Promise<void> {
  const whenMissing = 'user revoke-role requires user name and role name as its argument';
  const [name, role] = exactly(call.operands, 2, whenMissing);
  const connection = await call.connect();
  const response = await connection.call(AuthMethod.userRevokeRole, { name, role });
  call.print(doneView(messages.AuthUserRevokeRoleResponse, response, `Role ${role} is revoked from user ${name}`));
}

function exactly(operands: readonly string[], count: number, whenNot: string): [string, string] {
  if (operands.length !== count) throw badArguments(whenNot);
  return [operands[0] ?? '', operands[1] ?? ''];
}
