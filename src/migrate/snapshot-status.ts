import { dirname } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { Failure } from '../base/failure.ts';
import { Crc32c } from '../mvcc/crc32c.ts';
import { BboltFile } from './bbolt/file.ts';
import { copy } from './copy.ts';
import { parseRevisionKey } from './etcd/revision-key.ts';
import { fileFacts } from './file-kind.ts';
import { KedgeSnapshotSource } from './kedge-snapshot-source.ts';
import { NullSink } from './null-sink.ts';
import { Progress } from './progress.ts';

/** What `snapshot status` tells, with etcdutl's names. */
export interface SnapshotStatus {
  /** Of an etcd snapshot: CRC-32C over all buckets, as etcdutl has it. Of kedge's: HashKV at its revision. */
  readonly hash: number;
  readonly revision: number;
  /** Of an etcd snapshot: entries of all buckets, as etcdutl 3.5 counts them. Of kedge's: keys. */
  readonly totalKey: number;
  readonly totalSize: number;
}

const BREATHE_ENTRIES = 10_000;

/** Reads a snapshot from end to end; a digest at its end is verified. Rejects with a Failure. */
export async function snapshotStatus(path: string): Promise<SnapshotStatus> {
  const { kind } = await fileFacts(path);
  if (kind === 'etcd') return etcdStatus(path);
  if (kind === 'kedge') return kedgeStatus(path);
  throw new Failure(`${path} is a snapshot of neither etcd nor kedge`);
}

/** Source: etcd's etcdutl/snapshot/v3_snapshot.go, Status, in 3.5. */
async function etcdStatus(path: string): Promise<SnapshotStatus> {
  const file = new BboltFile(path);
  try {
    if (file.hasDigest) await file.verifyDigest();
    const hash = new Crc32c();
    let revision = 0;
    let totalKey = 0;
    for (const name of file.bucketNames()) {
      hash.update(name);
      const bucket = Buffer.from(name).toString('latin1');
      for (const { key, value, isBucket } of file.bucket(bucket)?.entries() ?? []) {
        hash.update(key);
        if (!isBucket) hash.update(value);
        if (bucket === 'key') revision = parseRevisionKey(key)?.revision ?? revision;
        totalKey += 1;
        if (totalKey % BREATHE_ENTRIES === 0) await breathe();
      }
    }
    return { hash: hash.value, revision, totalKey, totalSize: file.bytes };
  } finally {
    file.close();
  }
}

async function kedgeStatus(path: string): Promise<SnapshotStatus> {
  const { bytes, hasDigest } = await fileFacts(path);
  const source = new KedgeSnapshotSource(path, dirname(path));
  try {
    const { horizon } = await source.open();
    const { hash, head, keys } = await copy(source, horizon, new NullSink(), {
      history: true,
      progress: Progress.silent,
    });
    return { hash, revision: head, totalKey: keys, totalSize: hasDigest ? bytes - 32 : bytes };
  } finally {
    await source.close();
  }
}
