import { Command as CommanderCommand, CommanderError, Option as CommanderOption, Help } from 'commander';
import { type ArrangedWords, arrangeWords } from '../base/arrange-words.ts';
import { type Command, ExitCode, type InertFlag } from '../base/command.ts';
import { Failure } from '../base/failure.ts';
import { nearest } from '../base/nearest.ts';
import { environmentName, type OptionSpec, resolveOptions } from '../base/options.ts';
import { UsageError } from '../base/usage-error.ts';
import { LogError } from '../mvcc/log.ts';

/**
 * The command line: turns commands (data, `base/command.ts`) into a commander program, which parses, prints help and
 * names the nearest flag or subcommand when one is unknown.
 *
 * Flags as etcd takes them: `--x=v`, `--x v`, switches `--x`, `--x=false`, and Go's single dash `-x=v`; or as etcdctl
 * takes them (`arrange-words.ts`).
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
  kedge put hello world              a client too, with etcdctl's commands, flags and ETCDCTL_ variables
  kedge watch --prefix ''            what happens in the store, live
`;

/** Runs what `words` (the arguments after `kedge`) ask for. Answers the exit code; prints usage errors itself. */
export async function runCommandLine(words: readonly string[], options: CommandLineOptions): Promise<number> {
  const { output } = options;
  let exitCode: number = ExitCode.ok;
  const arranged = arrangeWords(words, options.commands);
  const program = buildProgram(options, arranged, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(arranged.words, { from: 'user' });
    return exitCode;
  } catch (error) {
    const usage = arranged.command?.flagStyle === 'etcdctl' ? ExitCode.failed : ExitCode.usage;
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : usage;
    const code = error instanceof UsageError ? usage : isExpected(error) ? ExitCode.failed : undefined;
    if (code === undefined) throw error;
    output.err(`error: ${(error as Error).message}\n`);
    return code;
  }
}

/** What a user can do something about; the rest is a defect, and main's to report. */
function isExpected(error: unknown): boolean {
  return error instanceof Failure || error instanceof LogError;
}

function buildProgram(
  options: CommandLineOptions,
  arranged: ArrangedWords,
  onExitCode: (code: number) => void,
): CommanderCommand {
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
    parent.addCommand(buildCommand(command, leaf, options, arranged, onExitCode));
  }
  return program;
}

function groupNamed(above: CommanderCommand, word: string, options: CommandLineOptions): CommanderCommand {
  const found = above.commands.find((command) => command.name() === word);
  if (found !== undefined) return found;
  const group = configure(new CommanderCommand(word), options.output);
  const members = options.commands.filter((command) => command.name.startsWith(`${word} `));
  group.description(members.map((command) => command.name.slice(word.length + 1)).join(', '));
  group.helpGroup(headingOf(members[0]));
  above.addCommand(group);
  return group;
}

function configure(command: CommanderCommand, output: Output): CommanderCommand {
  const flags = () => command.options.map((option) => option.long?.slice(2) ?? '');
  // Positional options: what follows a subcommand's name is the subcommand's, also a flag that its parent has too.
  return command
    .exitOverride()
    .enablePositionalOptions()
    .showHelpAfterError(false)
    .configureHelp({ formatItem: formatHelpItem, subcommandTerm: (subcommand) => subcommand.name() })
    .configureOutput({
      writeOut: (text) => output.out(text),
      writeErr: (text) => output.err(text),
      outputError: (text, write) => write(withNearestFlag(text, flags())),
      getOutHelpWidth: () => Math.min(output.columns ?? 120, 120),
      getErrHelpWidth: () => Math.min(output.columns ?? 120, 120),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
}

/** commander looks for a near flag too, but not in `--flg=value`, and not among those that help does not show. */
function withNearestFlag(text: string, flags: readonly string[]): string {
  const unknown = /^error: unknown option '-{1,2}([^'=]*)/.exec(text)?.[1];
  if (unknown === undefined) return text;
  const meant = nearest(unknown, flags);
  return `error: unknown option '--${unknown}'\n${meant === undefined ? '' : `(Did you mean --${meant}?)\n`}`;
}

