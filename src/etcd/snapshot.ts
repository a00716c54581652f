import { createHash } from 'node:crypto';
import { Writer } from '../base/protobuf.ts';
import type { StoreApi } from '../mvcc/api.ts';
import type { StreamMethod } from '../wire/grpc.ts';
import { SnapshotRequest, SnapshotResponse } from './messages/maintenance-table.ts';
import { serverStream } from './server-stream.ts';
import { CLUSTER_VERSION } from './version.ts';

/** The most that one message carries, as etcd's snapshotSendBufferSize. */
const BLOB_BYTES_MAX = 32 * 1024;

/**
 * Maintenance.Snapshot: a copy of the whole store in blobs, then one more blob with the SHA-256 of all before, which
 * etcdctl checks and leaves at the file's end. The store is read at the pace at which the client takes it.
 * Source: etcd's server/etcdserver/api/v3rpc/maintenance.go.
 */
export function snapshotMethod(store: Pick<StoreApi, 'snapshot'>): StreamMethod {
  return serverStream(
    (reader) => SnapshotRequest.read(reader),
    async (_, sink) => {
      const writer = new Writer(BLOB_BYTES_MAX + 64);
      const send = (remaining: number, blob: Uint8Array): Promise<boolean> => {
        SnapshotResponse.write(writer.begin(), {
          remaining_bytes: BigInt(Math.max(remaining, 0)),
          blob,
          version: CLUSTER_VERSION,
        });
        return sink.send(writer.view());
      };
      const snapshot = await store.snapshot();
      const digest = createHash('sha256');
      let remaining = snapshot.bytes;
      for await (const chunk of snapshot.chunks) {
        for (let at = 0; at < chunk.length; at += BLOB_BYTES_MAX) {
          const blob = chunk.subarray(at, at + BLOB_BYTES_MAX);
          digest.update(blob);
          remaining -= blob.length;
          // Leaving the loop ends the snapshot.
          if (!(await send(remaining, blob))) return;
        }
      }
      await send(0, digest.digest());
    },
  );
}
