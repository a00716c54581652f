import { Crc32c } from './crc32c.ts';
import type { KeyIndex } from './key-index.ts';
import { encodeChange, encodeTombstone } from './key-value.ts';
import type { Log } from './log.ts';
import type { Change, Revision } from './types.ts';
import { TO_THE_LAST_KEY } from './types.ts';

/**
 * etcd's HashKV: CRC-32C over the name of its bucket and every row up to a revision, in log order, each as etcd stores
 * it: the key is the revision in 8 bytes big-endian, '_', the sub in 8 bytes big-endian, and for a delete 't'; the
 * value is the KeyValue message, of a delete with the key alone.
 *
 * Rows up to the horizon count only when a compaction at the hashed revision would keep them (the newest put of a key
 * that is still there). A quirk of etcd's: when no key is there at the hashed revision, they count when a compaction at
 * the horizon keeps them. Deletes at the horizon never count. Rows below the horizon that are not swept yet never do.
 * Source: etcd's server/storage/mvcc/hash.go, key_index.go (keep), revision.go.
 *
 * The caller keeps the Compactor from sweeping for the while. Rejects with LogError.
 */
export async function hashKv(log: Log, index: KeyIndex, horizon: Revision, revision: Revision): Promise<number> {
  const crc = new Crc32c();
  crc.update(BUCKET_NAME);
  const keptAt = index.countIn('', TO_THE_LAST_KEY, revision) > 0 ? revision : horizon;
  const rowKey = new Uint8Array(ROW_KEY_BYTES + 1);
  rowKey[8] = SEPARATOR;
  rowKey[ROW_KEY_BYTES] = TOMBSTONE;
  const rowKeyView = new DataView(rowKey.buffer);
  const putRowKey = rowKey.subarray(0, ROW_KEY_BYTES);
  for (let after = 0; after < revision; ) {
    const changes = await log.changes(after, READ_BYTES);
    const last = changes[changes.length - 1];
    if (last === undefined) break;
    after = last.revision;
    for (const change of changes) {
      if (change.revision > revision) break;
      if (change.revision <= horizon && !isKept(index, change, keptAt)) continue;
      rowKeyView.setBigUint64(0, BigInt(change.revision));
      rowKeyView.setBigUint64(9, BigInt(change.sub));
      const isDelete = change.kind === 'delete';
      crc.update(isDelete ? rowKey : putRowKey);
      crc.update(isDelete ? encodeTombstone(change.key) : encodeChange(change));
    }
  }
  return crc.value;
}

const BUCKET_NAME = new Uint8Array([0x6b, 0x65, 0x79]);
const ROW_KEY_BYTES = 17;
const SEPARATOR = 0x5f;
const TOMBSTONE = 0x74;
const READ_BYTES = 1024 * 1024;

function isKept(index: KeyIndex, change: Change, revision: Revision): boolean {
  if (change.kind === 'delete') return false;
  const kept = index.versionAt(change.key, revision);
  return kept?.revision === change.revision && kept.sub === change.sub;
}
