import { Reader, type Writer } from '../../base/protobuf.ts';
import type { LeaseStatus } from '../../mvcc/requests.ts';
import type { LeaseId, Revision } from '../../mvcc/types.ts';
import type { HeaderCodec } from '../header.ts';

const reader = new Reader();

/** Decodes etcdserverpb.LeaseGrantRequest. `id` 0n: the server chooses. Throws ProtobufError, as all decoders here. */
export function decodeLeaseGrantRequest(bytes: Uint8Array): { readonly ttlSeconds: number; readonly id: LeaseId } {
  reader.reset(bytes);
  let ttlSeconds = 0;
  let id = 0n;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x08) ttlSeconds = reader.int64();
    else if (tag === 0x10) id = reader.int64Big();
    else reader.skip(tag);
  }
  return { ttlSeconds, id };
}

/** Decodes LeaseRevokeRequest or LeaseKeepAliveRequest: both hold an ID and nothing else. */
export function decodeLeaseId(bytes: Uint8Array): LeaseId {
  reader.reset(bytes);
  let id = 0n;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x08) id = reader.int64Big();
    else reader.skip(tag);
  }
  return id;
}

/** Decodes etcdserverpb.LeaseTimeToLiveRequest. */
export function decodeLeaseTimeToLiveRequest(bytes: Uint8Array): { readonly id: LeaseId; readonly keys: boolean } {
  reader.reset(bytes);
  let id = 0n;
  let keys = false;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x08) id = reader.int64Big();
    else if (tag === 0x10) keys = reader.bool();
    else reader.skip(tag);
  }
  return { id, keys };
}

/** Checks that the bytes are a message, whatever it holds: LeaseLeasesRequest has no fields. */
export function decodeEmpty(bytes: Uint8Array): void {
  reader.reset(bytes);
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) reader.skip(tag);
}

/** Writes etcdserverpb.LeaseGrantResponse or LeaseKeepAliveResponse: the same fields with the same numbers. */
export function writeLeaseTtlResponse(
  writer: Writer,
  header: HeaderCodec,
  revision: Revision,
  id: LeaseId,
  ttlSeconds: number,
): void {
  header.write(writer, revision);
  writeIdAndTtl(writer, id, ttlSeconds);
}

/** Writes etcdserverpb.LeaseRevokeResponse: a header. */
export function writeHeaderOnly(writer: Writer, header: HeaderCodec, revision: Revision): void {
  header.write(writer, revision);
}

/** Writes etcdserverpb.LeaseTimeToLiveResponse. Of a lease that is not there etcd tells TTL -1 and nothing else. */
export function writeLeaseTimeToLiveResponse(
  writer: Writer,
  header: HeaderCodec,
  revision: Revision,
  id: LeaseId,
  status: LeaseStatus | undefined,
): void {
  header.write(writer, revision);
  writeIdAndTtl(writer, id, status === undefined ? -1 : status.ttl);
  if (status === undefined) return;
  if (status.grantedTtl !== 0) {
    writer.byte(0x20);
    writer.int64(status.grantedTtl);
  }
  for (const key of status.keys) {
    writer.byte(0x2a);
    writer.latin1(key);
  }
}

/** Writes etcdserverpb.LeaseLeasesResponse. */
export function writeLeaseLeasesResponse(
  writer: Writer,
  header: HeaderCodec,
  revision: Revision,
  ids: readonly LeaseId[],
): void {
  header.write(writer, revision);
  for (const id of ids) {
    const mark = writer.open(0x12);
    writer.byte(0x08);
    writer.int64Big(id);
    writer.close(mark);
  }
}

function writeIdAndTtl(writer: Writer, id: LeaseId, ttlSeconds: number): void {
  if (id !== 0n) {
    writer.byte(0x10);
    writer.int64Big(id);
  }
  if (ttlSeconds !== 0) {
    writer.byte(0x18);
    writer.int64(ttlSeconds);
  }
}
