import type { Command } from '../../base/command.ts';
import { MoveLeaderResponse } from '../../etcd/messages/maintenance-table.ts';
import { type ClientCall, clientCommand } from '../client-command.ts';
import { badArguments } from '../exit-error.ts';
import { parseUint64 } from '../format/go-integer.ts';
import { messageJson } from '../format/message-json.ts';
import type { ClientHost } from '../host.ts';
import { MaintenanceMethod } from '../maintenance-methods.ts';

/** `kedge move-leader`: etcdctl's. */
export function commands(host: ClientHost): Command[] {
  return [
    clientCommand(host, {
      name: 'move-leader',
      summary: 'make another member the leader of a cluster of etcd',
      operands: [{ name: 'transferee-member-id', help: 'its id in hexadecimal', required: true }],
      options: {},
      details: `The leader must be among the --endpoints.

Example:
  kedge move-leader 8e9e05c52164694d`,
      run: moveLeader,
    }),
  ];
}

async function moveLeader(call: ClientCall): Promise<void> {
  const target = targetOf(call.operands);
  for (const endpoint of call.options.endpoints) {
    const connection = await call.connect({ endpoints: [endpoint] });
    const { header, leader } = await connection.call(MaintenanceMethod.status, {});
    if (header?.member_id !== leader) continue;
    const response = await connection.call(MaintenanceMethod.moveLeader, { targetID: target });
    call.print({
      simple: () => [`Leadership transferred from ${leader.toString(16)} to ${target.toString(16)}\n`],
      json: () => messageJson(MoveLeaderResponse, response),
      protobuf: () => MoveLeaderResponse.encode(response),
    });
    return;
  }
  throw badArguments(`no leader endpoint given at [${call.options.endpoints.join(' ')}]`);
}

function targetOf(operands: readonly string[]): bigint {
  const [written] = operands;
  if (written === undefined || operands.length !== 1) throw badArguments('move-leader command needs 1 argument');
  try {
    return parseUint64(written, 16);
  } catch (error) {
    throw badArguments((error as Error).message);
  }
}
