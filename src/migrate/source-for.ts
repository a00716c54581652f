import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Failure } from '../base/failure.ts';
import { UsageError } from '../base/usage-error.ts';
import { shownStoreUrl } from '../log/shared/store-url.ts';
import { parseSqliteUrl } from '../log/sqlite/options.ts';
import type { EtcdClient } from './etcd/client.ts';
import { LiveSource } from './etcd/live-source.ts';
import { EtcdSnapshotSource } from './etcd/snapshot-source.ts';
import { fileFacts } from './file-kind.ts';
import { KedgeSnapshotSource } from './kedge-snapshot-source.ts';
import { KineSource } from './kine/kine-source.ts';
import { KineMysql } from './kine/mysql.ts';
import { KinePostgres } from './kine/postgres.ts';
import { KineSqlite } from './kine/sqlite.ts';
import { LogSource } from './log-source.ts';
import type { Progress } from './progress.ts';
import { SharedStoreSource } from './shared-store-source.ts';
import type { Source } from './source.ts';
import { sqliteUrl } from './sqlite-url.ts';

export interface SourceOptions {
  /** http(s)://…, a path, sqlite:…, postgres://…, mysql://…, or kine+ before one of the last three. */
  readonly from: string;
  /** For http(s) and unix endpoints. */
  readonly connect: () => Promise<EtcdClient>;
  /** Where large temporary files go. */
  readonly workFolder: string;
  /** Take an etcd snapshot or a store file without a digest. */
  readonly skipHashCheck: boolean;
  readonly progress: Progress;
}

/** A source, with the client to follow it by where it is a server. */
export interface FoundSource {
  readonly source: Source;
  readonly client: EtcdClient | undefined;
}

/** Finds out what `--from` means; looks into files and databases where the name leaves it open. Rejects with a Failure. */
export async function sourceFor(options: SourceOptions): Promise<FoundSource> {
  const { from, connect, workFolder, progress } = options;
  if (/^(https?|unix):/.test(from)) {
    const client = await connect();
    return { source: new LiveSource(client, workFolder, progress), client };
  }
  return { source: await storedSource(options), client: undefined };
}

async function storedSource(options: SourceOptions): Promise<Source> {
  const { from } = options;
  const isKine = from.startsWith('kine+');
  const url = from.replace(/^kine\+/, '');
  const name = shownStoreUrl(from);
  if (/^(postgres|postgresql):/.test(url)) {
    if (isKine || (await KinePostgres.isThere(url))) return new KineSource(name, () => KinePostgres.open(url));
    return new SharedStoreSource(url, options.workFolder);
  }
  if (/^(mysql|mariadb):/.test(url)) {
    if (isKine || (await KineMysql.isThere(url))) return new KineSource(name, () => KineMysql.open(url));
    return new SharedStoreSource(url, options.workFolder);
  }
  if (/^sqlite:/.test(url)) return fileSource(parseSqliteUrl(url).file, options, url);
  if (/^[a-z][a-z0-9+.-]+:\/\//.test(url)) {
    if (isKine) throw new UsageError(`--from: kine is not known on ${name}; sqlite, postgres and mysql are`);
    return new SharedStoreSource(url, options.workFolder);
  }
  return fileSource(resolve(url), options, undefined);
}

async function fileSource(path: string, options: SourceOptions, url: string | undefined): Promise<Source> {
  const { skipHashCheck, workFolder, progress } = options;
  const { kind, hasDigest } = await fileFacts(path);
  switch (kind) {
    case 'etcd':
      if (!hasDigest && !skipHashCheck) throw withoutDigest(path);
      return new EtcdSnapshotSource(path, {
        skipDigest: skipHashCheck,
        progress,
      });
    case 'kedge':
      // A store lies beside its lock; a snapshot is alone, and may have a digest at its end.
      if (url !== undefined || (!hasDigest && existsSync(`${path}.lock`))) {
        return new LogSource(url ?? sqliteUrl(path), path);
      }
      if (!hasDigest && !skipHashCheck) throw withoutDigest(path);
      return new KedgeSnapshotSource(path, workFolder);
    case 'sqlite':
      return new KineSource(path, async () => new KineSqlite(path));
    case 'other':
      throw new Failure(`${path} is neither a snapshot (of etcd or kedge) nor an SQLite database of kine or kedge`);
  }
}

function withoutDigest(path: string): Failure {
  return new Failure(
    `${path} has no digest at its end: it was cut short, or is a plain copy of a data file (of a stopped server: --skip-hash-check takes it)`,
  );
}
