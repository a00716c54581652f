import { open } from 'node:fs/promises';
import { formatBytes } from '../base/byte-size.ts';
import { type Command, ExitCode, type Invocation } from '../base/command.ts';
import { Failure } from '../base/failure.ts';
import { flag, option } from '../base/options.ts';
import { UsageError } from '../base/usage-error.ts';
import { shownStoreUrl } from '../log/shared/store-url.ts';
import { parseSqliteUrl } from '../log/sqlite/options.ts';
import { restoreSqlite } from '../log/sqlite/restore.ts';
import { STORE_LOCATION, storeUrlOf } from '../server/store-location.ts';

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
  const snapshotFile = operands[0] ?? '';
  const storeUrl = storeUrlOf(options);
  if (!storeUrl.startsWith('sqlite:'))
    throw new UsageError(`--store: "${shownStoreUrl(storeUrl)}" is not a sqlite: URL`);
  const { file } = parseSqliteUrl(storeUrl);
  const kind = await kindOf(snapshotFile);
  if (kind === 'etcd') throw new Failure(`${snapshotFile} is a snapshot of etcd itself; kedge restores its own only`);
  if (kind === 'other') throw new Failure(`${snapshotFile} is not a snapshot: it does not begin as a SQLite file does`);
  if (kind === 'without digest' && !options.skipHashCheck) {
    throw new Failure(
      `${snapshotFile} has no digest: it was cut short, or is a plain copy of a store (--skip-hash-check takes it)`,
    );
  }
  const { revision, bytes } = await restoreSqlite({ snapshotFile, to: file });
  print(`restored ${snapshotFile} to ${file}: revision ${revision}, ${formatBytes(bytes)}`);
  return ExitCode.ok;
}

const SQLITE_MAGIC = 'SQLite format 3\0';
/** bbolt's, little-endian, in each of its meta pages. */
const BBOLT_MAGIC = 0xed0cdaed;
/** Pages are multiples of 512 bytes, so 32 left over are a digest: etcdutl's way to tell. */
const PAGE_BYTES_MIN = 512;
const DIGEST_BYTES = 32;

/** Told from size and first bytes: what a person mixes up most easily deserves an answer of its own. */
async function kindOf(path: string): Promise<'with digest' | 'without digest' | 'etcd' | 'other'> {
  const handle = await open(path, 'r').catch((error: Error) => {
    throw new Failure(`cannot read ${path}: ${error.message}`, { cause: error });
  });
  try {
    const head = Buffer.alloc(32);
    await handle.read(head, 0, head.length, 0);
    if (head.readUInt32LE(16) === BBOLT_MAGIC) return 'etcd';
    if (head.toString('latin1', 0, SQLITE_MAGIC.length) !== SQLITE_MAGIC) return 'other';
    return (await handle.stat()).size % PAGE_BYTES_MIN === DIGEST_BYTES ? 'with digest' : 'without digest';
  } finally {
    await handle.close();
  }
}
