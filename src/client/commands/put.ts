import type { Command } from '../../base/command.ts';
import { flag, type OptionValues, option, text } from '../../base/options.ts';
import type { PutRequest } from '../../etcd/messages/kv-table.ts';
import type { Value } from '../../etcd/messages/schema.ts';
import { type ClientCall, clientCommand } from '../client-command.ts';
import { badArguments } from '../exit-error.ts';
import { bytesOfText } from '../format/byte-text.ts';
import { parseInt64 } from '../format/go-integer.ts';
import type { ClientHost } from '../host.ts';
import { readAll } from '../input.ts';
import { KvMethod } from '../kv-methods.ts';
import { putView } from '../views/kv-views.ts';

const own = { group: 'How it is written', fromEnvironment: false } as const;

export const PUT_OPTIONS = {
  lease: option(text('id'), {
    ...own,
    flag: 'lease',
    default: '0',
    defaultText: 'none',
    help: 'the key goes when this lease does (its id in hexadecimal, as "kedge lease grant" prints it)',
  }),
  prevKv: option(flag, { ...own, flag: 'prev-kv', default: false, help: 'print what was there before' }),
  ignoreValue: option(flag, { ...own, flag: 'ignore-value', default: false, help: 'leave the value as it is' }),
  ignoreLease: option(flag, { ...own, flag: 'ignore-lease', default: false, help: 'leave the lease as it is' }),
} as const;

const DETAILS = `Without <value> it is what comes from standard input, as it is.

Examples:
  kedge put greeting 'hello world'
  kedge put config <config.yaml                  a file as the value
  kedge put greeting hi --prev-kv                and print what was there
  kedge put -- -key -value                       words that begin with a dash
  kedge put lamp on --lease 694d8aee4a3c1d06     gone when the lease is
  kedge put lamp --ignore-value --lease 0        forget the lease, keep the value`;

/** `kedge put`: etcdctl's. */
export function commands(host: ClientHost): Command[] {
  return [
    clientCommand(host, {
      name: 'put',
      summary: 'write a key',
      operands: [
        { name: 'key', help: 'the key', required: true },
        { name: 'value', help: 'its value; default: standard input', required: false },
      ],
      options: PUT_OPTIONS,
      details: DETAILS,
      run: put,
    }),
  ];
}

async function put(call: ClientCall<typeof PUT_OPTIONS>): Promise<void> {
  const request = await putRequest(call.options, call.operands, () => readAll(call.host.input));
  const connection = await call.connect();
  call.print(putView(await connection.call(KvMethod.put, request), { hex: call.options.hex, valueOnly: false }));
}

/** The request that the words of `put` mean; txn reads its own with it. Throws ExitError in etcdctl's words. */
export async function putRequest(
  options: OptionValues<typeof PUT_OPTIONS>,
  [key, value]: readonly string[],
  readValue: () => Promise<Uint8Array>,
): Promise<Partial<Value<typeof PutRequest>>> {
  if (key === undefined) throw badArguments(NEEDS_VALUE);
  if (options.ignoreValue && value !== undefined) {
    throw badArguments("put command needs only 1 argument when 'ignore-value' is set");
  }
  return {
    key: bytesOfText(key),
    value: options.ignoreValue ? NO_BYTES : await valueBytes(value, readValue),
    lease: leaseOf(options.lease),
    prev_kv: options.prevKv,
    ignore_value: options.ignoreValue,
    ignore_lease: options.ignoreLease,
  };
}

const NO_BYTES = new Uint8Array(0);
const NEEDS_VALUE = 'put command needs 1 argument and input from stdin or 2 arguments';

async function valueBytes(value: string | undefined, readValue: () => Promise<Uint8Array>): Promise<Uint8Array> {
  if (value !== undefined) return bytesOfText(value);
  const read = await readValue();
  if (read.length === 0) throw badArguments(NEEDS_VALUE);
  return read;
}

function leaseOf(written: string): bigint {
  try {
    return parseInt64(written, 16);
  } catch (error) {
    throw badArguments(`bad lease ID (${(error as Error).message}), expecting ID in Hex`);
  }
}