function buildCommand(
  command: Command,
  name: string,
  options: CommandLineOptions,
  arranged: ArrangedWords,
  onExitCode: (code: number) => void,
): CommanderCommand {
  const built = configure(new CommanderCommand(name), options.output).description(command.summary);
  const help = new CommanderOption('-h, --help', 'show this help');
  built.helpGroup(headingOf(command));
  built.addHelpOption(help.helpGroup('Help:')).allowExcessArguments(false);
  if (command.details !== undefined) built.addHelpText('after', `\n${command.details}`);
  addOperands(built, command);
  for (const spec of Object.values(command.options)) {
    built.addOption(shownOption(spec));
    for (const alias of spec.aliases ?? []) built.addOption(hiddenOption(alias, spec.kind.placeholder === ''));
  }
  for (const inert of command.inertFlags ?? []) built.addOption(hiddenOption(inert.flag, inert.isSwitch));
  return built.action(async () => {
    const written = writtenFlags(built, command);
    const inert = inertFlagsGiven(command, written, options.environment);
    const values = resolveOptions(command.options, written, options.environment, command.environmentPrefixes);
    const { afterDashes } = arranged;
    const given = new Set(written.keys());
    onExitCode(await command.run({ options: values, operands: built.args, afterDashes, written: given, inert }));
  });
}

function headingOf(command: Command | undefined): string {
  return `${command?.group ?? 'Commands'}:`;
}

function addOperands(built: CommanderCommand, command: Command): void {
  const lenient = command.flagStyle === 'etcdctl';
  const shown = command.operands.map(({ name, required, repeated }) => {
    const dots = repeated === true ? '...' : '';
    return required ? `<${name}${dots}>` : `[${name}${dots}]`;
  });
  command.operands.forEach(({ name, help }, i) => {
    built.argument(lenient ? `[${name}]` : (shown[i] ?? ''), help);
  });
  // As many as there are: the command says in etcdctl's words what is wrong with them.
  if (lenient) built.allowExcessArguments(true).usage(['[options]', ...shown].join(' '));
}

function shownOption(spec: OptionSpec<unknown>): CommanderOption {
  const { placeholder } = spec.kind;
  const short = spec.short === undefined ? '' : `-${spec.short}, `;
  const variable = spec.fromEnvironment === false ? '' : ` [$${environmentName(spec.flag)}]`;
  const shown = new CommanderOption(
    placeholder === '' ? `${short}--${spec.flag} [bool]` : `${short}--${spec.flag} <${placeholder}>`,
    `${spec.help}${variable}${DEFAULT_MARK}${spec.defaultText ?? spec.kind.format(spec.default)}`,
  );
  if (spec.kind.repeats === true) {
    shown.argParser((written: string, before: string | undefined) =>
      before === undefined ? written : `${before},${written}`,
    );
  }
  return asItIs(shown).helpGroup(`${spec.group}:`);
}

/** commander takes `--no-password` for the contrary of `--password`. */
function asItIs(option: CommanderOption): CommanderOption {
  option.negate = false;
  return option;
}

/** Parts an option's default from its description on the way through commander. */
const DEFAULT_MARK = '\0';

/** An option's line of help: the flag and its default, and below it what it does, as wide as the terminal is. */
function formatHelpItem(this: Help, term: string, termWidth: number, description: string, help: Help): string {
  const [text = '', shownDefault] = description.split(DEFAULT_MARK);
  if (shownDefault === undefined)
    return Help.prototype.formatItem.call(this, term, Math.min(termWidth, 20), text, help);
  const below = help.boxWrap(text, (help.helpWidth ?? 100) - 8).replaceAll('\n', '\n        ');
  return `  ${term.padEnd(46)} default: ${shownDefault}\n        ${below}`;
}

function hiddenOption(flag: string, isSwitch: boolean): CommanderOption {
  return asItIs(new CommanderOption(`--${flag} ${isSwitch ? '[bool]' : '<value>'}`)).hideHelp();
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
    // Before a subcommand's name a flag is its parent's, and meant all the same.
    const name = option.attributeName();
    const value: unknown = built.getOptionValue(name) ?? built.parent?.getOptionValue(name);
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
    const variable = environmentName(inert.flag, command.environmentPrefixes?.at(-1) ?? 'ETCD');
    const value = written.get(inert.flag) ?? (environment[variable] || undefined);
    if (value === undefined || (inert.refused && isNothing(value, inert.isSwitch))) return false;
    if (inert.refused) throw new UsageError(`--${inert.flag}: ${inert.reason}`);
    return true;
  });
}

function isNothing(value: string, isSwitch: boolean): boolean {
  return isSwitch ? /^(0|f|false)$/i.test(value) : value === '';
}
