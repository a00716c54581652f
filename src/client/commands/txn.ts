import type { Command } from '../../base/command.ts';
import { flag, option } from '../../base/options.ts';
import { UsageError } from '../../base/usage-error.ts';
import type { Compare, RequestOp } from '../../etcd/messages/kv-table.ts';
import type { Value } from '../../etcd/messages/schema.ts';
import { argify } from '../argify.ts';
import { type ClientCall, clientCommand } from '../client-command.ts';
import { badArguments, ClientExit, ExitError } from '../exit-error.ts';
import type { ClientHost } from '../host.ts';
import { type InputLines, linesOf } from '../input.ts';
import { KvMethod } from '../kv-methods.ts';
import { readLineCommand } from '../line-command.ts';
import { parseCompare } from '../txn-compare.ts';
import { txnView } from '../views/kv-views.ts';
import { DEL_OPTIONS, deleteRequest } from './del.ts';
import { GET_OPTIONS, rangeRequest } from './get.ts';
import { PUT_OPTIONS, putRequest } from './put.ts';

type Op = Partial<Value<typeof RequestOp>>;

const TXN_OPTIONS = {
  interactive: option(flag, {
    flag: 'interactive',
    short: 'i',
    default: false,
    group: 'How it asks',
    fromEnvironment: false,
    help: 'say what is expected next',
  }),
} as const;

const DETAILS = `Reads three lists from standard input, each ended by an empty line: conditions, what to do when all of them hold,
and what to do when not. All of it is done at one revision, or nothing.

  condition := target("key") operator "value"
  target    := version (ver), create (c), mod (m), value (val), lease
  operator  := =  !=  <  >
  request   := get …, put … or del …, as on the command line; "double" and 'single' quotes

Example, which takes a key only if nobody has it:
  kedge txn <<'END'
  create("leader") = "0"

  put leader "me" --lease 694d8aee4a3c1d06

  get leader

  END`;

/** `kedge txn`: etcdctl's. */
export function commands(host: ClientHost): Command[] {
  return [
    clientCommand(host, {
      name: 'txn',
      summary: 'do several things at once, if conditions hold',
      operands: [],
      options: TXN_OPTIONS,
      details: DETAILS,
      run: txn,
    }),
  ];
}

async function txn(call: ClientCall<typeof TXN_OPTIONS>): Promise<void> {
  const { host, options, operands } = call;
  if (operands.length !== 0) throw badArguments('txn command does not accept argument');
  const connection = await call.connect();
  const lines = linesOf(host.input);
  const ask = (what: string) => (options.interactive ? host.out(`${what}\n`) : undefined);
  ask('compares:');
  const compare: Partial<Value<typeof Compare>>[] = [];
  for await (const line of paragraph(lines)) compare.push(parseCompare(line));
  ask('success requests (get, put, del):');
  const success: Op[] = [];
  for await (const line of paragraph(lines)) success.push(await parseRequest(line));
  ask('failure requests (get, put, del):');
  const failure: Op[] = [];
  for await (const line of paragraph(lines)) failure.push(await parseRequest(line));
  const response = await connection.call(KvMethod.txn, { compare, success, failure });
  call.print(txnView(response, { hex: options.hex, valueOnly: false }));
}

/** Lines up to an empty one. */
async function* paragraph(lines: InputLines): AsyncGenerator<string> {
  for (;;) {
    const line = (await lines.next())?.trim();
    if (line === undefined) throw new ExitError(ClientExit.invalidInput, 'EOF');
    if (line === '') return;
    yield line;
  }
}

async function parseRequest(line: string): Promise<Op> {
  const words = argify(line);
  if (words.length < 2) throw new ExitError(ClientExit.invalidInput, `invalid txn compare request: ${line}`);
  try {
    switch (words[0]) {
      case 'get': {
        const { options, operands } = readLineCommand(words, GET_OPTIONS);
        return { request_range: rangeRequest(options, operands) };
      }
      case 'put': {
        const { options, operands } = readLineCommand(words, PUT_OPTIONS);
        return { request_put: await putRequest(options, operands, async () => new Uint8Array(0)) };
      }
      case 'del': {
        const { options, operands } = readLineCommand(words, DEL_OPTIONS);
        return { request_delete_range: deleteRequest(options, operands) };
      }
    }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
  }
  throw new ExitError(ClientExit.invalidInput, `invalid txn request: ${line}`);
}
