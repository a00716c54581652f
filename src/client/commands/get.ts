import type { Command } from '../../base/command.ts';
import { flag, type OptionValues, option } from '../../base/options.ts';
import type { RangeRequest } from '../../etcd/messages/kv-table.ts';
import type { Value } from '../../etcd/messages/schema.ts';
import { type ClientCall, clientCommand } from '../client-command.ts';
import { DECODE_OPTION, decoderOf } from '../decode/decode-option.ts';
import { badArguments, ClientExit, ExitError } from '../exit-error.ts';
import { bytesOfText } from '../format/byte-text.ts';
import { int64, word } from '../global-options.ts';
import type { ClientHost } from '../host.ts';
import { fromKeyRange, type KeyRange, oneKey, prefixRange } from '../key-range.ts';
import { KvMethod } from '../kv-methods.ts';
import { onlyWith } from '../printer.ts';
import { rangeView } from '../views/kv-views.ts';

const GROUP = 'What is read';
const own = { group: GROUP, fromEnvironment: false } as const;

export const GET_OPTIONS = {
  consistency: option(word('l|s', 'l', 's'), {
    ...own,
    flag: 'consistency',
    default: 'l',
    help: 'l: what is true now; s: what the asked server knows, which may be older and is never waited for',
  }),
  prefix: option(flag, { ...own, flag: 'prefix', default: false, help: 'all keys that begin with <key>' }),
  fromKey: option(flag, { ...own, flag: 'from-key', default: false, help: 'all keys from <key> on' }),
  rev: option(int64, { ...own, flag: 'rev', default: 0, defaultText: 'now', help: 'as it was at this revision' }),
  limit: option(int64, { ...own, flag: 'limit', default: 0, defaultText: 'none', help: 'at most so many keys' }),
  order: option(word('order', 'ASCEND', 'DESCEND'), {
    ...own,
    flag: 'order',
    default: '',
    defaultText: 'ASCEND',
    help: 'ASCEND or DESCEND',
  }),
  sortBy: option(word('what', 'CREATE', 'KEY', 'MODIFY', 'VALUE', 'VERSION'), {
    ...own,
    flag: 'sort-by',
    default: '',
    defaultText: 'KEY',
    help: 'CREATE, KEY, MODIFY, VALUE or VERSION',
  }),
  minCreateRev: option(int64, { ...own, flag: 'min-create-rev', default: 0, help: 'keys created at it or later' }),
  maxCreateRev: option(int64, { ...own, flag: 'max-create-rev', default: 0, help: 'keys created at it or earlier' }),
  minModRev: option(int64, { ...own, flag: 'min-mod-rev', default: 0, help: 'keys changed at it or later' }),
  maxModRev: option(int64, { ...own, flag: 'max-mod-rev', default: 0, help: 'keys changed at it or earlier' }),
  keysOnly: option(flag, { ...own, flag: 'keys-only', default: false, help: 'keys without their values' }),
  countOnly: option(flag, { ...own, flag: 'count-only', default: false, help: 'only how many; with -w fields' }),
  printValueOnly: option(flag, {
    ...own,
    flag: 'print-value-only',
    default: false,
    help: 'values without their keys; with -w simple',
  }),
  ...DECODE_OPTION,
} as const;

const DETAILS = `Examples:
  kedge get greeting                                 key and value, a line each
  kedge get greeting --print-value-only              the value alone
  kedge get a c                                      the keys from a up to, but not including, c
  kedge get --prefix /registry/ --keys-only          every key below /registry/
  kedge get --prefix '' --count-only -w fields       how many keys there are
  kedge get --prefix '' --limit 5 --sort-by MODIFY --order DESCEND   what changed last
  kedge get greeting --rev 42                        as it was at revision 42
  kedge get /registry/pods/default/web --decode k8s  a Kubernetes object, readable
  kedge get greeting -w json                         all there is to know, for jq`;

/** `kedge get`: etcdctl's. */
export function commands(host: ClientHost): Command[] {
  return [
    clientCommand(host, {
      name: 'get',
      summary: 'print a key, or a range of keys, and their values',
      operands: [
        { name: 'key', help: 'the key, or where the range begins', required: true },
        { name: 'range_end', help: 'where it ends, not included', required: false },
      ],
      options: GET_OPTIONS,
      details: DETAILS,
      run: get,
    }),
  ];
}

