import { flag, option } from '../base/options.ts';
import type { ClientCall } from './client-command.ts';
import { ClusterMethod } from './cluster-methods.ts';
import { ClientExit, ExitError } from './exit-error.ts';
import { RpcError } from './rpc-error.ts';

/** `--cluster`, of commands that ask each endpoint by itself. */
export const CLUSTER_OPTION = {
  cluster: option(flag, {
    flag: 'cluster',
    default: false,
    group: 'Whom it talks to',
    fromEnvironment: false,
    help: 'all that the member list names, instead of --endpoints',
  }),
} as const;

/** The endpoints to ask: those of the flags, or with --cluster those of the member list. */
export async function endpointsToAsk(call: ClientCall<typeof CLUSTER_OPTION>): Promise<readonly string[]> {
  if (!call.options.cluster) return call.options.endpoints;
  const connection = await call.connect();
  try {
    const { members } = await connection.call(ClusterMethod.memberList, { linearizable: true });
    return members.flatMap(({ clientURLs = [] }) => clientURLs);
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    const message = `failed to fetch endpoints from etcd cluster member list: ${error.message}`;
    throw new ExitError(ClientExit.error, message, { cause: error });
  }
}
