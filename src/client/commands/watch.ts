import type { Command } from '../../base/command.ts';
import { flag, type OptionValues, option } from '../../base/options.ts';
import { UsageError } from '../../base/usage-error.ts';
import { argify } from '../argify.ts';
import { runChild } from '../child-command.ts';
import { type ClientCall, clientCommand } from '../client-command.ts';
import type { Connection } from '../connection.ts';
import { DECODE_OPTION, decoderOf } from '../decode/decode-option.ts';
import { badArguments, ClientExit, ExitError } from '../exit-error.ts';
import { bytesOfText } from '../format/byte-text.ts';
import { goQuote } from '../format/go-quote.ts';
import { CLIENT_ENVIRONMENT_PREFIXES, int64 } from '../global-options.ts';
import type { ClientHost } from '../host.ts';
import { linesOf } from '../input.ts';
import { prefixRange } from '../key-range.ts';
import { readLineCommand } from '../line-command.ts';
import type { PairStyle } from '../views/key-value.ts';
import { eventTypeName, watchView } from '../views/watch-view.ts';
import { type WatchWords, watchWords } from '../watch-words.ts';
import { type Watched, Watcher } from '../watcher.ts';

const own = { group: 'What is watched', fromEnvironment: false } as const;

/** Those that a line of `watch -i` may have too. */
const LINE_OPTIONS = {
  prefix: option(flag, { ...own, flag: 'prefix', default: false, help: 'all keys that begin with <key>' }),
  rev: option(int64, { ...own, flag: 'rev', default: 0, defaultText: 'now', help: 'from this revision on' }),
  prevKv: option(flag, { ...own, flag: 'prev-kv', default: false, help: 'print what was there before, too' }),
  progressNotify: option(flag, {
    ...own,
    flag: 'progress-notify',
    default: false,
    help: 'print the revision now and then when nothing happens',
  }),
} as const;

const WATCH_OPTIONS = {
  interactive: option(flag, {
    ...own,
    flag: 'interactive',
    short: 'i',
    default: false,
    help: 'read what to watch from standard input: lines "watch …" and "progress"',
  }),
  ...LINE_OPTIONS,
  ...DECODE_OPTION,
} as const;

type Style = PairStyle;

const DETAILS = `Goes on until it is stopped, over restarts of the server too. After -- stands a command to run for each event, which
finds ETCD_WATCH_KEY, ETCD_WATCH_VALUE, ETCD_WATCH_EVENT_TYPE and ETCD_WATCH_REVISION in its environment (in quotes).
The key can come from KEDGE_WATCH_KEY (ETCDCTL_WATCH_KEY) and KEDGE_WATCH_RANGE_END.

Examples:
  kedge watch greeting                          PUT or DELETE, the key, the value
  kedge watch --prefix ''                       whatever happens
  kedge watch --prefix /registry/pods/ --decode k8s
  kedge watch greeting --rev 1                  from the beginning, as far as it is kept
  kedge watch greeting -- sh -c 'echo "now $ETCD_WATCH_VALUE"'`;

/** `kedge watch`: etcdctl's. */
export function commands(host: ClientHost): Command[] {
  return [
    clientCommand(host, {
      name: 'watch',
      summary: 'print what happens to a key, or a range of keys, as it happens',
      operands: [
        { name: 'key', help: 'the key, or where the range begins', required: false },
        { name: 'range_end', help: 'where it ends, not included', required: false },
        { name: '-- command', help: 'what to run for each event', required: false, repeated: true },
      ],
      options: WATCH_OPTIONS,
      details: DETAILS,
      run: watch,
    }),
  ];
}

async function watch(call: ClientCall<typeof WATCH_OPTIONS>): Promise<number> {
  const { host, options } = call;
  const fromEnvironment = environmentRange(host);
  const decode = await decoderOf(options.decode, host);
  const style = { hex: options.hex, valueOnly: false, ...(decode === undefined ? {} : { decode }) };
  if (options.interactive) return watchLines(call, fromEnvironment, style);
  const words = watchWords(call, fromEnvironment);
  const request = createRequest(options, words.range);
  const watcher = new Watcher(await call.connect(), request);
  for await (const watched of watcher.events()) await show(call, watched, words.command, style);
  throw new ExitError(ClientExit.interrupted, 'watch is canceled by the server');
}

