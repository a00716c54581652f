import type { Command } from '../../base/command.ts';
import { option } from '../../base/options.ts';
import { runChild } from '../child-command.ts';
import { type ClientCall, clientCommand } from '../client-command.ts';
import { badArguments, ClientExit, ExitError } from '../exit-error.ts';
import { int64 } from '../global-options.ts';
import type { ClientHost } from '../host.ts';
import { KvMethod } from '../kv-methods.ts';
import { Session } from '../session.ts';
import { rangeView } from '../views/kv-views.ts';
import { WaitingLine } from '../waiting-line.ts';

const LOCK_OPTIONS = {
  ttl: option(int64, {
    flag: 'ttl',
    default: 10,
    group: 'The lock',
    fromEnvironment: false,
    help: 'seconds after which the lock is free when its holder is gone without a word',
  }),
} as const;

const DETAILS = `Waits until the lock is free, and holds it until it is stopped, or as long as the command runs, which finds
ETCD_LOCK_KEY and ETCD_LOCK_REV in its environment. Exits with the command's exit code. Excludes etcdctl's locks, too.

Examples:
  kedge lock nightly -- backup.sh --full        one at a time, wherever it runs
  kedge lock nightly                            hold it until Ctrl-C`;

/** `kedge lock`: etcdctl's. */
export function commands(host: ClientHost): Command[] {
  return [
    clientCommand(host, {
      name: 'lock',
      summary: 'hold a lock, or run a command while holding it',
      operands: [
        { name: 'lockname', help: 'its name', required: true },
        { name: 'command', help: 'what to run; put -- before it when it has flags', required: false, repeated: true },
      ],
      options: LOCK_OPTIONS,
      details: DETAILS,
      run: lock,
    }),
  ];
}

async function lock(call: ClientCall<typeof LOCK_OPTIONS>): Promise<number> {
  const { host, options, operands } = call;
  const [name, ...command] = operands;
  if (name === undefined) throw badArguments('lock takes a lock name argument and an optional command to execute');
  const connection = await call.connect();
  const session = await Session.open(connection, host.clock, options.ttl);
  const line = new WaitingLine(connection, session, name);
  const stopped = new Promise<'stopped'>((resolve) => host.onStopSignal(() => resolve('stopped')));
  const entered = line.enter('');
  if ((await Promise.race([entered, stopped])) === 'stopped') {
    await line.leave();
    throw new ExitError(ClientExit.error, 'context canceled');
  }
  if (command.length > 0) {
    const variables = { ETCD_LOCK_KEY: line.key, ETCD_LOCK_REV: String(line.headRevision) };
    const { code, failure } = await runChild(host, command, variables);
    await line.leave();
    if (failure !== undefined) throw new ExitError(code, failure);
    return 0;
  }
  const response = await connection.call(KvMethod.range, { key: Buffer.from(line.key) });
  if (response.kvs.length === 0) throw new ExitError(ClientExit.error, 'lock lost on init');
  call.print(rangeView(response, { hex: options.hex, valueOnly: false }));
  if ((await Promise.race([stopped, session.lost])) !== 'stopped') {
    throw new ExitError(ClientExit.error, 'session expired');
  }
  await line.leave();
  return 0;
}
