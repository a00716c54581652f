import { setImmediate as breathe } from 'node:timers/promises';
import { formatBytes } from '../../base/byte-size.ts';
import { invariant } from '../../base/invariant.ts';
import { ProtobufError, Reader, tagOf, WireType } from '../../base/protobuf.ts';
import {
  CHANGES_PER_TXN_MAX,
  type Change,
  FIRST_REVISION,
  type LeaseRecord,
  type Position,
  type Revision,
} from '../../mvcc/types.ts';
import type { BucketEntry } from '../bbolt/bucket.ts';
import { BboltFile } from '../bbolt/file.ts';
import { damaged } from '../bbolt/format.ts';
import { Progress } from '../progress.ts';
import { CHUNK_ROWS_MAX, Chunk, type RowHead, type Source, type SourceFacts, type Survey } from '../source.ts';
import { authRecords, authRemark } from './auth-buckets.ts';
import { changeOf, type KeyValueMessage, readKeyValue } from './key-value-message.ts';
import { parseCompactRevision, parseRevisionKey } from './revision-key.ts';

/** The log packs revision and sub into one 63-bit number. */
const REVISION_MAX = 2 ** 41 - 1;
const LEASES_MAX = 10_000_000;
const META_ENTRIES_MAX = 10_000;

/**
 * An etcd's data from a file that `etcdctl snapshot save` wrote, or a copy of member/snap/db: no etcd takes part.
 *
 * Source of the facts: etcd's server/storage/schema/bucket.go and server/storage/mvcc/kvstore.go (restore).
 */
export class EtcdSnapshotSource implements Source {
  readonly name: string;
  readonly #path: string;
  readonly #options: SnapshotOptions;
  #file: BboltFile | undefined;
  #horizon: Revision = 0;

  constructor(path: string, options: SnapshotOptions = {}) {
    this.#path = path;
    this.name = options.name ?? path;
    this.#options = options;
  }

