import type { OptionTable, OptionValues } from './options.ts';

/** One subcommand of `kedge`, as data: the command line, help and completion are made from it (`ctl`). */
export interface Command<Table extends OptionTable = OptionTable> {
  /** Words after `kedge`: `serve`, `snapshot restore`. */
  readonly name: string;
  /** Commands are listed by it in help; none: among the first. */
  readonly group?: string;
  /** One line, no full stop. */
  readonly summary: string;
  /** What follows the flags, for help: `<file>`. Its words in angle brackets are required, in square ones optional. */
  readonly operands: readonly Operand[];
  readonly options: Table;
  /**
   * How flags are written. `go`, the default: as etcd's, `-name` is `--name`. `etcdctl`: one dash is for single letters
   * (`-w json`, `-wjson`), flags may stand before the command's name too, a switch takes its value only after `=`, and
   * how many operands there may be is the command's own affair. A wrong flag exits with 1, as there.
   */
  readonly flagStyle?: 'go' | 'etcdctl';
  /** First to last; default: ENVIRONMENT_PREFIXES. */
  readonly environmentPrefixes?: readonly string[];
  /** Flags that are accepted and do nothing; each with the reason in a few words. */
  readonly inertFlags?: readonly InertFlag[];
  /** A paragraph or two under the summary in help: what to know, examples. */
  readonly details?: string;
  /** Answers the exit code. UsageError and LogError "refused" are shown without a stack. */
  run(invocation: Invocation<Table>): Promise<number>;
}

export interface Operand {
  readonly name: string;
  readonly help: string;
  readonly required: boolean;
  /** It may be several words: the last of the operands only. */
  readonly repeated?: boolean;
  readonly choices?: readonly string[];
}

/** A flag of etcd's that has no meaning here. Accepted so that manifests written for etcd work unchanged. */
export interface InertFlag {
  readonly flag: string;
  /** A switch takes no value of its own. */
  readonly isSwitch: boolean;
  readonly reason: string;
  /** To ignore it would be dangerous: asking for it (other than with =false) is a usage error. */
  readonly refused: boolean;
}

export interface Invocation<Table extends OptionTable> {
  readonly options: OptionValues<Table>;
  readonly operands: readonly string[];
  /** How many of the operands stood after `--`; undefined: there was no `--`. */
  readonly afterDashes: number | undefined;
  /** The flags (long names) that the command line gave, as opposed to variables and defaults. */
  readonly written: ReadonlySet<string>;
  /** Inert flags (and ETCD_ variables of that name) that were given. */
  readonly inert: readonly InertFlag[];
}

/** What `kedge` exits with. */
export const ExitCode = {
  ok: 0,
  /** It could not be done; the message says why. */
  failed: 1,
  /** Asked for wrongly; nothing was done. */
  usage: 2,
  /** A defect of kedge (EX_SOFTWARE). */
  defect: 70,
} as const;
