import type { Reader } from '../../base/protobuf.ts';
import type { Revision } from '../../mvcc/types.ts';

/** Reads etcdserverpb.CompactionRequest up to the end of the reader's message. */
export function readCompactionRequest(reader: Reader): { readonly revision: Revision; readonly physical: boolean } {
  let revision = 0;
  let physical = false;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x08) revision = reader.int64();
    else if (tag === 0x10) physical = reader.bool();
    else reader.skip(tag);
  }
  return { revision, physical };
}