async function get(call: ClientCall<typeof GET_OPTIONS>): Promise<void> {
  const { options, operands, format, host } = call;
  const request = rangeRequest(options, operands);
  const decode = await decoderOf(options.decode, host);
  const connection = await call.connect();
  const response = await connection.call(KvMethod.range, request);
  if (options.countOnly) onlyWith(format, 'fields', '--count-only');
  if (options.printValueOnly) onlyWith(format, 'simple', 'print-value-only');
  const style = { hex: options.hex, valueOnly: options.printValueOnly };
  call.print(rangeView(response, decode === undefined ? style : { ...style, decode }));
}

/** The request that the words of `get` mean; txn reads its own with it. Throws ExitError in etcdctl's words. */
export function rangeRequest(
  options: OptionValues<typeof GET_OPTIONS>,
  operands: readonly string[],
): Partial<Value<typeof RangeRequest>> {
  if (operands.length === 0) {
    throw badArguments('get command needs one argument as key and an optional argument as range_end');
  }
  if (options.prefix && options.fromKey) throw badArguments(chooseOne('--prefix', '--from-key'));
  if (options.keysOnly && options.countOnly) throw badArguments(chooseOne('--keys-only', '--count-only'));
  const { minCreateRev, maxCreateRev, minModRev, maxModRev } = options;
  refuseCrossed('getMinCreateRev', minCreateRev, 'getMaxCreateRev', maxCreateRev);
  refuseCrossed('getMinModRev', minModRev, 'getMaxModRev', maxModRev);
  return {
    ...keyRange(options, operands),
    serializable: isSerializable(options.consistency),
    limit: options.limit,
    revision: Math.max(options.rev, 0),
    ...sorting(options),
    keys_only: options.keysOnly,
    count_only: options.countOnly,
    min_create_revision: minCreateRev,
    max_create_revision: maxCreateRev,
    min_mod_revision: minModRev,
    max_mod_revision: maxModRev,
  };
}

/** What `get` and `del` have in common. */
export function keyRange(
  options: { readonly prefix: boolean; readonly fromKey: boolean },
  [key = '', rangeEnd]: readonly string[],
): KeyRange {
  if (rangeEnd !== undefined && (options.prefix || options.fromKey)) {
    throw badArguments('too many arguments, only accept one argument when `--prefix` or `--from-key` is set');
  }
  if (options.prefix) return prefixRange(key);
  if (options.fromKey) return fromKeyRange(key);
  if (rangeEnd !== undefined) return { key: bytesOfText(key), range_end: bytesOfText(rangeEnd) };
  return oneKey(key);
}

export function chooseOne(one: string, other: string): string {
  return `\`${one}\` and \`${other}\` cannot be set at the same time, choose one`;
}

function isSerializable(consistency: string): boolean {
  if (consistency === 's') return true;
  if (consistency === 'l') return false;
  throw new ExitError(ClientExit.badFeature, `unknown consistency flag ${JSON.stringify(consistency)}`);
}

const ORDERS: readonly string[] = ['', 'ASCEND', 'DESCEND'];
const TARGETS: readonly string[] = ['KEY', 'VERSION', 'CREATE', 'MODIFY', 'VALUE'];

function sorting({ order, sortBy }: { readonly order: string; readonly sortBy: string }) {
  const sortOrder = ORDERS.indexOf(order.toUpperCase());
  if (sortOrder < 0) throw new ExitError(ClientExit.badFeature, `bad sort order ${order}`);
  const target = TARGETS.indexOf(sortBy === '' ? 'KEY' : sortBy.toUpperCase());
  if (target < 0) throw new ExitError(ClientExit.badFeature, `bad sort target ${sortBy}`);
  // As clientv3: keys come in ascending order anyhow, which costs the server nothing.
  const keysAscend = target === 0 && sortOrder === 1;
  return { sort_order: keysAscend ? 0 : sortOrder, sort_target: keysAscend ? 0 : target };
}

function refuseCrossed(minName: string, min: number, maxName: string, max: number): void {
  if (min > 0 && max > 0 && min > max) {
    throw new ExitError(ClientExit.badFeature, `${minName}(=${min}) > ${maxName}(=${max})`);
  }
}
