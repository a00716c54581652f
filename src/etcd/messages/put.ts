import type { Reader, Writer } from '../../base/protobuf.ts';
import type { PutRequest, PutResult } from '../../mvcc/requests.ts';
import { NO_LEASE } from '../../mvcc/types.ts';
import { type HeaderCodec, writeInnerHeader } from '../header.ts';

const NO_VALUE: Uint8Array = new Uint8Array(0);

/** Reads etcdserverpb.PutRequest up to the end of the reader's message. The value is a view of its bytes. */
export function readPutRequest(reader: Reader): PutRequest {
  let key = '';
  let value = NO_VALUE;
  let lease = NO_LEASE;
  let prevKv = false;
  let ignoreValue = false;
  let ignoreLease = false;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case 0x0a:
        key = reader.latin1();
        break;
      case 0x12:
        value = reader.view();
        break;
      case 0x18:
        lease = reader.int64Big();
        break;
      case 0x20:
        prevKv = reader.bool();
        break;
      case 0x28:
        ignoreValue = reader.bool();
        break;
      case 0x30:
        ignoreLease = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { kind: 'put', key, value, lease, prevKv, ignoreValue, ignoreLease };
}

/** Writes etcdserverpb.PutResponse. Without `header` it is one within a transaction. */
export function writePutResponse(writer: Writer, header: HeaderCodec | undefined, result: PutResult): void {
  if (header === undefined) writeInnerHeader(writer, result.revision);
  else header.write(writer, result.revision);
  if (result.prevKv !== undefined) {
    writer.byte(0x12);
    writer.bytes(result.prevKv);
  }
}
