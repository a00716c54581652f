import type { Command } from '../../base/command.ts';
import { flag, type OptionValues, option } from '../../base/options.ts';
import type { DeleteRangeRequest } from '../../etcd/messages/kv-table.ts';
import type { Value } from '../../etcd/messages/schema.ts';
import { type ClientCall, clientCommand } from '../client-command.ts';
import type { Connection } from '../connection.ts';
import { badArguments } from '../exit-error.ts';
import { goQuote } from '../format/go-quote.ts';
import type { ClientHost } from '../host.ts';
import { KvMethod } from '../kv-methods.ts';
import { CLIENT_LIMITS } from '../limits.ts';
import { deleteView } from '../views/kv-views.ts';
import { chooseOne, keyRange } from './get.ts';

const own = { group: 'What is deleted', fromEnvironment: false } as const;

export const DEL_OPTIONS = {
  prefix: option(flag, { ...own, flag: 'prefix', default: false, help: 'all keys that begin with <key>' }),
  fromKey: option(flag, { ...own, flag: 'from-key', default: false, help: 'all keys from <key> on' }),
  prevKv: option(flag, { ...own, flag: 'prev-kv', default: false, help: 'print what was deleted' }),
  range: option(flag, {
    ...own,
    flag: 'range',
    default: false,
    help: '<range_end> is meant: without it a terminal is warned, and has two seconds to stop it',
  }),
} as const;

const DETAILS = `Prints how many keys were deleted.

Examples:
  kedge del greeting
  kedge del --prefix /old/                every key below /old/
  kedge del a c                           the keys from a up to, but not including, c
  kedge del greeting --prev-kv            and print what it was`;

/** `kedge del`: etcdctl's. */
export function commands(host: ClientHost): Command[] {
  return [
    clientCommand(host, {
      name: 'del',
      summary: 'delete a key, or a range of keys',
      operands: [
        { name: 'key', help: 'the key, or where the range begins', required: true },
        { name: 'range_end', help: 'where it ends, not included', required: false },
      ],
      options: DEL_OPTIONS,
      details: DETAILS,
      run: del,
    }),
  ];
}

async function del(call: ClientCall<typeof DEL_OPTIONS>): Promise<void> {
  const request = deleteRequest(call.options, call.operands);
  const connection = await call.connect();
  await warnOfRange(call, connection);
  const response = await connection.call(KvMethod.deleteRange, request);
  call.print(deleteView(response, { hex: call.options.hex, valueOnly: false }));
}

/** Who types `del a b` may mean two keys. Scripts, unlike those of etcdctl, do not wait. */
async function warnOfRange({ host, options, operands }: ClientCall<typeof DEL_OPTIONS>, connection: Connection) {
  const [first = '', end] = operands;
  if (end === undefined || options.range || !host.isTerminal) return;
  host.err(
    `Warning: Keys between ${goQuote(first)} and ${goQuote(end)} will be deleted. Please interrupt the command within next 2 seconds to cancel. You can provide \`--range\` flag to avoid the delay.\n`,
  );
  await connection.pause(CLIENT_LIMITS.rangeDeleteWarningMs);
}

/** The request that the words of `del` mean; txn reads its own with it. Throws ExitError in etcdctl's words. */
export function deleteRequest(
  options: OptionValues<typeof DEL_OPTIONS>,
  operands: readonly string[],
): Partial<Value<typeof DeleteRangeRequest>> {
  if (operands.length === 0 || operands.length > 2) {
    throw badArguments('del command needs one argument as key and an optional argument as range_end');
  }
  if (options.prefix && options.fromKey) throw badArguments(chooseOne('--prefix', '--from-key'));
  return { ...keyRange(options, operands), prev_kv: options.prevKv };
}
