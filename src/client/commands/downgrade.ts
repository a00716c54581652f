import type { Command } from '../../base/command.ts';
import { DowngradeAction, DowngradeResponse } from '../../etcd/messages/maintenance-table.ts';
import { type ClientCall, clientCommand } from '../client-command.ts';
import { badArguments } from '../exit-error.ts';
import { messageJson } from '../format/message-json.ts';
import type { ClientHost } from '../host.ts';
import { MaintenanceMethod } from '../maintenance-methods.ts';

const TARGET = {
  name: 'target-version',
  help: 'the minor version before the present one, such as 3.5',
  required: true,
};

/** `kedge downgrade …`: etcdctl's. */
export function commands(host: ClientHost): Command[] {
  return [
    clientCommand(host, {
      name: 'downgrade validate',
      summary: 'ask whether a cluster of etcd could go back to that version',
      operands: [TARGET],
      options: {},
      details: `Example:
  kedge downgrade validate 3.5`,
      run: (call) => downgrade(call, 'VALIDATE'),
    }),
    clientCommand(host, {
      name: 'downgrade enable',
      summary: 'have a cluster of etcd go back to that version',
      operands: [TARGET],
      options: {},
      details: `For etcd. kedge refuses it: no older etcd can open its store; "kedge snapshot export" makes an etcd's.

Example:
  kedge downgrade enable 3.5`,
      run: (call) => downgrade(call, 'ENABLE'),
    }),
    clientCommand(host, {
      name: 'downgrade cancel',
      summary: 'stay at the present version after all',
      operands: [],
      options: {},
      details: `Example:
  kedge downgrade cancel`,
      run: (call) => downgrade(call, 'CANCEL'),
    }),
  ];
}

async function downgrade(call: ClientCall, action: 'VALIDATE' | 'ENABLE' | 'CANCEL'): Promise<void> {
  const version = action === 'CANCEL' ? '' : targetOf(call.operands);
  const connection = await call.connect();
  const request = { action: DowngradeAction.values.indexOf(action), version };
  const response = await connection.call(MaintenanceMethod.downgrade, request);
  call.print({
    simple: () => [`Downgrade ${action.toLowerCase()} success, cluster version ${response.version}\n`],
    json: () => messageJson(DowngradeResponse, response),
    protobuf: () => DowngradeResponse.encode(response),
  });
}

function targetOf(operands: readonly string[]): string {
  const [version] = operands;
  if (version === undefined) throw badArguments('TARGET_VERSION not provided');
  if (operands.length > 1) throw badArguments('too many arguments');
  if (version === '') throw badArguments('target version not provided');
  return version;
}
