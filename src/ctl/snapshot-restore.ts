import { dirname } from 'node:path';
import { formatBytes } from '../base/byte-size.ts';
import type { Clock } from '../base/clock.ts';
import { type Command, ExitCode, type Invocation } from '../base/command.ts';
import { Failure } from '../base/failure.ts';
import { flag, option } from '../base/options.ts';
import { parseSqliteUrl } from '../log/sqlite/options.ts';
import { restoreSqlite } from '../log/sqlite/restore.ts';
import { type FileFacts, fileFacts } from '../migrate/file-kind.ts';
import { STORE_LOCATION, storeUrlOf } from '../server/store-location.ts';

const OPTIONS = {
  ...STORE_LOCATION,
  skipHashCheck: option(flag, {
    flag: 'skip-hash-check',
    default: false,
    group: 'Restoring',
    help: 'take a file without a digest, such as a copy of the data made while the server was stopped',
  }),
};

/** `kedge snapshot restore <file>`: makes a new store of a snapshot. Never touches a store that is there. */
export function snapshotRestoreCommand(clock: Clock, print: (line: string) => void): Command<typeof OPTIONS> {
  return {
    name: 'snapshot restore',
    summary: 'make a new store from a file that "etcdctl snapshot save" wrote, of kedge or of etcd',
    operands: [{ name: 'file', help: 'the snapshot', required: true }],
    options: OPTIONS,
    details: `Example:
  etcdctl --endpoints=http://127.0.0.1:2379 snapshot save backup.db
  kedge snapshot restore backup.db --data-dir new-data
  kedge serve --data-dir new-data`,
    run: (invocation) => restore(invocation, clock, print),
  };
}

async function restore(
  { options, operands }: Invocation<typeof OPTIONS>,
  clock: Clock,
  print: (line: string) => void,
): Promise<number> {
  const path = operands[0] ?? '';
  const storeUrl = storeUrlOf(options);
  const facts = await fileFacts(path);
  mustBeSnapshot(path, facts, options.skipHashCheck);
  // A copy is quicker than rows one by one, and keeps the cluster's id.
  if (facts.kind === 'kedge' && storeUrl.startsWith('sqlite:')) {
    const { file } = parseSqliteUrl(storeUrl);
    const { revision, bytes } = await restoreSqlite({ snapshotFile: path, to: file });
    print(`restored ${path} to ${file}: revision ${revision}, ${formatBytes(bytes)}`);
    return ExitCode.ok;
  }
  await restoreRows(path, facts, storeUrl, clock, print);
  return ExitCode.ok;
}

async function restoreRows(
  path: string,
  { kind, hasDigest }: FileFacts,
  storeUrl: string,
  clock: Clock,
  print: (line: string) => void,
): Promise<void> {
  const [{ EtcdSnapshotSource }, { KedgeSnapshotSource }, { restoreSnapshot }, { Progress }] = await Promise.all([
    import('../migrate/etcd/snapshot-source.ts'),
    import('../migrate/kedge-snapshot-source.ts'),
    import('../migrate/restore-snapshot.ts'),
    import('../migrate/progress.ts'),
  ]);
  const progress = new Progress(clock, print);
  const source =
    kind === 'etcd'
      ? new EtcdSnapshotSource(path, { skipDigest: !hasDigest, progress })
      : new KedgeSnapshotSource(path, dirname(path));
  try {
    await restoreSnapshot(source, storeUrl, progress, print);
  } finally {
    await source.close();
  }
}

/** What a person mixes up most easily deserves an answer of its own. */
function mustBeSnapshot(path: string, { kind, hasDigest }: FileFacts, skipHashCheck: boolean): void {
  if (kind === 'sqlite') {
    throw new Failure(`${path} is a database of another program; one of kine is taken over by "kedge migrate --from"`);
  }
  if (kind === 'other') throw new Failure(`${path} is not a snapshot: neither of kedge nor of etcd`);
  if (!hasDigest && !skipHashCheck) {
    throw new Failure(
      `${path} has no digest: it was cut short, or is a plain copy of a store (--skip-hash-check takes it)`,
    );
  }
}
