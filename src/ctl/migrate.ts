import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import type { Clock } from '../base/clock.ts';
import { type Command, ExitCode, type Invocation } from '../base/command.ts';
import { flag, option, text } from '../base/options.ts';
import { UsageError } from '../base/usage-error.ts';
import { parseSqliteUrl } from '../log/sqlite/options.ts';
import { ETCD_ACCESS } from './etcd-access.ts';

const GROUP = 'Moving';

const OPTIONS = {
  from: option(text('source'), {
    flag: 'from',
    default: '',
    defaultText: 'required',
    group: GROUP,
    help: 'http(s)://… of an etcd or kedge, a snapshot file, a kine database (path of its SQLite file, postgres://…, mysql://…), or the URL of another store',
  }),
  to: option(text('url'), {
    flag: 'to',
    default: '',
    defaultText: 'required',
    group: GROUP,
    help: 'the store to make, such as sqlite:///var/lib/kedge/kedge.db; it must be empty',
  }),
  history: option(flag, {
    flag: 'history',
    default: false,
    group: GROUP,
    help: 'take over every revision since the last compaction, not the newest version of each key alone',
  }),
  follow: option(flag, {
    flag: 'follow',
    default: false,
    group: GROUP,
    help: 'after the copy go on taking over what happens at the source (http://…), until Enter or SIGTERM',
  }),
  resume: option(flag, {
    flag: 'resume',
    default: false,
    group: GROUP,
    help: 'with --follow, after a run that ended while it followed: go on where the store is, without copying again',
  }),
  untilCaughtUp: option(flag, {
    flag: 'until-caught-up',
    default: false,
    group: GROUP,
    help: 'with --follow: finish by itself once nothing is left to take over, for scripts that stopped all clients',
  }),
  skipHashCheck: option(flag, {
    flag: 'skip-hash-check',
    default: false,
    group: GROUP,
    help: 'take a file without a digest: a copy of member/snap/db of a stopped etcd, or of a stopped store',
  }),
  workDir: option(text('path'), {
    flag: 'work-dir',
    default: '',
    defaultText: 'beside the store, or the system’s temporary folder',
    group: GROUP,
    help: 'where the snapshot of a running source is kept for the while; it is as large as the source',
  }),
  ...ETCD_ACCESS,
};

/** What migrate needs of the world. */
export interface MigrateWorld {
  readonly clock: Clock;
  readonly print: (line: string) => void;
  readonly process: FinishSource;
}

/** Where a person says that it is time to finish. */
export interface FinishSource {
  readonly stdin: NodeJS.ReadStream;
  on(signal: 'SIGINT' | 'SIGTERM', listener: () => void): unknown;
  exit(code: number): never;
}

/** `kedge migrate`: from etcd, kine or another store into a new one. */
export function migrateCommand(world: MigrateWorld): Command<typeof OPTIONS> {
  return {
    name: 'migrate',
    summary: 'make a new store from an etcd, a snapshot, a kine database or another store',
    operands: [],
    options: OPTIONS,
    details: `The source is only read, never changed. What an interrupted copy leaves is never taken for a store: run it again. One
that ended while it followed goes on with --resume.

Examples:
  kedge migrate --from http://127.0.0.1:2379 --to sqlite:///var/lib/kedge/kedge.db --history --follow
  kedge migrate --from etcd-backup.db --to sqlite:///var/lib/kedge/kedge.db --history
  kedge migrate --from /var/lib/rancher/k3s/server/db/state.db --to sqlite:///var/lib/kedge/kedge.db
  kedge migrate --from mysql://kine:password@db/kine --to sqlite:kedge.db`,
    run: (invocation) => run(invocation, world),
  };
}

async function run({ options }: Invocation<typeof OPTIONS>, world: MigrateWorld): Promise<number> {
  const { from, to, history, follow, resume, untilCaughtUp, skipHashCheck, workDir, ...access } = options;
  if (from === '') throw new UsageError('--from is missing: where to read');
  if (to === '') throw new UsageError('--to is missing: the store to make, such as sqlite:///var/lib/kedge/kedge.db');
  if (untilCaughtUp && !follow) throw new UsageError('--until-caught-up only makes sense with --follow');
  if (resume && !follow) throw new UsageError('--resume only makes sense with --follow');
  const workFolder = workDir === '' ? workFolderFor(to) : workDir;
  // Only now: the drivers of all databases hang on it.
  const { migrate } = await import('../migrate/migrate.ts');
  await stayingAlive(() =>
    migrate(
      { from, to, history, follow, resume, untilCaughtUp, skipHashCheck, workFolder, access },
      { clock: world.clock, print: world.print, finishAsked: () => finishAsked(world.process) },
    ),
  );
  return ExitCode.ok;
}

function workFolderFor(storeUrl: string): string {
  return storeUrl.startsWith('sqlite:') ? dirname(parseSqliteUrl(storeUrl).file) : tmpdir();
}

/** Enter, SIGINT or SIGTERM; a second signal ends the program at once. That there is no terminal means nothing. */
function finishAsked(process: FinishSource): Promise<void> {
  return new Promise((resolve) => {
    let signals = 0;
    const onSignal = (): void => {
      signals += 1;
      if (signals > 1) process.exit(ExitCode.failed);
      resolve();
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    process.stdin.once('data', () => resolve());
    process.stdin.once('error', () => undefined);
  });
}

/** Timers of a Clock do not keep a process alive; a wait between two tries must not end it. */
async function stayingAlive<T>(task: () => Promise<T>): Promise<T> {
  const { port1 } = new MessageChannel();
  port1.on('message', () => undefined);
  try {
    return await task();
  } finally {
    port1.close();
  }
}
