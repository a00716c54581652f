import { formatBytes, parseBytes } from './byte-size.ts';
import { formatDurationMs, parseDurationMs } from './duration.ts';
import { UsageError } from './usage-error.ts';

/**
 * Options. One is declared once, as data: parsing, validation, `--help`, shell completion and the README's table are
 * made from the declaration.
 *
 *     const OPTIONS = {
 *       dataDir: option(text('path'), { flag: 'data-dir', default: 'kedge-data', group: 'Storage', help: '…' }),
 *       quotaBytes: option(bytes, { flag: 'quota-backend-bytes', default: 0, … }),
 *     };
 *     type Options = OptionValues<typeof OPTIONS>;   // { readonly dataDir: string; readonly quotaBytes: number }
 *
 * Where a value comes from, as in etcd: the flag, else KEDGE_DATA_DIR, else ETCD_DATA_DIR, else the default. (Commands
 * in etcdctl's manner look at KEDGE_… and ETCDCTL_….)
 */

/** How a value is written and read. */
export interface OptionKind<T> {
  /** Stands for the value in help: `<duration>`. Empty: a switch, which may stand alone. */
  readonly placeholder: string;
  /** Throws UsageError with what was expected; the caller adds where it stood. */
  parse(written: string): T;
  format(value: T): string;
  /** All values there are, when they are few. */
  readonly choices?: readonly string[];
  /** The flag may be given several times: what is written is put together with commas. Else the last one counts. */
  readonly repeats?: boolean;
}

export interface OptionDeclaration<T> {
  /** Without the dashes; etcd's own name where etcd has the option. The environment variable follows from it. */
  readonly flag: string;
  /** Other names of the same flag, such as etcd's `experimental-…`; not shown. */
  readonly aliases?: readonly string[];
  /** One letter for it: `-w json`. Only where the command's `flagStyle` is etcdctl's. */
  readonly short?: string;
  /** False: the flag alone sets it. etcdctl has variables for its global flags only. Default: true. */
  readonly fromEnvironment?: boolean;
  readonly default: T;
  /** Instead of the formatted default, when that says more ("2GiB", "no limit"). */
  readonly defaultText?: string;
  /** Help is grouped by purpose. */
  readonly group: string;
  /** One sentence, no full stop. */
  readonly help: string;
}

export interface OptionSpec<T> extends OptionDeclaration<T> {
  readonly kind: OptionKind<T>;
}

/** A table of options: property name to declaration. */
export type OptionTable = Readonly<Record<string, OptionSpec<unknown>>>;

/** What parsing a table gives. */
export type OptionValues<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name] extends OptionSpec<infer T> ? T : never;
};

export function option<T>(kind: OptionKind<T>, declaration: OptionDeclaration<NoInfer<T>>): OptionSpec<T> {
  return { ...declaration, kind };
}

/** Where variables are looked for, first to last, unless the command says otherwise. */
export const ENVIRONMENT_PREFIXES: readonly string[] = ['KEDGE', 'ETCD'];

/** `data-dir` → `KEDGE_DATA_DIR`. */
export function environmentName(flag: string, prefix = 'KEDGE'): string {
  return `${prefix}_${flag.toUpperCase().replaceAll('-', '_')}`;
}

/**
 * Gives every option its value. `written` holds what the command line says, by flag (aliases resolved).
 * Throws UsageError that names the flag or variable, the value and what was expected.
 */
export function resolveOptions<Table extends OptionTable>(
  table: Table,
  written: ReadonlyMap<string, string>,
  environment: Readonly<Record<string, string | undefined>>,
  prefixes: readonly string[] = ENVIRONMENT_PREFIXES,
): OptionValues<Table> {
  const values: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(table)) values[name] = resolve(spec, written, environment, prefixes);
  return values as OptionValues<Table>;
}