function environmentRange({ environment }: ClientHost): readonly string[] {
  const of = (name: string) =>
    CLIENT_ENVIRONMENT_PREFIXES.map((prefix) => environment[`${prefix}_${name}`] ?? '').find((value) => value !== '') ??
    '';
  const [key, end] = [of('WATCH_KEY'), of('WATCH_RANGE_END')];
  if (key === '' && end !== '') {
    throw badArguments(`ETCDCTL_WATCH_KEY is empty but got ETCDCTL_WATCH_RANGE_END=${goQuote(end)}`);
  }
  return [key, end].filter((word) => word !== '');
}

/** `watch -i`. */
async function watchLines(
  call: ClientCall<typeof WATCH_OPTIONS>,
  fromEnvironment: readonly string[],
  style: Style,
): Promise<number> {
  const { host } = call;
  const connection = await call.connect();
  const lines = linesOf(host.input);
  const watchers: Watcher[] = [];
  // A command that fails ends it all, as in etcdctl.
  let failed: (error: unknown) => void = () => undefined;
  const failure = new Promise<never>((_, reject) => {
    failed = reject;
  });
  const start = (words: WatchWords, watcher: Watcher) => {
    watchers.push(watcher);
    follow(call, watcher, words.command, style).catch(failed);
  };
  for (;;) {
    const line = await Promise.race([lines.next(), failure]);
    if (line === undefined) throw new ExitError(ClientExit.invalidInput, 'error reading watch request line: EOF');
    const words = argify(line);
    if (words[0] === undefined) host.err(`Invalid command: ${line} (watch and progress supported)\n`);
    else if (words[0] === 'progress') for (const watcher of watchers) watcher.requestProgress();
    else if (words[0] !== 'watch') host.err(`Invalid command ${line} (only support watch)\n`);
    else if (words.length < 2 && fromEnvironment.length === 0) {
      host.err(`Invalid command ${line} (command type or key is not provided)\n`);
    } else startLine(call, line, words, fromEnvironment, connection, start);
  }
}

function startLine(
  { host }: ClientCall<typeof WATCH_OPTIONS>,
  line: string,
  typed: readonly string[],
  fromEnvironment: readonly string[],
  connection: Connection,
  start: (words: WatchWords, watcher: Watcher) => void,
): void {
  try {
    const read = readLineCommand(typed, LINE_OPTIONS);
    const words = watchWords(read, fromEnvironment);
    start(words, new Watcher(connection, createRequest(read.options, words.range)));
  } catch (error) {
    if (error instanceof UsageError) throw badArguments(error.message);
    if (!(error instanceof ExitError) || error.message !== RANGE_OR_PREFIX) throw error;
    host.err(`Invalid command ${line} (${error.message})\n`);
  }
}

async function follow(
  call: ClientCall<typeof WATCH_OPTIONS>,
  watcher: Watcher,
  command: readonly string[],
  style: Style,
): Promise<void> {
  for await (const watched of watcher.events()) await show(call, watched, command, style);
}

const RANGE_OR_PREFIX = '`range_end` and `--prefix` are mutually exclusive';

function createRequest(options: OptionValues<typeof LINE_OPTIONS>, range: readonly string[]) {
  const [key = '', end] = range;
  // More than two words: etcdctl takes the first.
  const isRange = range.length === 2 && end !== undefined;
  if (isRange && options.prefix) throw badArguments(RANGE_OR_PREFIX);
  return {
    ...(options.prefix ? prefixRange(key) : { key: bytesOfText(key), range_end: bytesOfText(isRange ? end : '') }),
    start_revision: options.rev,
    prev_kv: options.prevKv,
    progress_notify: options.progressNotify,
  };
}

async function show(
  call: ClientCall<typeof WATCH_OPTIONS>,
  { response, reason }: Watched,
  command: readonly string[],
  style: Style,
): Promise<void> {
  const { host } = call;
  const revision = response.header?.revision ?? 0;
  if (reason !== undefined) host.err(`watch was canceled (${reason})\n`);
  else if (response.events.length === 0) host.out(`progress notify: ${revision}\n`);
  call.print(watchView(response, style));
  if (command.length === 0) return;
  for (const event of response.events) {
    const { failure } = await runChild(host, command, {
      ETCD_WATCH_REVISION: String(revision),
      ETCD_WATCH_EVENT_TYPE: goQuote(eventTypeName(event)),
      ETCD_WATCH_KEY: goQuote(event.kv?.key ?? ''),
      ETCD_WATCH_VALUE: goQuote(event.kv?.value ?? ''),
    });
    if (failure === undefined) continue;
    host.err(`command [${command.map((word) => goQuote(word)).join(' ')}] error (${failure})\n`);
    throw new ExitError(ClientExit.error, '');
  }
}
