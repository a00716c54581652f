import type { Command } from '../../base/command.ts';
import { AuthMethod } from '../auth-methods.ts';
import { type ClientCall, clientCommand } from '../client-command.ts';
import { badArguments } from '../exit-error.ts';
import type { ClientHost } from '../host.ts';
import { RpcError } from '../rpc-error.ts';
import { authStatusView } from '../views/auth-views.ts';

/** `kedge auth …`: etcdctl's. */
export function commands(host: ClientHost): Command[] {
  return [
    clientCommand(host, {
      name: 'auth enable',
      summary: 'from now on, whoever asks must log in',
      operands: [],
      options: {},
      details: `There must be a user root; it gets the role root.

Example:
  kedge user add root && kedge auth enable`,
      run: enable,
    }),
    clientCommand(host, {
      name: 'auth disable',
      summary: 'let everybody do everything again',
      operands: [],
      options: {},
      details: 'Example:\n  kedge auth disable --user root',
      run: disable,
    }),
    clientCommand(host, {
      name: 'auth status',
      summary: 'print whether one must log in',
      operands: [],
      options: {},
      details: 'Example:\n  kedge auth status',
      run: status,
    }),
  ];
}

async function enable(call: ClientCall): Promise<void> {
  refuseOperands(call, 'enable');
  const connection = await call.connect();
  try {
    await connection.call(AuthMethod.enable, {});
  } catch (error) {
    const hasNoRole = error instanceof RpcError && error.details === 'etcdserver: root user does not have root role';
    if (!hasNoRole) throw error;
    await connection.call(AuthMethod.roleAdd, { name: 'root' });
    await connection.call(AuthMethod.userGrantRole, { user: 'root', role: 'root' });
    await connection.call(AuthMethod.enable, {});
  }
  call.host.out('Authentication Enabled\n');
}

async function disable(call: ClientCall): Promise<void> {
  refuseOperands(call, 'disable');
  const connection = await call.connect();
  await connection.call(AuthMethod.disable, {});
  call.host.out('Authentication Disabled\n');
}

async function status(call: ClientCall): Promise<void> {
  refuseOperands(call, 'status');
  const connection = await call.connect();
  call.print(authStatusView(await connection.call(AuthMethod.status, {})));
}

function refuseOperands({ operands }: ClientCall, name: string): void {
  if (operands.length !== 0) throw badArguments(`auth ${name} command does not accept any arguments`);
}
