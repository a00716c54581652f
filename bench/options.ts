import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { experiments } from './experiments.ts';
import { findInPath } from './peers/programs.ts';
import { sections } from './sections/all.ts';

/** What the command line asks for. */
export interface Options {
  readonly quick: boolean;
  /** Names of experiments and sections; empty: all. */
  readonly only: readonly string[];
  /** Only these numbers in flight (or of watchers); empty: all. */
  readonly inFlight: readonly number[];
  readonly seconds: number;
  readonly rounds: number;
  /** Empty: without it. */
  readonly etcd: string;
  readonly kedge: string;
  /** undefined: there is none to compare with. */
  readonly kine: string | undefined;
  readonly folder: string;
  readonly json: string | undefined;
}

/** The project's root, from `dist/bench/options.js`. */
const root = fileURLToPath(new URL('../../', import.meta.url));
const defaults = { seconds: 2, rounds: 3 };
const quickDefaults = { seconds: 1, rounds: 1 };

/** Parses the command line; `--help` and mistakes print and end the process. */
export function parseOptions(args: readonly string[]): Options {
  const names = [...new Set([...experiments, ...sections].map(({ name }) => name))];
  const command = new Command('npm run bench --')
    .description(
      'Starts kedge and etcd side by side on fresh data, asks both the same in short alternating rounds, and prints rates, ' +
        'latencies, CPU and memory with their ratios. Both have every answer on disk before they give it. Ratios of one run ' +
        'count, not absolute figures: other work on the machine falls on both.',
    )
    .option(
      '--quick',
      'one short round of the rows that have a bar: minutes instead of a quarter of an hour, more noise',
    )
    .option('--only <names>', 'only these, separated by commas (names below)', listOf(names))
    .option('--in-flight <numbers>', 'only these of 1, 64, 1000 (watchers: 1, 100, 1000)', numbers)
    .option(
      '--seconds <n>',
      `measured per round; default ${defaults.seconds}, quick ${quickDefaults.seconds}`,
      positive,
    )
    .option('--rounds <n>', `rounds of which the median counts; default ${defaults.rounds}, quick 1`, positive)
    .option('--kedge <command>', 'how to run kedge, without "serve"; empty: leave it out', `${root}bin/kedge`)
    .option('--etcd <file>', 'etcd 3.5; empty: leave it out (default: $KEDGE_ETCD, test/tools/etcd.sh, PATH)')
    .option('--peer-kine <file>', 'a kine binary, for the sections postgres-kine and mariadb-kine')
    .option('--folder <folder>', 'where the data go: the disk that is measured', tmpdir())
    .option('--json <file>', 'write all figures there too')
    .addHelpText('after', () => helpOfNames())
    .addHelpText(
      'after',
      '\nExample: npm run bench -- --quick --only put,txn-update --kedge "node --cpu-prof dist/kedge/main.js"',
    );
  const given = command.parse(args, { from: 'user' }).opts<{
    quick?: boolean;
    only?: string[];
    inFlight?: number[];
    seconds?: number;
    rounds?: number;
    kedge: string;
    etcd?: string;
    peerKine?: string;
    folder: string;
    json?: string;
  }>();
  const fallback = given.quick === true ? quickDefaults : defaults;
  return {
    quick: given.quick === true,
    only: given.only ?? [],
    inFlight: given.inFlight ?? [],
    seconds: given.seconds ?? fallback.seconds,
    rounds: Math.ceil(given.rounds ?? fallback.rounds),
    kedge: given.kedge,
    kine: given.peerKine,
    etcd: given.etcd ?? findEtcd(),
    folder: given.folder,
    json: given.json,
  };
}

/** etcd from the environment, from the project's own tool that fetches one, or from PATH. Throws when there is none. */
function findEtcd(): string {
  const named = process.env['KEDGE_ETCD'];
  if (named !== undefined && named !== '') return named;
  const tool = `${root}test/tools/etcd.sh`;
  if (existsSync(tool)) return `${execFileSync(tool, { encoding: 'utf8' }).trim()}/etcd`;
  const inPath = findInPath('etcd');
  if (inPath !== undefined) return inPath;
  throw new Error('no etcd to compare with: give --etcd FILE, or --etcd "" to measure kedge alone');
}

function helpOfNames(): string {
  const summaries = new Map([...experiments, ...sections].map(({ name, summary }) => [name, summary]));
  return ['', 'Names:', ...[...summaries].map(([name, summary]) => `  ${name.padEnd(19)} ${summary}`)].join('\n');
}

function numbers(text: string): number[] {
  return text.split(',').map(positive);
}

function positive(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('a number above 0 is expected');
}

function listOf(names: readonly string[]): (text: string) => string[] {
  return (text) => {
    const wanted = text.split(',').map((name) => name.trim());
    const unknown = wanted.find((name) => !names.includes(name));
    if (unknown !== undefined) throw new InvalidArgumentError(`"${unknown}" is none of ${names.join(', ')}`);
    return wanted;
  };
}
