import type { EtcdClient } from '../support/client.ts';
import type {
  Compare,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from '../support/messages.ts';
import type { Command } from './script-file.ts';
import { showDelete, showHeader, showPut, showRange, showTxn } from './show.ts';
import { readWords, toBytes, type Words } from './words.ts';

/** put KEY VALUE [lease=ID] [prev_kv] [ignore_value] [ignore_lease] */
export async function put(client: EtcdClient, text: string): Promise<string[]> {
  return showPut(await client.call('KV/Put', readPut(text)));
}

/** get KEY [END | prefix | from] [limit= rev= sort=ascend:key min_mod= …] [keys_only] [count_only] [serializable] */
export async function get(client: EtcdClient, text: string): Promise<string[]> {
  return showRange(await client.call('KV/Range', readRange(text)));
}

/** del KEY [END | prefix | from] [prev_kv] */
export async function del(client: EtcdClient, text: string): Promise<string[]> {
  return showDelete(await client.call('KV/DeleteRange', readDelete(text)));
}

/** txn, and below it, indented: `if TARGET KEY [END|prefix|from] OP VALUE`, `then COMMAND`, `else COMMAND`. */
export async function txn(client: EtcdClient, command: Command): Promise<string[]> {
  return showTxn(await client.call('KV/Txn', readTxn(command.below)));
}

/** compact REVISION [physical] */
export async function compact(client: EtcdClient, text: string): Promise<string[]> {
  const words = readWords(text, [], ['physical']);
  const answer = await client.call('KV/Compact', {
    revision: words.positional[0] ?? 0,
    physical: words.flags.has('physical'),
  });
  return [showHeader(answer.header)];
}

/** stream KEY …: RangeStream, its parts put together, and how the header was told. */
export async function rangeStream(client: EtcdClient, text: string): Promise<string[]> {
  const parts = await client.collect('KV/RangeStream', readRange(text));
  return parts.flatMap((part) => (part.range_response === null ? ['nothing'] : showRange(part.range_response)));
}

export function readPut(text: string): PutRequest {
  const { positional, options, flags } = readWords(text, ['lease'], ['prev_kv', 'ignore_value', 'ignore_lease']);
  return {
    key: toBytes(positional[0] ?? ''),
    value: toBytes(positional[1] ?? ''),
    lease: options.get('lease') ?? 0,
    prev_kv: flags.has('prev_kv'),
    ignore_value: flags.has('ignore_value'),
    ignore_lease: flags.has('ignore_lease'),
  };
}

const rangeOptions = ['limit', 'rev', 'sort', 'min_mod', 'max_mod', 'min_create', 'max_create'];
const rangeFlags = ['prefix', 'from', 'keys_only', 'count_only', 'serializable'];

export function readRange(text: string): RangeRequest {
  const words = readWords(text, rangeOptions, rangeFlags);
  const [order = 'none', target = 'key'] = (words.options.get('sort') ?? 'none').split(':');
  return {
    ...keyAndEnd(words),
    limit: words.options.get('limit') ?? 0,
    revision: words.options.get('rev') ?? 0,
    sort_order: enumValue(order),
    sort_target: enumValue(target),
    serializable: words.flags.has('serializable'),
    keys_only: words.flags.has('keys_only'),
    count_only: words.flags.has('count_only'),
    min_mod_revision: words.options.get('min_mod') ?? 0,
    max_mod_revision: words.options.get('max_mod') ?? 0,
    min_create_revision: words.options.get('min_create') ?? 0,
    max_create_revision: words.options.get('max_create') ?? 0,
  };
}

export function readDelete(text: string): DeleteRangeRequest {
  const words = readWords(text, [], ['prefix', 'from', 'prev_kv']);
  return { ...keyAndEnd(words), prev_kv: words.flags.has('prev_kv') };
}

/** Without an end the field stays off the wire: etcd 3.5 takes one that is there and empty for "from key on". */
export function keyAndEnd(words: Words): { readonly key: Buffer; readonly range_end?: Buffer } {
  const key = toBytes(words.positional[0] ?? '');
  if (words.flags.has('from')) return { key, range_end: toBytes('\0') };
  if (words.flags.has('prefix')) return { key, range_end: prefixEnd(key) };
  const end = words.positional[1];
  return end === undefined ? { key } : { key, range_end: toBytes(end) };
}

/** The first key after all that start with the prefix; "\0" (to the last key) when there is none. */
export function prefixEnd(prefix: Buffer): Buffer {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length--;
  if (length === 0) return toBytes('\0');
  const end = Buffer.from(prefix.subarray(0, length));
  end[length - 1] = (end[length - 1] ?? 0) + 1;
  return end;
}

/** A name, or a number that stands for none. */
function enumValue(text: string): string | number {
  return /^-?\d+$/.test(text) ? Number(text) : text.toUpperCase();
}

const results: Readonly<Record<string, string>> = { '=': 'EQUAL', '>': 'GREATER', '<': 'LESS', '!=': 'NOT_EQUAL' };

function readCompare(text: string): Compare {
  const [target = '', ...rest] = text.split(' ');
  const words = readWords(rest.join(' '), [], ['prefix', 'from']);
  const at = words.positional.findIndex((word) => word in results || /^\?\d+$/.test(word));
  const operator = words.positional[at] ?? '';
  const wanted = words.positional[at + 1];
  const keys = keyAndEnd({ ...words, positional: words.positional.slice(0, at) });
  const result = results[operator] ?? Number(operator.slice(1));
  const compare = { ...keys, result, target: /^\d+$/.test(target) ? Number(target) : target.toUpperCase() };
  if (wanted === undefined) return compare;
  switch (target) {
    case 'version':
      return { ...compare, version: wanted };
    case 'create':
      return { ...compare, create_revision: wanted };
    case 'mod':
      return { ...compare, mod_revision: wanted };
    case 'lease':
      return { ...compare, lease: wanted };
    default:
      return { ...compare, value: toBytes(wanted) };
  }
}

export function readTxn(lines: readonly string[]): TxnRequest {
  const compare: Compare[] = [];
  const success: RequestOp[] = [];
  const failure: RequestOp[] = [];
  const indent = /^ */.exec(lines[0] ?? '')?.[0].length ?? 0;
  for (const [i, line] of lines.entries()) {
    if (line.search(/\S/) !== indent) continue; // Belongs to the nested txn above.
    const [word = '', rest = ''] = splitFirst(line.trim());
    if (word === 'if') {
      compare.push(readCompare(rest));
      continue;
    }
    const next = lines.findIndex((other, j) => j > i && other.search(/\S/) <= indent);
    const below = lines.slice(i + 1, next < 0 ? lines.length : next);
    (word === 'then' ? success : failure).push(readOp(rest, below));
  }
  return { compare, success, failure };
}

function readOp(text: string, below: readonly string[]): RequestOp {
  const [verb, rest] = splitFirst(text);
  switch (verb) {
    case 'put':
      return { request_put: readPut(rest) };
    case 'get':
      return { request_range: readRange(rest) };
    case 'del':
      return { request_delete_range: readDelete(rest) };
    case 'txn':
      return { request_txn: readTxn(below) };
    case 'nothing':
      return {};
    default:
      throw new Error(`no operation ${verb}`);
  }
}

export function splitFirst(text: string): [string, string] {
  const space = text.indexOf(' ');
  return space < 0 ? [text, ''] : [text.slice(0, space), text.slice(space + 1).trim()];
}
