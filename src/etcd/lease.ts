import { Writer } from '../base/protobuf.ts';
import type { StoreApi } from '../mvcc/api.ts';
import type { LeaseStatus } from '../mvcc/requests.ts';
import type { Method, UnaryCall, UnaryMethod } from '../wire/grpc.ts';
import type { Access } from './auth/access.ts';
import { toStatusError, translated } from './errors.ts';
import type { HeaderCodec } from './header.ts';
import { LeaseKeepAliveStream } from './lease-keep-alive.ts';
import {
  decodeEmpty,
  decodeLeaseGrantRequest,
  decodeLeaseId,
  decodeLeaseTimeToLiveRequest,
  writeHeaderOnly,
  writeLeaseLeasesResponse,
  writeLeaseTimeToLiveResponse,
  writeLeaseTtlResponse,
} from './messages/lease.ts';
import type { OpenStreams } from './open-streams.ts';

export interface LeaseServiceOptions {
  readonly store: LeaseStore;
  readonly header: HeaderCodec;
  readonly open?: OpenStreams;
  readonly access?: Access;
}

export type LeaseStore = Pick<
  StoreApi,
  'revision' | 'leaseGrant' | 'leaseRevoke' | 'leaseKeepAlive' | 'leaseTimeToLive' | 'leases'
>;

/** An answer that grew beyond this (all leases, all keys of one) does not keep its buffer. */
const SCRATCH_BYTES_MAX = 64 * 1024;

/** etcdserverpb.Lease. Source: etcd's server/etcdserver/api/v3rpc/lease.go. */
export function leaseService({
  store,
  header,
  open,
  access,
}: LeaseServiceOptions): readonly (readonly [string, Method])[] {
  const scratch = new Writer(256);
  const answer = (write: (writer: Writer) => void): Uint8Array => {
    scratch.shrink(SCRATCH_BYTES_MAX);
    write(scratch.begin());
    return scratch.view();
  };
  return [
    [
      '/etcdserverpb.Lease/LeaseGrant',
      unary(async (request) => {
        const { id, ttlSeconds } = decodeLeaseGrantRequest(request);
        const granted = await store.leaseGrant(id, ttlSeconds);
        return answer((writer) => writeLeaseTtlResponse(writer, header, granted.revision, granted.id, granted.ttl));
      }),
    ],
    [
      '/etcdserverpb.Lease/LeaseRevoke',
      unary(async (request, call) => {
        const id = decodeLeaseId(request);
        if (access?.enabled === true) access.leaseRevoke(call, id);
        const revision = await store.leaseRevoke(id);
        return answer((writer) => writeHeaderOnly(writer, header, revision));
      }),
    ],
    [
      '/etcdserverpb.Lease/LeaseKeepAlive',
      { kind: 'stream', open: (call) => new LeaseKeepAliveStream(call, store, header, open, access) },
    ],
    [
      '/etcdserverpb.Lease/LeaseTimeToLive',
      unary((request, call) => {
        const { id, keys } = decodeLeaseTimeToLiveRequest(request);
        if (access?.enabled === true) access.leaseTimeToLive(call, id, keys);
        const respond = (status: LeaseStatus | undefined): Uint8Array =>
          answer((writer) => writeLeaseTimeToLiveResponse(writer, header, store.revision, id, status));
        const status = store.leaseTimeToLive(id, keys);
        return status instanceof Promise ? status.then(respond) : respond(status);
      }),
    ],
    [
      '/etcdserverpb.Lease/LeaseLeases',
      unary((request, call) => {
        decodeEmpty(request);
        if (access?.enabled === true) access.leaseLeases(call, store.leases());
        return answer((writer) => writeLeaseLeasesResponse(writer, header, store.revision, store.leases()));
      }),
    ],
  ];
}

/** Answers without a promise of the wire's: a rejection is translated here. */
function unary(handle: (request: Uint8Array, call: UnaryCall) => Uint8Array | Promise<Uint8Array>): UnaryMethod {
  return {
    kind: 'unary',
    handle(request: Uint8Array, call: UnaryCall): Uint8Array | undefined {
      try {
        const response = handle(request, call);
        if (response instanceof Uint8Array) return response;
        response.then(
          (bytes) => call.answer(bytes),
          (error: unknown) => call.fail(translated(error)),
        );
        return undefined;
      } catch (error) {
        throw toStatusError(error);
      }
    },
  };
}
