import type { Reader, Writer } from '../../base/protobuf.ts';
import type { KeyValueBytes, RangeRequest, RangeResult } from '../../mvcc/requests.ts';
import { type HeaderCodec, writeInnerHeader } from '../header.ts';

/** A decoded RangeRequest: mvcc's words, and what validation must know beside them. */
export interface RangeRequestMessage extends RangeRequest {
  readonly kind: 'range';
  /** False: sort order or target is a number that etcd does not know. */
  readonly sortKnown: boolean;
}

const orders = ['none', 'ascend', 'descend'] as const;
const targets = ['key', 'version', 'create', 'mod', 'value'] as const;

/** Reads etcdserverpb.RangeRequest up to the end of the reader's message. */
export function readRangeRequest(reader: Reader): RangeRequestMessage {
  let key = '';
  let end = '';
  let limit = 0;
  let revision = 0;
  let order = 0;
  let target = 0;
  let serializable = false;
  let keysOnly = false;
  let countOnly = false;
  let minModRevision = 0;
  let maxModRevision = 0;
  let minCreateRevision = 0;
  let maxCreateRevision = 0;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case 0x0a:
        key = reader.latin1();
        break;
      case 0x12:
        end = reader.latin1();
        break;
      case 0x18:
        limit = reader.int64();
        break;
      case 0x20:
        revision = reader.int64();
        break;
      case 0x28:
        order = reader.int32();
        break;
      case 0x30:
        target = reader.int32();
        break;
      case 0x38:
        serializable = reader.bool();
        break;
      case 0x40:
        keysOnly = reader.bool();
        break;
      case 0x48:
        countOnly = reader.bool();
        break;
      case 0x50:
        minModRevision = reader.int64();
        break;
      case 0x58:
        maxModRevision = reader.int64();
        break;
      case 0x60:
        minCreateRevision = reader.int64();
        break;
      case 0x68:
        maxCreateRevision = reader.int64();
        break;
      default:
        reader.skip(tag);
    }
  }
  const orderName = orders[order];
  const targetName = targets[target];
  return {
    kind: 'range',
    key,
    end,
    revision,
    // etcd takes a negative limit for none.
    limit: Math.max(limit, 0),
    order: orderName ?? 'none',
    target: targetName ?? 'key',
    keysOnly,
    countOnly,
    minModRevision,
    maxModRevision,
    minCreateRevision,
    maxCreateRevision,
    serializable,
    sortKnown: orderName !== undefined && targetName !== undefined,
  };
}

/** Writes etcdserverpb.RangeResponse. Without `header` it is one within a transaction. */
export function writeRangeResponse(writer: Writer, header: HeaderCodec | undefined, result: RangeResult): void {
  if (header === undefined) writeInnerHeader(writer, result.revision);
  else header.write(writer, result.revision);
  writeKvs(writer, result.kvs);
  writeRangeTail(writer, result.more, result.count);
}

/** Writes the field `kvs`. */
export function writeKvs(writer: Writer, kvs: readonly KeyValueBytes[]): void {
  for (let i = 0; i < kvs.length; i++) {
    const kv = kvs[i];
    if (kv === undefined) continue;
    writer.byte(0x12);
    writer.bytes(kv);
  }
}

/** Writes the fields `more` and `count`. */
export function writeRangeTail(writer: Writer, more: boolean, count: number): void {
  if (more) {
    writer.byte(0x18);
    writer.byte(1);
  }
  if (count !== 0) {
    writer.byte(0x20);
    writer.int64(count);
  }
}

/** About how many bytes a RangeResponse takes: to guess lengths, never too small. */
export function rangeResponseBytes(result: RangeResult): number {
  let bytes = 64;
  for (let i = 0; i < result.kvs.length; i++) bytes += 6 + (result.kvs[i]?.length ?? 0);
  return bytes;
}
