import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Failure } from '../../base/failure.ts';
import { invariant } from '../../base/invariant.ts';
import { Writer } from '../../base/protobuf.ts';
import type { ImportSink, ImportState } from '../../mvcc/import-sink.ts';
import { encodeChange, encodeTombstone } from '../../mvcc/key-value.ts';
import type { Change, LeaseRecord, Revision } from '../../mvcc/types.ts';
import { BboltWriter } from '../bbolt/writer.ts';
import { authBuckets } from './auth-buckets.ts';
import { revisionKey } from './revision-key.ts';

/**
 * The way back to etcd: writes a snapshot that `etcdutl snapshot restore` and `etcdctl snapshot restore` take, with the
 * digest at its end. It has the buckets that etcd's own has; who the members are and what their Raft log says is left
 * empty, since restoring makes that anew. Seen with etcd 3.4.23 and 3.5.30.
 */
export class EtcdSnapshotWriter implements ImportSink {
  readonly #path: string;
  readonly #part: string;
  #writer: BboltWriter | undefined;
  #newest: Revision = 0;

  constructor(path: string) {
    this.#path = path;
    this.#part = `${path}.part`;
  }

  async begin(): Promise<void> {
    if (existsSync(this.#path)) throw new Failure(`${this.#path} is already there: choose another name`);
    await rm(this.#part, { force: true });
    try {
      this.#writer = new BboltWriter(this.#part);
    } catch (error) {
      throw new Failure(`cannot write ${this.#part}: ${(error as Error).message}`, { cause: error });
    }
    this.#writer.begin('key');
  }

  async write(changes: readonly Change[]): Promise<void> {
    const writer = this.#begun();
    for (const change of changes) {
      writer.put(revisionKey(change), change.kind === 'delete' ? encodeTombstone(change.key) : encodeChange(change));
      this.#newest = change.revision;
    }
  }

  async finish({ head, horizon, leases, records }: ImportState): Promise<void> {
    const writer = this.#begun();
    // etcd knows its revision by the newest row or the compaction, whichever is later: a revision whose row is of no
    // use to it is kept as etcd's own --bump-revision keeps one, as a row without a key.
    if (head > this.#newest && head > horizon) writer.put(revisionKey({ revision: head, sub: 0 }), NOTHING);
    writer.end();
    const { auth, authRoles, authUsers } = authBuckets(records);
    const buckets = { alarm: [], auth, authRoles, authUsers, cluster: [], members: [], members_removed: [] };
    for (const [bucket, entries] of Object.entries(buckets)) {
      writer.begin(bucket);
      for (const [key, value] of entries) writer.put(key, value);
      writer.end();
    }
    writer.begin('lease');
    const sorted = [...leases].sort((a, b) => (BigInt.asUintN(64, a.id) < BigInt.asUintN(64, b.id) ? -1 : 1));
    for (const lease of sorted) writer.put(leaseKey(lease), leaseMessage(lease));
    writer.end();
    writer.begin('meta');
    writer.put(TEXT.encode('consistent_index'), u64(1));
    if (horizon > 0) {
      const at = revisionKey({ revision: horizon, sub: 0 });
      writer.put(TEXT.encode('finishedCompactRev'), at);
      writer.put(TEXT.encode('scheduledCompactRev'), at);
    }
    writer.put(TEXT.encode('term'), u64(1));
    writer.end();
    writer.finish();
    await writer.addDigest();
    writer.close();
    this.#writer = undefined;
    await rename(this.#part, this.#path);
  }

  async abort(): Promise<void> {
    if (this.#writer === undefined) return;
    this.#writer.close();
    this.#writer = undefined;
    await rm(this.#part, { force: true });
  }

  #begun(): BboltWriter {
    invariant(this.#writer !== undefined, 'a snapshot is begun first');
    return this.#writer;
  }
}

const TEXT = new TextEncoder();
const NOTHING = new Uint8Array(0);

function u64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

function leaseKey({ id }: LeaseRecord): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, id);
  return bytes;
}

function leaseMessage({ id, ttl, remainingTtl }: LeaseRecord): Uint8Array {
  const writer = new Writer(64);
  writer.tag(0x08);
  writer.int64Big(id);
  writer.tag(0x10);
  writer.int64(ttl);
  if (remainingTtl < ttl && remainingTtl > 0) {
    writer.tag(0x18);
    writer.int64(remainingTtl);
  }
  return writer.take();
}
