import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { syncPath } from '../../base/sync-path.ts';
import { LogError } from '../../mvcc/log.ts';
import { corrupt, translate } from './errors.ts';
import { acquireLock } from './lock.ts';
import { HEAD_SQL, identify } from './schema.ts';

/** What to restore, and where to. */
export interface RestoreOptions {
  /** A snapshot as `etcdctl snapshot save` or Log.snapshot writes it: with or without the digest at its end. */
  readonly snapshotFile: string;
  /** The store to make. Must not be there. */
  readonly to: string;
  /** Told of each chunk that is copied. */
  readonly onProgress?: (bytes: number, totalBytes: number) => void;
}

/** What was restored. */
export interface Restored {
  readonly bytes: number;
  readonly revision: number;
  /** Whether the snapshot carried a SHA-256 digest, which was then verified. */
  readonly digestVerified: boolean;
}

const CHUNK_BYTES = 2 ** 20;
const DIGEST_BYTES = 32;

/** Database pages are a multiple of this, so 32 bytes more are a digest: etcd's way to tell. */
const PAGE_BYTES_MIN = 512;

/**
 * Makes a new store from a snapshot: copies, verifies the digest if there is one, checks the whole database, and only
 * then gives it its name. Cluster and member id stay those of the snapshot (etcd's restore makes new ones to keep
 * members of the old cluster away; a single store has none, and its clients may go on where they were).
 * Rejects with a LogError: `refused` when there is something at `to` or the snapshot is not kedge's, `corrupt` when
 * the snapshot is damaged.
 */
export async function restoreSqlite({ snapshotFile, to, onProgress }: RestoreOptions): Promise<Restored> {
  const lock = acquireLock(to);
  const part = `${to}.restoring`;
  try {
    for (const file of [to, `${to}-wal`]) {
      if (existsSync(file)) {
        throw new LogError('refused', `${file} is already there: restore into a new file, or move the old one away`);
      }
    }
    await mkdir(dirname(to), { recursive: true });
    const { bytes, digestVerified } = await copy(snapshotFile, part, onProgress);
    const revision = check(part, snapshotFile);
    await rename(part, to);
    await syncPath(dirname(to));
    return { bytes, revision, digestVerified };
  } catch (error) {
    throw translate(error, snapshotFile);
  } finally {
    await rm(part, { force: true });
    lock.release();
  }
}

/** Copies the database without its digest, durably. */
async function copy(
  from: string,
  to: string,
  onProgress: RestoreOptions['onProgress'],
): Promise<{ bytes: number; digestVerified: boolean }> {
  const source = await open(from, 'r');
  try {
    const total = (await source.stat()).size;
    const digestVerified = total % PAGE_BYTES_MIN === DIGEST_BYTES;
    const bytes = digestVerified ? total - DIGEST_BYTES : total;
    const hash = createHash('sha256');
    const target = await open(to, 'w', 0o600);
    try {
      const chunk = new Uint8Array(CHUNK_BYTES);
      for (let at = 0; at < bytes; ) {
        const { bytesRead } = await source.read(chunk, 0, Math.min(chunk.length, bytes - at), at);
        if (bytesRead === 0) throw corrupt(from, 'it ended while it was being read');
        const part = chunk.subarray(0, bytesRead);
        hash.update(part);
        await target.writeFile(part);
        at += bytesRead;
        onProgress?.(at, bytes);
      }
      await target.sync();
    } finally {
      await target.close();
    }
    if (digestVerified && !(await digestAt(source, bytes)).equals(hash.digest())) {
      throw new LogError(
        'corrupt',
        `${from}: its SHA-256 digest does not match: the copy is damaged, take another one`,
      );
    }
    return { bytes, digestVerified };
  } finally {
    await source.close();
  }
}

async function digestAt(source: FileHandle, at: number): Promise<Buffer> {
  const digest = Buffer.alloc(DIGEST_BYTES);
  await source.read(digest, 0, DIGEST_BYTES, at);
  return digest;
}

/** Whose it is, and the whole tree. Answers the head. */
function check(file: string, shown: string): number {
  const db = new Database(file, { readonly: true });
  try {
    if (identify(db, shown) === 'empty') throw new LogError('refused', `${shown} is empty`);
    const found = db.pragma('integrity_check(1)', { simple: true });
    if (found !== 'ok') throw corrupt(shown, String(found));
    return Number(db.prepare(HEAD_SQL).pluck().get());
  } finally {
    db.close();
  }
}
