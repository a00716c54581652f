import { existsSync } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { formatBytes } from '../base/byte-size.ts';
import { type Command, ExitCode, type Invocation } from '../base/command.ts';
import { Failure } from '../base/failure.ts';
import { flag, option } from '../base/options.ts';
import { UsageError } from '../base/usage-error.ts';
import { logFor } from '../log/engines.ts';
import { parseSqliteUrl } from '../log/sqlite/options.ts';
import { STORE_LOCATION, storeUrlOf } from '../server/store-location.ts';
import { openSnapshotFile, type SnapshotFile } from './snapshot-file.ts';

const OPTIONS = {
  ...STORE_LOCATION,
  skipHashCheck: option(flag, {
    flag: 'skip-hash-check',
    default: false,
    group: 'Restoring',
    help: 'take a file without a digest, such as a copy of the store made while kedge was stopped',
  }),
};

/** `kedge snapshot restore <file>`: makes a new store of a snapshot. Never touches a store that is there. */
export function snapshotRestoreCommand(print: (line: string) => void): Command<typeof OPTIONS> {
  return {
    name: 'snapshot restore',
    summary: 'make a new store from a file that "etcdctl snapshot save" wrote',
    operands: [{ name: 'file', help: 'the snapshot', required: true }],
    options: OPTIONS,
    details: `Example:
  etcdctl --endpoints=http://127.0.0.1:2379 snapshot save backup.db
  kedge snapshot restore backup.db --data-dir new-data
  kedge serve --data-dir new-data`,
    run: (invocation) => restore(invocation, print),
  };
}

async function restore(
  { options, operands }: Invocation<typeof OPTIONS>,
  print: (line: string) => void,
): Promise<number> {
  const path = operands[0] ?? '';
  const storeUrl = storeUrlOf(options);
  if (!storeUrl.startsWith('sqlite:')) throw new UsageError(`--store: "${storeUrl}" is not a sqlite: URL`);
  const { file } = parseSqliteUrl(storeUrl);
  for (const taken of [file, `${file}-wal`]) {
    if (existsSync(taken)) throw new Failure(`${taken} is there already: choose another --data-dir, or move it away`);
  }
  const snapshot = await openSnapshotFile(path);
  try {
    if (!snapshot.hasDigest && !options.skipHashCheck) {
      throw new Failure(
        `${path} has no digest: it was cut short, or is a plain copy of a store (--skip-hash-check takes it)`,
      );
    }
    await writeStore(snapshot, file);
  } finally {
    await snapshot.close();
  }
  const { head, rows } = await examine(storeUrl, file);
  print(`restored ${path} to ${file}: revision ${head}, ${rows} rows, ${formatBytes(snapshot.bytes)}`);
  return ExitCode.ok;
}

/** Under another name first: whatever happens meanwhile, there is never half a store under its own. */
async function writeStore(snapshot: SnapshotFile, file: string): Promise<void> {
  const draft = `${file}.restoring`;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  try {
    const handle = await open(draft, 'w', 0o600);
    try {
      for await (const chunk of snapshot.chunks()) await handle.write(chunk);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, file);
    const folder = await open(dirname(file), 'r');
    await folder.sync();
    await folder.close();
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

/** Opens the restored store as serve would, and looks at all of it. What does not open does not stay. */
async function examine(storeUrl: string, file: string): Promise<{ readonly head: number; readonly rows: number }> {
  const checked = storeUrl.includes('check=') ? storeUrl : `${storeUrl}${storeUrl.includes('?') ? '&' : '?'}check=full`;
  const log = logFor(checked);
  try {
    return await log.open();
  } catch (error) {
    for (const left of [file, `${file}-wal`, `${file}-shm`]) await rm(left, { force: true });
    throw error;
  } finally {
    await log.close();
  }
}
