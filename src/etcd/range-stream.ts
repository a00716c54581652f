import { Reader, Writer } from '../base/protobuf.ts';
import type { KeyValueBytes, RangeRequest, RangeResult } from '../mvcc/requests.ts';
import type { Key, Revision } from '../mvcc/types.ts';
import type { StreamMethod } from '../wire/grpc.ts';
import type { HeaderCodec } from './header.ts';
import type { KvServiceOptions } from './kv.ts';
import { rangeResponseBytes, readRangeRequest, writeKvs, writeRangeTail } from './messages/range.ts';
import { serverStream } from './server-stream.ts';
import { checkRangeStream } from './validate-request.ts';

/** How many keys the first chunk holds, as etcd's. */
const FIRST_CHUNK_KEYS = 10;

/**
 * KV.RangeStream (etcd 3.7): a range in chunks, all of the revision that was the newest when the first was read.
 * Merged, the chunks are what Range answers; header, more and count stand in the last one only.
 * Source: rangeStream in etcd's server/etcdserver/v3_server.go.
 */
export function rangeStreamMethod({ store, header, maxRequestBytes, access }: KvServiceOptions): StreamMethod {
  return serverStream(
    (reader) => {
      const request = readRangeRequest(reader);
      checkRangeStream(request);
      return request;
    },
    async (request, sink) => {
      const check = (): void => {
        if (access?.enabled === true) access.range(sink.call, request.key, request.end);
      };
      check();
      const writer = new Writer();
      if (request.countOnly) {
        const { revision, count } = await store.range(request);
        check();
        writeLast(writer, header, revision, { kvs: [], more: false, count });
        await sink.send(writer.view());
        return;
      }
      let chunkKeys = FIRST_CHUNK_KEYS;
      let wantedKeys = request.limit > 0 ? request.limit : Number.POSITIVE_INFINITY;
      let key = request.key;
      let revision = Math.max(request.revision, 0);
      let first: { readonly revision: Revision; readonly count: number } | undefined;
      for (;;) {
        const chunk = store.range(part(request, key, revision, Math.min(chunkKeys, wantedKeys)));
        const result = chunk instanceof Promise ? await chunk : chunk;
        check();
        if (first === undefined) {
          first = { revision: result.revision, count: result.count };
          if (revision === 0) revision = result.revision;
        }
        wantedKeys -= result.kvs.length;
        const last = result.kvs.at(-1);
        if (!result.more || wantedKeys <= 0 || last === undefined) {
          writeLast(writer, header, first.revision, { kvs: result.kvs, more: result.more, count: first.count });
          await sink.send(writer.view());
          return;
        }
        key = `${keyOf(last)}\0`;
        writeChunk(writer, result.kvs);
        chunkKeys = nextChunkKeys(chunkKeys, writer.length, maxRequestBytes);
        if (!(await sink.send(writer.view()))) return;
      }
    },
  );
}

function part(request: RangeRequest, key: Key, revision: Revision, limit: number): RangeRequest {
  return { ...request, key, revision, limit };
}

/** Doubles or halves, until a chunk is within half and twice of the wanted size. */
function nextChunkKeys(keys: number, bytes: number, targetBytes: number): number {
  if (bytes < targetBytes / 2) return keys * 2;
  if (bytes > targetBytes * 2) return Math.max(1, Math.floor(keys / 2));
  return keys;
}

function writeChunk(writer: Writer, kvs: readonly KeyValueBytes[]): void {
  const mark = writer.begin().open(0x0a, kvBytes(kvs));
  writeKvs(writer, kvs);
  writer.close(mark);
}

function writeLast(
  writer: Writer,
  header: HeaderCodec,
  revision: Revision,
  { kvs, more, count }: Pick<RangeResult, 'kvs' | 'more' | 'count'>,
): void {
  const mark = writer.begin().open(0x0a, kvBytes(kvs));
  header.write(writer, revision);
  writeKvs(writer, kvs);
  writeRangeTail(writer, more, count);
  writer.close(mark);
}

function kvBytes(kvs: readonly KeyValueBytes[]): number {
  return rangeResponseBytes({ kind: 'range', revision: 0, count: 0, more: false, kvs });
}

/** The key of an encoded KeyValue. */
function keyOf(kv: KeyValueBytes): Key {
  const reader = new Reader(kv);
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x0a) return reader.latin1();
    reader.skip(tag);
  }
  return '';
}
