import type { Command } from '../../base/command.ts';
import { flag, option } from '../../base/options.ts';
import { type ClientCall, clientCommand } from '../client-command.ts';
import { badArguments, ClientExit, ExitError } from '../exit-error.ts';
import { parseInt64, parseInt64Number } from '../format/go-integer.ts';
import type { ClientHost } from '../host.ts';
import { keepAlive, keepAliveOnce } from '../lease-keeper.ts';
import { LeaseMethod } from '../lease-methods.ts';
import { RpcError } from '../rpc-error.ts';
import { grantView, keepAliveView, leaseName, leasesView, revokeView, timeToLiveView } from '../views/lease-views.ts';

const own = { group: 'What it does', fromEnvironment: false } as const;

const TIME_TO_LIVE_OPTIONS = {
  keys: option(flag, { ...own, flag: 'keys', default: false, help: 'name the keys that go with it' }),
} as const;

const KEEP_ALIVE_OPTIONS = {
  once: option(flag, { ...own, flag: 'once', default: false, help: 'renew it once, and end' }),
} as const;

const LEASE_ID = { name: 'leaseID', help: 'its id in hexadecimal', required: true } as const;

/** `kedge lease …`: etcdctl's. */
export function commands(host: ClientHost): Command[] {
  return [
    clientCommand(host, {
      name: 'lease grant',
      summary: 'make a lease: keys put with it go when its time is over',
      operands: [{ name: 'ttl', help: 'its time in seconds', required: true }],
      options: {},
      details: 'Examples:\n  kedge lease grant 60\n  kedge put lamp on --lease 694d8aee4a3c1d06',
      run: grant,
    }),
    clientCommand(host, {
      name: 'lease revoke',
      summary: 'end a lease now, and delete its keys',
      operands: [LEASE_ID],
      options: {},
      details: 'Example:\n  kedge lease revoke 694d8aee4a3c1d06',
      run: revoke,
    }),
    clientCommand(host, {
      name: 'lease timetolive',
      summary: 'print how long a lease has left',
      operands: [LEASE_ID],
      options: TIME_TO_LIVE_OPTIONS,
      details: 'Example:\n  kedge lease timetolive 694d8aee4a3c1d06 --keys',
      run: timeToLive,
    }),
    clientCommand(host, {
      name: 'lease list',
      summary: 'list all leases',
      operands: [],
      options: {},
      details: 'Example:\n  kedge lease list',
      run: list,
    }),
    clientCommand(host, {
      name: 'lease keep-alive',
      summary: 'renew a lease, again and again',
      operands: [LEASE_ID],
      options: KEEP_ALIVE_OPTIONS,
      details:
        'Goes on until the lease has ended or it is stopped.\n\nExample:\n  kedge lease keep-alive 694d8aee4a3c1d06',
      run: keepAliveCommand,
    }),
  ];
}

async function grant(call: ClientCall): Promise<void> {
  const [written] = call.operands;
  if (written === undefined || call.operands.length !== 1) throw badArguments('lease grant command needs TTL argument');
  const TTL = numberOf(written, 'bad TTL');
  const connection = await call.connect();
  const response = await connection.call(LeaseMethod.grant, { TTL }).catch(failedTo('grant'));
  call.print(grantView(response));
}

async function revoke(call: ClientCall): Promise<void> {
  const ID = leaseIdOf(call, 'lease revoke command needs 1 argument');
  const connection = await call.connect();
  call.print(revokeView(ID, await connection.call(LeaseMethod.revoke, { ID }).catch(failedTo('revoke'))));
}

async function timeToLive(call: ClientCall<typeof TIME_TO_LIVE_OPTIONS>): Promise<void> {
  const ID = leaseIdOf(call, 'lease timetolive command needs lease ID as argument');
  const { keys } = call.options;
  const connection = await call.connect();
  call.print(timeToLiveView(await connection.call(LeaseMethod.timeToLive, { ID, keys }).catch(badConnection), keys));
}

async function list(call: ClientCall): Promise<void> {
  const connection = await call.connect();
  call.print(leasesView(await connection.call(LeaseMethod.leases, {}).catch(badConnection)));
}

async function keepAliveCommand(call: ClientCall<typeof KEEP_ALIVE_OPTIONS>): Promise<void> {
  const id = leaseIdOf(call, 'lease keep-alive command needs lease ID as argument');
  const connection = await call.connect();
  if (call.options.once) {
    const response = await keepAliveOnce(connection, id).catch(badConnection);
    if (response.TTL <= 0) throw new ExitError(ClientExit.badConnection, 'etcdserver: requested lease not found');
    call.print(keepAliveView(response));
    return;
  }
  try {
    for await (const response of keepAlive(connection, call.host.clock, id)) call.print(keepAliveView(response));
  } catch (error) {
    badConnection(error);
  }
  if (call.format === 'simple') call.host.out(`lease ${leaseName(id)} expired or revoked.\n`);
}

function leaseIdOf({ operands }: { readonly operands: readonly string[] }, whenMissing: string): bigint {
  const [written] = operands;
  if (written === undefined || operands.length !== 1) throw badArguments(whenMissing);
  try {
    return parseInt64(written, 16);
  } catch (error) {
    throw badArguments(`bad lease ID arg (${(error as Error).message}), expecting ID in Hex`);
  }
}

function numberOf(written: string, what: string): number {
  try {
    return parseInt64Number(written);
  } catch (error) {
    throw badArguments(`${what} (${(error as Error).message})`);
  }
}

function failedTo(what: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof RpcError)) throw error;
    throw new ExitError(ClientExit.error, `failed to ${what} lease (${error.message})`, { cause: error });
  };
}

function badConnection(error: unknown): never {
  if (!(error instanceof RpcError)) throw error;
  throw new ExitError(ClientExit.badConnection, error.message, { cause: error });
}
