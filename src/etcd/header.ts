import { Writer } from '../base/protobuf.ts';
import type { Revision } from '../mvcc/types.ts';
import type { ResponseHeader } from './messages/kv-table.ts';
import type { Value } from './messages/schema.ts';

/**
 * etcd's raft term: what a member of its own cluster stands at after its first election. A client can only see whether
 * it ever falls back, so it is the same at every start.
 */
export const RAFT_TERM = 2;

/** Writes the header of answers, of which all but the revision is known beforehand. */
export class HeaderCodec {
  /** cluster_id and member_id, encoded. */
  private readonly before: Uint8Array;
  /** raft_term, encoded. */
  private readonly after: Uint8Array;
  readonly clusterId: bigint;
  readonly memberId: bigint;

  constructor(clusterId: bigint, memberId: bigint) {
    this.clusterId = clusterId;
    this.memberId = memberId;
    const writer = new Writer(64);
    writeId(writer, 0x08, clusterId);
    writeId(writer, 0x10, memberId);
    this.before = writer.take();
    writer.tag(0x20);
    writer.int64(RAFT_TERM);
    this.after = writer.take();
  }

  /** The header as a value, for messages that are written by table. */
  value(revision: Revision): Partial<Value<typeof ResponseHeader>> {
    return { cluster_id: this.clusterId, member_id: this.memberId, revision, raft_term: BigInt(RAFT_TERM) };
  }

  /** Writes field 1, the header, of any response. Revision 0 is left out, as by etcd where no store is asked. */
  write(writer: Writer, revision: Revision): void {
    const mark = writer.open(0x0a);
    writer.raw(this.before);
    if (revision !== 0) {
      writer.byte(0x18);
      writer.int64(revision);
    }
    writer.raw(this.after);
    writer.close(mark);
  }
}

/** Writes field 1 of a response within a transaction's: there the header holds the revision and nothing else. */
export function writeInnerHeader(writer: Writer, revision: Revision): void {
  const mark = writer.open(0x0a);
  if (revision !== 0) {
    writer.byte(0x18);
    writer.int64(revision);
  }
  writer.close(mark);
}

function writeId(writer: Writer, tag: number, id: bigint): void {
  if (id === 0n) return;
  writer.tag(tag);
  writer.int64Big(id);
}
