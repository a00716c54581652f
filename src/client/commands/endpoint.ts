import type { Command } from '../../base/command.ts';
import { option } from '../../base/options.ts';
import { type ClientCall, clientCommand } from '../client-command.ts';
import { CLUSTER_OPTION, endpointsToAsk } from '../cluster-endpoints.ts';
import { ClientExit, ExitError } from '../exit-error.ts';
import { goDuration } from '../format/go-duration.ts';
import { int64 } from '../global-options.ts';
import type { ClientHost } from '../host.ts';
import { KvMethod } from '../kv-methods.ts';
import { MaintenanceMethod } from '../maintenance-methods.ts';
import { RpcError } from '../rpc-error.ts';
import {
  type EndpointHash,
  type EndpointHealth,
  type EndpointStatus,
  hashView,
  healthView,
  statusView,
} from '../views/endpoint-views.ts';

const HASH_OPTIONS = {
  ...CLUSTER_OPTION,
  rev: option(int64, {
    flag: 'rev',
    default: 0,
    defaultText: 'now',
    group: 'What is hashed',
    fromEnvironment: false,
    help: 'the history up to this revision',
  }),
} as const;

/** `kedge endpoint …`: etcdctl's. */
export function commands(host: ClientHost): Command[] {
  return [
    clientCommand(host, {
      name: 'endpoint health',
      summary: 'print whether endpoints answer, and how fast',
      operands: [],
      options: CLUSTER_OPTION,
      details:
        'Exits with 1 when one does not, or has an alarm.\n\nExample:\n  kedge endpoint health --cluster -w table',
      run: health,
    }),
    clientCommand(host, {
      name: 'endpoint status',
      summary: 'print version, size and revision of endpoints',
      operands: [],
      options: CLUSTER_OPTION,
      details: `Prints endpoint, id, version, size, is leader, is learner, raft term, raft index, raft applied index, errors.

Example:
  kedge endpoint status -w table`,
      run: status,
    }),
    clientCommand(host, {
      name: 'endpoint hashkv',
      summary: 'print a digest of the history of endpoints',
      operands: [],
      options: HASH_OPTIONS,
      details: `Equal digests of one revision: equal histories, of kedge and etcd alike.

Example:
  kedge endpoint hashkv --rev 1000 --endpoints http://a:2379,http://b:2379`,
      run: hashKv,
    }),
  ];
}

async function health(call: ClientCall<typeof CLUSTER_OPTION>): Promise<number> {
  const endpoints = await Promise.all((await endpointsToAsk(call)).map((endpoint) => healthOf(call, endpoint)));
  call.print(healthView(endpoints));
  const unhealthy = endpoints.filter(({ error }) => error !== '');
  if (unhealthy.length === 0) return 0;
  for (const { endpoint, error } of call.format === 'simple' ? unhealthy : []) {
    call.host.err(`${endpoint} is unhealthy: failed to commit proposal: ${error}\n`);
  }
  throw new ExitError(ClientExit.error, 'unhealthy cluster');
}

async function healthOf(call: ClientCall<typeof CLUSTER_OPTION>, endpoint: string): Promise<EndpointHealth> {
  const { clock } = call.host;
  let startedMs = clock.monotonicMs();
  const answered = (error: string): EndpointHealth => {
    return { endpoint, health: error === '', took: goDuration(clock.monotonicMs() - startedMs), error };
  };
  try {
    const connection = await call.connect({ endpoints: [endpoint] });
    startedMs = clock.monotonicMs();
    // A read that the whole cluster agrees on; not to be allowed to read this key is healthy, too.
    const error = await connection.call(KvMethod.range, { key: Buffer.from('health') }).then(
      () => '',
      (failed: unknown) => (isPermission(failed) ? '' : messageOf(failed)),
    );
    const answer = answered(error);
    if (!answer.health) return answer;
    const alarms = await connection.call(MaintenanceMethod.alarm, {}).then(
      (response) => response.alarms,
      () => undefined,
    );
    if (alarms === undefined) return { ...answer, health: false, error: 'Unable to fetch the alarm list' };
    const names = alarms.map(({ alarm = 0 }) => ['UNKNOWN', 'NOSPACE', 'CORRUPT'][alarm] ?? 'UNKNOWN');
    if (names.length === 0) return answer;
    return { ...answer, health: false, error: `Active Alarm(s): ${names.map((name) => `${name} `).join('')}` };
  } catch (error) {
    return { endpoint, health: false, took: '', error: messageOf(error) };
  }
}

async function status(call: ClientCall<typeof CLUSTER_OPTION>): Promise<number> {
  const found: EndpointStatus[] = [];
  const endpoints = await endpointsToAsk(call);
  for (const endpoint of endpoints) {
    try {
      const connection = await call.connect({ endpoints: [endpoint] });
      found.push({ endpoint, status: await connection.call(MaintenanceMethod.status, {}) });
    } catch (error) {
      call.host.err(`Failed to get the status of endpoint ${endpoint} (${messageOf(error)})\n`);
    }
  }
  call.print(statusView(found));
  return found.length < endpoints.length ? ClientExit.error : 0;
}

async function hashKv(call: ClientCall<typeof HASH_OPTIONS>): Promise<void> {
  const found: EndpointHash[] = [];
  let failure: unknown;
  for (const endpoint of await endpointsToAsk(call)) {
    try {
      const connection = await call.connect({ endpoints: [endpoint] });
      const revision = call.options.rev;
      found.push({ endpoint, hash: await connection.call(MaintenanceMethod.hashKV, { revision }) });
    } catch (error) {
      failure = error;
      call.host.err(`Failed to get the hash of endpoint ${endpoint} (${messageOf(error)})\n`);
    }
  }
  call.print(hashView(found));
  if (failure !== undefined) throw failure;
}

/** Expected errors in words; others are defects, and go on. */
function messageOf(error: unknown): string {
  if (error instanceof RpcError || error instanceof ExitError) return error.message;
  throw error;
}

function isPermission(error: unknown): boolean {
  return error instanceof RpcError && error.details === 'etcdserver: permission denied';
}
