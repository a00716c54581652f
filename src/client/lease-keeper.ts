import type { Clock } from '../base/clock.ts';
import type { LeaseKeepAliveResponse } from '../etcd/messages/lease-table.ts';
import type { Value } from '../etcd/messages/schema.ts';
import type { Connection } from './connection.ts';
import { LeaseMethod } from './lease-methods.ts';
import { CLIENT_LIMITS } from './limits.ts';
import { RpcCode, RpcError, rpcErrorOf } from './rpc-error.ts';

type Renewed = Value<typeof LeaseKeepAliveResponse>;

/** Renews a lease once. TTL 0 in the answer: there is no such lease. */
export async function keepAliveOnce(connection: Connection, id: bigint): Promise<Renewed> {
  const stream = await connection.openStream(LeaseMethod.keepAlive);
  stream.write({ ID: id });
  try {
    for await (const response of stream) return response as Renewed;
  } catch (error) {
    throw rpcErrorOf(error);
  } finally {
    // The cancellation that is asked for is no error.
    stream.on('error', () => undefined);
    stream.cancel();
  }
  throw new RpcError(RpcCode.unavailable, 'the server ended the stream');
}

/**
 * Renews a lease when a third of its time is over, again and again, over broken connections too, as clientv3 does.
 * Ends when the lease is not there, or its time ran out while no server could be reached.
 */
export async function* keepAlive(connection: Connection, clock: Clock, id: bigint): AsyncGenerator<Renewed> {
  let endsMs = Number.POSITIVE_INFINITY;
  while (clock.monotonicMs() < endsMs) {
    try {
      for await (const response of renewals(connection, id)) {
        if (response.TTL <= 0) return;
        endsMs = clock.monotonicMs() + response.TTL * 1000;
        yield response;
      }
    } catch (error) {
      const failed = rpcErrorOf(error);
      const passing = failed.code === RpcCode.unavailable || failed.code === RpcCode.deadlineExceeded;
      if (!passing || endsMs === Number.POSITIVE_INFINITY) throw failed;
    }
    connection.preferNext();
    await connection.pause(CLIENT_LIMITS.retryDelayMs);
  }
}

/** One stream's worth. */
async function* renewals(connection: Connection, id: bigint): AsyncGenerator<Renewed> {
  const stream = await connection.openStream(LeaseMethod.keepAlive, { requireLeader: true });
  try {
    stream.write({ ID: id });
    for await (const response of stream) {
      const renewed = response as Renewed;
      yield renewed;
      if (renewed.TTL <= 0) return;
      await connection.pause((renewed.TTL * 1000) / 3);
      stream.write({ ID: id });
    }
  } finally {
    stream.on('error', () => undefined);
    stream.cancel();
  }
}
