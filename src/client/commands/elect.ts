import type { Command } from '../../base/command.ts';
import { flag, option } from '../../base/options.ts';
import { type ClientCall, clientCommand } from '../client-command.ts';
import type { Connection } from '../connection.ts';
import { badArguments, ClientExit, ExitError } from '../exit-error.ts';
import type { ClientHost } from '../host.ts';
import { prefixRange } from '../key-range.ts';
import { KvMethod } from '../kv-methods.ts';
import { CLIENT_LIMITS } from '../limits.ts';
import { leaders } from '../observer.ts';
import { Session } from '../session.ts';
import { rangeView } from '../views/kv-views.ts';
import { WaitingLine } from '../waiting-line.ts';

const ELECT_OPTIONS = {
  listen: option(flag, {
    flag: 'listen',
    short: 'l',
    default: false,
    group: 'How',
    fromEnvironment: false,
    help: 'only print who is elected, now and whenever it changes',
  }),
} as const;

const DETAILS = `Stands for election, prints key and proposal when elected, and leads until it is stopped.

Examples:
  kedge elect boss "$(hostname)"
  kedge elect --listen boss`;

/** `kedge elect`: etcdctl's. */
export function commands(host: ClientHost): Command[] {
  return [
    clientCommand(host, {
      name: 'elect',
      summary: 'stand for an election, or watch one',
      operands: [
        { name: 'election-name', help: 'its name', required: true },
        { name: 'proposal', help: 'what the elected says of itself', required: false },
      ],
      options: ELECT_OPTIONS,
      details: DETAILS,
      run: elect,
    }),
  ];
}

async function elect(call: ClientCall<typeof ELECT_OPTIONS>): Promise<void> {
  const { operands, options } = call;
  const [name, proposal] = operands;
  if (name === undefined || operands.length > 2) {
    throw badArguments('elect takes one election name argument and an optional proposal argument');
  }
  if (proposal === undefined && !options.listen) throw badArguments('no proposal argument but -l not set');
  if (proposal !== undefined && options.listen) throw badArguments('proposal given but -l is set');
  const connection = await call.connect();
  const stopped = new Promise<'stopped'>((resolve) => call.host.onStopSignal(() => resolve('stopped')));
  if (proposal === undefined) await observe(call, connection, name, stopped);
  else await campaign(call, connection, name, proposal, stopped);
}

async function observe(
  call: ClientCall<typeof ELECT_OPTIONS>,
  connection: Connection,
  name: string,
  stopped: Promise<'stopped'>,
): Promise<void> {
  const style = { hex: call.options.hex, valueOnly: false };
  const observing = (async () => {
    for await (const response of leaders(connection, prefixRange(`${name}/`))) call.print(rangeView(response, style));
  })();
  if ((await Promise.race([stopped, observing])) !== 'stopped') {
    throw new ExitError(ClientExit.error, 'elect: observer lost');
  }
}

async function campaign(
  call: ClientCall<typeof ELECT_OPTIONS>,
  connection: Connection,
  name: string,
  proposal: string,
  stopped: Promise<'stopped'>,
): Promise<void> {
  const session = await Session.open(connection, call.host.clock, CLIENT_LIMITS.electSessionTtlSeconds);
  const line = new WaitingLine(connection, session, name);
  if ((await Promise.race([line.enter(proposal), stopped])) === 'stopped') {
    await line.leave();
    throw new ExitError(ClientExit.error, 'context canceled');
  }
  const response = await connection.call(KvMethod.range, { key: Buffer.from(line.key) });
  call.print(rangeView(response, { hex: call.options.hex, valueOnly: false }));
  if ((await Promise.race([stopped, session.lost])) !== 'stopped') {
    throw new ExitError(ClientExit.error, 'elect: session expired');
  }
  await line.leave();
}
