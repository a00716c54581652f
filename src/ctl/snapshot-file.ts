import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { Failure } from '../base/failure.ts';

/**
 * A file as `etcdctl snapshot save` writes it: the store's bytes, then their SHA-256. The store's bytes come in pages of
 * at least 512, so 32 left over tell that the digest is there (as etcdutl tells it).
 */
export interface SnapshotFile {
  /** Of the store, without the digest. */
  readonly bytes: number;
  readonly hasDigest: boolean;
  /** At most 1 MiB each. Throws Failure at the end when the digest does not match. */
  chunks(): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

const DIGEST_BYTES = 32;
const PAGE_BYTES_MIN = 512;
const CHUNK_BYTES = 1024 * 1024;
const SQLITE_MAGIC = 'SQLite format 3\0';
/** bbolt's, little-endian, in each of its meta pages. */
const BBOLT_MAGIC = 0xed0cdaed;

/** Opens a snapshot and looks at its first bytes. Throws Failure when it is none of kedge's. */
export async function openSnapshotFile(path: string): Promise<SnapshotFile> {
  const handle = await openForReading(path);
  try {
    const { size } = await handle.stat();
    const head = Buffer.alloc(32);
    await handle.read(head, 0, head.length, 0);
    if (head.readUInt32LE(16) === BBOLT_MAGIC) {
      throw new Failure(`${path} is a snapshot of etcd itself; kedge restores its own only`);
    }
    if (head.toString('latin1', 0, SQLITE_MAGIC.length) !== SQLITE_MAGIC) {
      throw new Failure(`${path} is not a snapshot: it does not begin as a SQLite file does`);
    }
    const hasDigest = size % PAGE_BYTES_MIN === DIGEST_BYTES;
    const bytes = hasDigest ? size - DIGEST_BYTES : size;
    return { bytes, hasDigest, chunks: () => readChunks(path, handle, bytes, hasDigest), close: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function openForReading(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (error) {
    throw new Failure(`cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}

async function* readChunks(
  path: string,
  handle: FileHandle,
  bytes: number,
  hasDigest: boolean,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  for (let at = 0; at < bytes; ) {
    const chunk = new Uint8Array(Math.min(CHUNK_BYTES, bytes - at));
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, at);
    if (bytesRead === 0) throw new Failure(`${path} became shorter while it was read`);
    const read = chunk.subarray(0, bytesRead);
    hash.update(read);
    at += bytesRead;
    yield read;
  }
  if (!hasDigest) return;
  const written = Buffer.alloc(DIGEST_BYTES);
  await handle.read(written, 0, DIGEST_BYTES, bytes);
  if (!hash.digest().equals(written)) {
    throw new Failure(`${path} is damaged: its digest does not match its content; take another snapshot`);
  }
}
