import { Command as CommanderCommand, CommanderError, Option as CommanderOption } from 'commander';
import { type Command, ExitCode, type InertFlag } from '../base/command.ts';
import { environmentName, type OptionSpec, resolveOptions } from '../base/options.ts';
import { UsageError } from '../base/usage-error.ts';

/**
 * The command line: turns commands (data, `base/command.ts`) into a commander program, which parses, prints help and
 * names the nearest flag or subcommand when one is unknown.
 *
 * Flags as etcd takes them: `--x=v`, `--x v`, switches `--x`, `--x=false`, and Go's single dash `-x=v`.
 */
export interface Output {
  out(text: string): void;
  err(text: string): void;
  /** Columns for help; undefined: not a terminal. */
  readonly columns: number | undefined;
}

export interface CommandLineOptions {
  readonly commands: readonly Command[];
  readonly version: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly output: Output;
}

const OVERVIEW = `
Start here:
  kedge serve                        an etcd on 127.0.0.1:2379, data in ./kedge-data
  kedge serve --help                 every flag, by purpose
  etcdctl --endpoints 127.0.0.1:2379 put hello world
`;

/** Runs what `words` (the arguments after `kedge`) ask for. Answers the exit code; prints usage errors itself. */
export async function runCommandLine(words: readonly string[], options: CommandLineOptions): Promise<number> {
  const { output } = options;
  let exitCode: number = ExitCode.ok;
  const program = buildProgram(options, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(words.map(doubleDash), { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
    if (!(error instanceof UsageError)) throw error;
    output.err(`error: ${error.message}\n`);
    return ExitCode.usage;
  }
}

/** Go's flag package takes `-name` for `--name`; so do unit files that were written for etcd. */
function doubleDash(word: string): string {
  return /^-[a-z][a-z0-9-]+/.test(word) ? `-${word}` : word;
}

function buildProgram(options: CommandLineOptions, onExitCode: (code: number) => void): CommanderCommand {
  const program = configure(new CommanderCommand('kedge'), options.output);
  program
    .description('kedge: an etcd v3 server on SQL, a light anchor for Kubernetes')
    .version(options.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help; also kedge <command> --help')
    .addHelpText('after', OVERVIEW);
  for (const command of options.commands) {
    const words = command.name.split(' ');
    const leaf = words.pop() ?? '';
    const parent = words.reduce((above, word) => groupNamed(above, word, options), program);
    parent.addCommand(buildCommand(command, leaf, options, onExitCode));
  }
  return program;
}

function groupNamed(above: CommanderCommand, word: string, options: CommandLineOptions): CommanderCommand {
  const found = above.commands.find((command) => command.name() === word);
  if (found !== undefined) return found;
  const group = configure(new CommanderCommand(word), options.output);
  const members = options.commands.filter((command) => command.name.startsWith(`${word} `));
  group.description(members.map((command) => command.summary).join('; '));
  above.addCommand(group);
  return group;
}

function configure(command: CommanderCommand, output: Output): CommanderCommand {
  return command
    .exitOverride()
    .showHelpAfterError(false)
    .configureOutput({
      writeOut: (text) => output.out(text),
      writeErr: (text) => output.err(text),
      getOutHelpWidth: () => Math.min(output.columns ?? 120, 120),
      getErrHelpWidth: () => Math.min(output.columns ?? 120, 120),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
}

function buildCommand(
  command: Command,
  name: string,
  options: CommandLineOptions,
  onExitCode: (code: number) => void,
): CommanderCommand {
  const built = configure(new CommanderCommand(name), options.output).description(command.summary);
  built.helpOption('-h, --help', 'show this help').allowExcessArguments(false);
  if (command.details !== undefined) built.addHelpText('after', `\n${command.details}`);
  for (const operand of command.operands) {
    built.argument(operand.required ? `<${operand.name}>` : `[${operand.name}]`, operand.help);
  }
  for (const spec of Object.values(command.options)) {
    built.addOption(shownOption(spec));
    for (const alias of spec.aliases ?? []) built.addOption(hiddenOption(alias, spec.kind.placeholder === ''));
  }
  for (const inert of command.inertFlags ?? []) built.addOption(hiddenOption(inert.flag, inert.isSwitch));
  return built.action(async () => {
    const written = writtenFlags(built, command);
    const inert = inertFlagsGiven(command, written, options.environment);
    const values = resolveOptions(command.options, written, options.environment);
    onExitCode(await command.run({ options: values, operands: built.args, inert }));
  });
}

function shownOption(spec: OptionSpec<unknown>): CommanderOption {
  const { placeholder } = spec.kind;
  const shown = new CommanderOption(
    placeholder === '' ? `--${spec.flag} [bool]` : `--${spec.flag} <${placeholder}>`,
    `${spec.help} (default: ${spec.defaultText ?? spec.kind.format(spec.default)}) [$${environmentName(spec.flag)}]`,
  );
  return shown.helpGroup(`${spec.group}:`);
}

function hiddenOption(flag: string, isSwitch: boolean): CommanderOption {
  return new CommanderOption(`--${flag} ${isSwitch ? '[bool]' : '<value>'}`).hideHelp();
}

/** What the command line says, by flag; aliases under their option's own name. */
function writtenFlags(built: CommanderCommand, command: Command): Map<string, string> {
  const ownName = new Map<string, string>();
  for (const spec of Object.values(command.options)) {
    for (const alias of spec.aliases ?? []) ownName.set(alias, spec.flag);
  }
  const written = new Map<string, string>();
  for (const option of built.options) {
    const flag = option.long?.slice(2) ?? '';
    const value: unknown = built.getOptionValue(option.attributeName());
    if (value !== undefined) written.set(ownName.get(flag) ?? flag, value === true ? '' : String(value));
  }
  return written;
}

/** Inert flags that were given; refused ones that were meant end in a UsageError. */
function inertFlagsGiven(
  command: Command,
  written: ReadonlyMap<string, string>,
  environment: Readonly<Record<string, string | undefined>>,
): InertFlag[] {
  return (command.inertFlags ?? []).filter((inert) => {
    const value = written.get(inert.flag) ?? (environment[environmentName(inert.flag, 'ETCD')] || undefined);
    if (value === undefined || (inert.refused && isNothing(value, inert.isSwitch))) return false;
    if (inert.refused) throw new UsageError(`--${inert.flag}: ${inert.reason}`);
    return true;
  });
}

function isNothing(value: string, isSwitch: boolean): boolean {
  return isSwitch ? /^(0|f|false)$/i.test(value) : value === '';
}
