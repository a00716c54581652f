import type { Reader, Writer } from '../../base/protobuf.ts';
import type { DeleteRequest, DeleteResult } from '../../mvcc/requests.ts';
import { type HeaderCodec, writeInnerHeader } from '../header.ts';

/** Reads etcdserverpb.DeleteRangeRequest up to the end of the reader's message. */
export function readDeleteRequest(reader: Reader): DeleteRequest {
  let key = '';
  let end = '';
  let prevKv = false;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case 0x0a:
        key = reader.latin1();
        break;
      case 0x12:
        end = reader.latin1();
        break;
      case 0x18:
        prevKv = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { kind: 'delete', key, end, prevKv };
}

/** Writes etcdserverpb.DeleteRangeResponse. Without `header` it is one within a transaction. */
export function writeDeleteResponse(writer: Writer, header: HeaderCodec | undefined, result: DeleteResult): void {
  if (header === undefined) writeInnerHeader(writer, result.revision);
  else header.write(writer, result.revision);
  if (result.deleted !== 0) {
    writer.byte(0x10);
    writer.int64(result.deleted);
  }
  const { prevKvs } = result;
  for (let i = 0; i < prevKvs.length; i++) {
    const kv = prevKvs[i];
    if (kv === undefined) continue;
    writer.byte(0x1a);
    writer.bytes(kv);
  }
}
