import { MessageChannel } from 'node:worker_threads';
import { type Command, ExitCode, type Invocation, type Operand } from '../base/command.ts';
import type { OptionTable, OptionValues } from '../base/options.ts';
import type { Connection } from './connection.ts';
import { badArguments, ClientExit, ExitError } from './exit-error.ts';
import {
  CLIENT_ENVIRONMENT_PREFIXES,
  GLOBAL_INERT_FLAGS,
  GLOBAL_OPTIONS,
  type GlobalOptions,
} from './global-options.ts';
import type { ClientHost } from './host.ts';
import { askPassword } from './password.ts';
import { type OutputFormat, outputFormat, rendered, type View } from './printer.ts';
import { RpcError, rpcErrorOf } from './rpc-error.ts';

/** A client command as data; the global flags are added to its own. */
export interface ClientDeclaration<Own extends OptionTable> {
  readonly name: string;
  readonly summary: string;
  readonly operands: readonly Operand[];
  readonly options: Own;
  readonly details: string;
  /** Answers the exit code; nothing: well done. */
  run(call: ClientCall<Own>): Promise<number | undefined> | Promise<void>;
}

/** One run of a client command: what was asked for, and what it needs to do it. */
export interface ClientCall<Own extends OptionTable = OptionTable> {
  readonly host: ClientHost;
  readonly options: OptionValues<Own> & GlobalOptions;
  readonly operands: readonly string[];
  readonly afterDashes: number | undefined;
  readonly written: ReadonlySet<string>;
  readonly format: OutputFormat;
  /** Connects, logs in, and closes at the end. */
  connect(change?: ConnectionChange): Promise<Connection>;
  print(view: View): void;
}

/** Another server than the flags say. */
export interface ConnectionChange {
  readonly endpoints?: readonly string[];
  readonly options?: Partial<GlobalOptions>;
}

/** Makes a command of it: with the global flags, connections that close, and errors as etcdctl prints them. */
export function clientCommand<Own extends OptionTable>(
  host: ClientHost,
  declaration: ClientDeclaration<Own>,
): Command<Own & typeof GLOBAL_OPTIONS> {
  const { name, summary, operands, details } = declaration;
  return {
    name,
    group: 'Client',
    summary,
    operands,
    details: `${details}\n\nEvery variable may also be named as etcdctl's: ETCDCTL_ENDPOINTS, …; a flag wins.`,
    flagStyle: 'etcdctl',
    environmentPrefixes: CLIENT_ENVIRONMENT_PREFIXES,
    options: { ...declaration.options, ...GLOBAL_OPTIONS },
    inertFlags: GLOBAL_INERT_FLAGS,
    run: (invocation) => runToTheEnd(host, declaration, invocation as unknown as Invocation<Own>),
  };
}

async function runToTheEnd<Own extends OptionTable>(
  host: ClientHost,
  declaration: ClientDeclaration<Own>,
  invocation: Invocation<Own>,
): Promise<number> {
  const options = invocation.options as unknown as OptionValues<Own> & GlobalOptions;
  const opened: Connection[] = [];
  // Clocks' timers do not keep a process alive; this does, while the command runs.
  const alive = new MessageChannel();
  alive.port1.on('message', () => undefined);
  try {
    refuseEmpty(options, invocation.written);
    const format = outputFormat(options.writeOut);
    const { operands, afterDashes, written } = invocation;
    const code = await declaration.run({
      host,
      options,
      operands,
      afterDashes,
      written,
      format,
      print: (view) => host.out(rendered(view, format)),
      connect: (change) => connect(host, options, opened, change),
    });
    return typeof code === 'number' ? code : ExitCode.ok;
  } catch (error) {
    return exitCodeOf(host, error);
  } finally {
    for (const connection of opened) connection.close();
    alive.port1.close();
  }
}

function exitCodeOf(host: ClientHost, error: unknown): number {
  if (!(error instanceof ExitError) && !(error instanceof RpcError)) throw error;
  // An empty message: it was said already.
  if (error.message !== '') host.err(`Error: ${error.message}\n`);
  const cause = error instanceof RpcError ? error : error.cause;
  if (cause instanceof RpcError && cause.hint !== '') {
    host.err(`(${cause.hint}; is the server running, and is --endpoints or ETCDCTL_ENDPOINTS right?)\n`);
  }
  return error instanceof ExitError ? error.code : ClientExit.error;
}

/** A flag whose value is an empty variable of a script's: ignoring it could talk in plain text. */
function refuseEmpty(options: GlobalOptions, written: ReadonlySet<string>): void {
  for (const flag of ['cert', 'key', 'cacert'] as const) {
    if (options[flag] === '' && written.has(flag)) {
      throw badArguments(`empty string is passed to --${flag} option`);
    }
  }
}

async function connect(
  host: ClientHost,
  commandOptions: GlobalOptions,
  opened: Connection[],
  change: ConnectionChange = {},
): Promise<Connection> {
  const options = { ...commandOptions, ...change.options };
  if ((change.endpoints ?? options.endpoints).length === 0) {
    throw new ExitError(ClientExit.badConnection, 'etcdclient: no available endpoints');
  }
  const user = await userOf(host, options);
  // Only now, so that help and wrong operands cost no gRPC.
  const { Connection } = await import('./connection.ts');
  const connection = new Connection(
    {
      endpoints: change.endpoints ?? options.endpoints,
      tls: options,
      dialTimeoutMs: options.dialTimeout,
      keepaliveTimeMs: options.keepaliveTime,
      keepaliveTimeoutMs: options.keepaliveTimeout,
      commandTimeoutMs: options.commandTimeout,
      user,
    },
    host.clock,
  );
  opened.push(connection);
  if (user === undefined) return connection;
  try {
    await connection.authenticate();
  } catch (error) {
    const failed = rpcErrorOf(error);
    throw new ExitError(ClientExit.badConnection, failed.message, { cause: failed });
  }
  return connection;
}

async function userOf(
  host: ClientHost,
  { user, password }: GlobalOptions,
): Promise<{ name: string; password: string } | undefined> {
  if (user === '') return undefined;
  if (password !== '') return { name: user, password };
  const colon = user.indexOf(':');
  if (colon >= 0) return { name: user.slice(0, colon), password: user.slice(colon + 1) };
  return { name: user, password: await askPassword(host, 'Password: ') };
}
