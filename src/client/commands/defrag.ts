import type { Command } from '../../base/command.ts';
import { type ClientCall, clientCommand } from '../client-command.ts';
import { CLUSTER_OPTION, endpointsToAsk } from '../cluster-endpoints.ts';
import { ClientExit } from '../exit-error.ts';
import type { ClientHost } from '../host.ts';
import { MaintenanceMethod } from '../maintenance-methods.ts';
import { RpcError } from '../rpc-error.ts';

/** `kedge defrag`: etcdctl's. */
export function commands(host: ClientHost): Command[] {
  return [
    clientCommand(host, {
      name: 'defrag',
      summary: 'give free space of the data back to the disk',
      operands: [],
      options: CLUSTER_OPTION,
      details: `An etcd stands still meanwhile; large ones want a longer --command-timeout.

Example:
  kedge defrag --command-timeout 60s`,
      run: defrag,
    }),
  ];
}

async function defrag(call: ClientCall<typeof CLUSTER_OPTION>): Promise<number> {
  let failures = 0;
  for (const endpoint of await endpointsToAsk(call)) {
    try {
      const connection = await call.connect({ endpoints: [endpoint] });
      await connection.call(MaintenanceMethod.defragment, {});
      call.host.out(`Finished defragmenting etcd member[${endpoint}]\n`);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      call.host.err(`Failed to defragment etcd member[${endpoint}] (${error.message})\n`);
      failures++;
    }
  }
  return failures === 0 ? 0 : ClientExit.error;
}