  async open(): Promise<SourceFacts> {
    this.#file = this.#options.file ?? new BboltFile(this.#path);
    const file = this.#file;
    if (file.hasDigest && this.#options.skipDigest !== true) await verifyDigest(file, this.#options.progress);
    const meta = this.#meta();
    this.#horizon = Math.max(
      parseCompactRevision(meta.get('finishedCompactRev')),
      // It may have been under way; etcd takes it up again at start, and its readers see nothing below it any more.
      parseCompactRevision(meta.get('scheduledCompactRev')),
    );
    if (this.#horizon > REVISION_MAX) throw damaged(this.#path, `it is compacted at ${this.#horizon}`);
    return { description: `etcd snapshot of ${formatBytes(file.bytes)}`, horizon: this.#horizon, rows: undefined };
  }

  async survey(visit: (row: RowHead) => void): Promise<Survey> {
    let head: Revision = Math.max(FIRST_REVISION, this.#horizon);
    let rows = 0;
    let marks = 0;
    for (const { at, kv } of this.#rows()) {
      head = Math.max(head, at.revision);
      if (kv.key === '') marks += 1;
      else visit({ ...at, key: kv.key });
      rows += 1;
      if (rows % CHUNK_ROWS_MAX === 0) await breathe();
    }
    const records = authRecords(this.#opened());
    const remarks = authRemark(records);
    if (marks > 0)
      remarks.push(
        `${marks} rows without a key, as a restore with --bump-revision leaves them, count as a revision only.`,
      );
    for (const alarm of this.#alarms()) remarks.push(`etcd's alarm ${alarm} is not carried over.`);
    return { head, leases: this.#leases(), records, remarks };
  }

  async *changes(): AsyncIterable<readonly Change[]> {
    const chunk = new Chunk();
    for (const { at, kv } of this.#rows()) {
      if (kv.key === '') continue;
      const full = chunk.add(this.#decoded(() => changeOf(at, kv), `revision ${at.revision}`));
      if (!full) continue;
      yield chunk.take();
      await breathe();
    }
    yield chunk.take();
  }

  async close(): Promise<void> {
    this.#file?.close();
    this.#file = undefined;
  }

  *#rows(): Generator<{ readonly at: Position & { readonly kind: 'put' | 'delete' }; readonly kv: KeyValueMessage }> {
    const bucket = this.#opened().bucket('key');
    if (bucket === undefined) throw damaged(this.#path, 'it has no bucket "key": it is not of an etcd v3');
    for (const { key, value, isBucket } of bucket.entries()) {
      const at = parseRevisionKey(key);
      if (at === undefined || isBucket) throw damaged(this.#path, 'the bucket "key" has an entry that is no revision');
      if (at.revision < 1 || at.revision > REVISION_MAX || at.sub >= CHANGES_PER_TXN_MAX) {
        throw damaged(this.#path, `revision ${at.revision}.${at.sub} is beyond what a log can hold`);
      }
      yield { at, kv: this.#decoded(() => readKeyValue(value), `revision ${at.revision}`) };
    }
  }

  #meta(): Map<string, Uint8Array> {
    const found = new Map<string, Uint8Array>();
    for (const { key, value } of this.#entries('meta', META_ENTRIES_MAX)) found.set(latin1(key), value);
    return found;
  }

  #leases(): LeaseRecord[] {
    const leases: LeaseRecord[] = [];
    for (const { value } of this.#entries('lease', LEASES_MAX)) {
      const lease = this.#decoded(() => readLease(value), 'a lease');
      if (lease !== undefined) leases.push(lease);
    }
    return leases;
  }

  #alarms(): string[] {
    const names: string[] = [];
    for (const { key } of this.#entries('alarm', META_ENTRIES_MAX)) {
      const kind = this.#decoded(() => readAlarmKind(key), 'an alarm');
      names.push(ALARMS[kind] ?? String(kind));
    }
    return names;
  }

  *#entries(name: string, max: number): Generator<BucketEntry> {
    let count = 0;
    for (const entry of this.#opened().bucket(name)?.entries() ?? []) {
      count += 1;
      if (count > max) throw damaged(this.#path, `the bucket "${name}" has more than ${max} entries`);
      yield entry;
    }
  }

  #decoded<T>(decode: () => T, what: string): T {
    try {
      return decode();
    } catch (error) {
      if (!(error instanceof ProtobufError)) throw error;
      throw damaged(this.#path, `${what}: ${error.message}`);
    }
  }

  #opened(): BboltFile {
    invariant(this.#file !== undefined, 'a source is opened first');
    return this.#file;
  }
}

export interface SnapshotOptions {
  /** Instead of the path, for people. */
  readonly name?: string;
  /** Opened already. It is closed with the source. */
  readonly file?: BboltFile;
  /** The digest was held against it on the way here, or does not matter. */
  readonly skipDigest?: boolean;
  /** Told while the digest is verified. */
  readonly progress?: Progress;
}

async function verifyDigest(file: BboltFile, progress: Progress = Progress.silent): Promise<void> {
  progress.begin('verifying the digest', file.bytes);
  await file.verifyDigest((bytes) => progress.note(bytes));
  progress.end(formatBytes(file.bytes));
}

const ALARMS: Readonly<Record<number, string>> = { 1: 'NOSPACE', 2: 'CORRUPT' };

/** leasepb.Lease; undefined for id 0, which is none. Source: etcd's server/lease/leasepb/lease.proto. */
function readLease(bytes: Uint8Array): LeaseRecord | undefined {
  const reader = new Reader(bytes);
  let id = 0n;
  let ttl = 0;
  let remainingTtl = 0;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === tagOf(1, WireType.varint)) id = reader.int64Big();
    else if (tag === tagOf(2, WireType.varint)) ttl = reader.int64();
    else if (tag === tagOf(3, WireType.varint)) remainingTtl = reader.int64();
    else reader.skip(tag);
  }
  if (id === 0n) return undefined;
  if (!Number.isSafeInteger(ttl) || ttl < 1) throw new ProtobufError(`lease ${id} has a TTL of ${ttl} seconds`);
  const hasRemaining = remainingTtl > 0 && remainingTtl < ttl;
  return { id, ttl, remainingTtl: hasRemaining ? remainingTtl : ttl };
}

function readAlarmKind(bytes: Uint8Array): number {
  const reader = new Reader(bytes);
  let kind = 0;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === tagOf(2, WireType.varint)) kind = reader.int32();
    else reader.skip(tag);
  }
  return kind;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