function resolve<T>(
  spec: OptionSpec<T>,
  written: ReadonlyMap<string, string>,
  environment: Readonly<Record<string, string | undefined>>,
  prefixes: readonly string[],
): T {
  const flagValue = written.get(spec.flag);
  if (flagValue !== undefined) return parseAt(spec.kind, flagValue, `--${spec.flag}`);
  if (spec.fromEnvironment === false) return spec.default;
  for (const flag of [spec.flag, ...(spec.aliases ?? [])]) {
    for (const prefix of prefixes) {
      const variable = environmentName(flag, prefix);
      const value = environment[variable];
      // As in etcd, an empty variable is as good as none.
      if (value !== undefined && value !== '') return parseAt(spec.kind, value, variable);
    }
  }
  return spec.default;
}

function parseAt<T>(kind: OptionKind<T>, written: string, where: string): T {
  try {
    return kind.parse(written);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${where}: "${written}" is not ${error.message}`);
  }
}

export function text(placeholder: string): OptionKind<string> {
  return { placeholder, parse: (written) => written, format: (value) => value };
}

/** A switch: `--x`, `--x=true`, `--x=false`; Go's spellings. */
export const flag: OptionKind<boolean> = {
  placeholder: '',
  parse(written) {
    if (['', '1', 't', 'T', 'true', 'TRUE', 'True'].includes(written)) return true;
    if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(written)) return false;
    throw new UsageError('true or false');
  },
  format: String,
};

/** A whole number within bounds. */
export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): OptionKind<number> {
  return {
    placeholder: 'n',
    parse(written) {
      const value = /^-?\d+$/.test(written) ? Number(written) : Number.NaN;
      if (value >= min && value <= max) return value;
      throw new UsageError(`a whole number from ${min}${max === Number.MAX_SAFE_INTEGER ? ' on' : ` to ${max}`}`);
    },
    format: String,
  };
}

/** A size in bytes: `1572864`, `512MiB`, `2Gi`. */
export function bytes(min = 0, max: number = Number.MAX_SAFE_INTEGER): OptionKind<number> {
  return {
    placeholder: 'bytes',
    parse(written) {
      const value = parseBytes(written);
      if (value !== undefined && value >= min && value <= max) return value;
      const bounds = `${min > 0 ? `, at least ${formatBytes(min)}` : ''}${max < Number.MAX_SAFE_INTEGER ? `, at most ${formatBytes(max)}` : ''}`;
      throw new UsageError(`a size such as 1572864, 512MiB or 2Gi${bounds}`);
    },
    format: formatBytes,
  };
}

/** A duration in milliseconds, written as Go writes it: `500ms`, `10m`, `1h30m`. */
export function duration(minMs = 0, maxMs: number = Number.MAX_SAFE_INTEGER): OptionKind<number> {
  return {
    placeholder: 'duration',
    parse(written) {
      const value = parseDurationMs(written);
      if (value !== undefined && value >= minMs && value <= maxMs) return value;
      const bound = minMs > 0 ? `, at least ${formatDurationMs(minMs)}` : '';
      throw new UsageError(`a duration such as 500ms, 10m or 1h30m${bound}`);
    },
    format: formatDurationMs,
  };
}

/** One of a few words. */
export function choice<const Word extends string>(...words: readonly Word[]): OptionKind<Word> {
  return {
    placeholder: words.length > 3 ? 'word' : words.join('|'),
    choices: words,
    parse(written) {
      const found = words.find((word) => word === written);
      if (found !== undefined) return found;
      throw new UsageError(`one of ${words.join(', ')}`);
    },
    format: (value) => value,
  };
}

/** Several of a kind, separated by commas. */
export function list<T>(kind: OptionKind<T>): OptionKind<readonly T[]> {
  return {
    placeholder: `${kind.placeholder},…`,
    parse: (written) =>
      written
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== '')
        .map((part) => kind.parse(part)),
    format: (values) => values.map((value) => kind.format(value)).join(','),
  };
}
