import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { LogError } from '../../mvcc/log.ts';

/** How hard SQLite waits for the disk at commit. `full`: every answered write survives a power cut. `normal`: it survives a crash of the process, not of the machine. */
export type Synchronous = 'full' | 'normal';

/** What open looks at beyond header, schema and file size. `auto`: PRAGMA quick_check after an unclean stop of a file up to 64 MiB. */
export type IntegrityCheck = 'auto' | 'quick' | 'full' | 'off';

/** Everything that can be chosen for the SQLite engine. */
export interface SqliteOptions {
  /** Absolute path of the database file. Its folder is created when missing. */
  readonly file: string;
  readonly synchronous: Synchronous;
  readonly check: IntegrityCheck;
  /** Page cache of each of the two connections. */
  readonly cacheBytes: number;
  /** How much of the file is read through a memory map; 0 turns it off. */
  readonly mmapBytes: number;
  /**
   * At about this size the writer brings the write-ahead log home into the file: the longest pause between two commits
   * grows with it, how often it comes shrinks. (A thread of its own for it was tried: on two cores it took a tenth
   * more CPU per row, and what it did to the pauses did not show clearly.)
   */
  readonly walBytes: number;
  /** Whether, in a streak of small commits, both threads look for each other for a while before they sleep (spin.ts). */
  readonly spin: boolean;
}

const MIB = 2 ** 20;

/** Defaults of all but the file. */
export const SQLITE_DEFAULTS = {
  synchronous: 'full',
  check: 'auto',
  cacheBytes: 16 * MIB,
  mmapBytes: 1024 * MIB,
  walBytes: 4 * MIB,
  // With one core the other thread would have to wait for the one that looks. (Node 20 does not see a container's share.)
  spin: availableParallelism() > 1,
} as const satisfies Omit<SqliteOptions, 'file'>;

const HELP =
  'known parameters: synchronous=full|normal, check=auto|quick|full|off, cache_mib, mmap_mib, wal_mib, spin=auto|off';

/**
 * Reads `sqlite:///absolute/path?synchronous=full` or `sqlite:relative/path`. The path is percent-decoded.
 * Throws a LogError `refused` that names the parameter.
 */
export function parseSqliteUrl(url: string): SqliteOptions {
  if (!url.startsWith('sqlite:')) throw refuse(url, 'it must start with sqlite:');
  const rest = url.slice('sqlite:'.length);
  const question = rest.indexOf('?');
  const path = pathOf(url, question === -1 ? rest : rest.slice(0, question));
  const options: { -readonly [K in keyof SqliteOptions]: SqliteOptions[K] } = { file: path, ...SQLITE_DEFAULTS };
  const seen = new Set<string>();
  for (const [name, value] of new URLSearchParams(question === -1 ? '' : rest.slice(question + 1))) {
    if (seen.has(name)) throw refuse(url, `parameter ${name} is given twice`);
    seen.add(name);
    switch (name) {
      case 'synchronous':
        options.synchronous = oneOf(url, name, value, ['full', 'normal']);
        break;
      case 'check':
        options.check = oneOf(url, name, value, ['auto', 'quick', 'full', 'off']);
        break;
      case 'cache_mib':
        options.cacheBytes = mebibytes(url, name, value, 1, 65536);
        break;
      case 'mmap_mib':
        options.mmapBytes = mebibytes(url, name, value, 0, 2047);
        break;
      case 'wal_mib':
        options.walBytes = mebibytes(url, name, value, 1, 4096);
        break;
      case 'spin':
        options.spin = oneOf(url, name, value, ['auto', 'off']) === 'auto' && SQLITE_DEFAULTS.spin;
        break;
      default:
        throw refuse(url, `unknown parameter ${name}; ${HELP}`);
    }
  }
  return options;
}

function pathOf(url: string, text: string): string {
  let path = text;
  if (path.startsWith('//')) {
    if (!path.startsWith('///'))
      throw refuse(url, 'a host is not possible: write sqlite:///absolute/path or sqlite:relative/path');
    path = path.slice(2);
  }
  try {
    path = decodeURIComponent(path);
  } catch {
    throw refuse(url, 'the path has a broken percent escape');
  }
  if (path === '' || path.endsWith('/') || path.includes('\0')) {
    throw refuse(url, 'the path must name a file, such as sqlite:///var/lib/kedge/kedge.db');
  }
  return resolve(path);
}

function oneOf<const T extends string>(url: string, name: string, value: string, known: readonly T[]): T {
  const found = known.find((each) => each === value);
  if (found === undefined) throw refuse(url, `parameter ${name} is "${value}"; it must be ${known.join(' or ')}`);
  return found;
}

function mebibytes(url: string, name: string, value: string, min: number, max: number): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number < min || number > max) {
    throw refuse(url, `parameter ${name} is "${value}"; it must be a whole number of MiB from ${min} to ${max}`);
  }
  return number * MIB;
}

function refuse(url: string, why: string): LogError {
  return new LogError('refused', `store ${url}: ${why}`);
}
