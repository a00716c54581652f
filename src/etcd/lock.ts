import { type Method, Status, StatusError } from '../wire/grpc.ts';
import type { MethodLookup } from '../wire/local-call.ts';
import { candidateKey, candidatesOf, oldestUnder, recipe, sessionLease, untilOldest } from './concurrency.ts';
import type { LocalClient } from './local-client.ts';
import { LockRequest, LockResponse, UnlockRequest, UnlockResponse } from './messages/lock-table.ts';
import type { Value } from './messages/schema.ts';

const CREATE_REVISION = 1;

/** v3lockpb.Lock, on the API's other services, which `lookup` finds. Source: etcd's server/etcdserver/api/v3lock. */
export function lockService(lookup: MethodLookup): readonly (readonly [path: string, method: Method])[] {
  return [
    ['/v3lockpb.Lock/Lock', recipe(lookup, LockRequest, LockResponse, lock)],
    [
      '/v3lockpb.Lock/Unlock',
      recipe(lookup, UnlockRequest, UnlockResponse, async (client, { key }) => {
        const { header } = await client.delete({ key });
        return { header };
      }),
    ],
  ];
}

/** Answers when the lock is held. A caller who goes away before that leaves no key behind. */
async function lock(
  client: LocalClient,
  { name, lease }: Value<typeof LockRequest>,
): Promise<Partial<Value<typeof LockResponse>>> {
  const prefix = candidatesOf(name);
  const session = await sessionLease(client, lease);
  const key = candidateKey(prefix, session);
  // Whether the key is there must be known even when the caller goes away now.
  const { header, succeeded, responses } = await client.detached().txn({
    compare: [{ target: CREATE_REVISION, key, create_revision: 0 }],
    success: [{ request_put: { key, lease: session } }, { request_range: oldestUnder(prefix) }],
    failure: [{ request_range: { key } }, { request_range: oldestUnder(prefix) }],
  });
  const mine = responses[0]?.response_range?.kvs?.[0]?.create_revision;
  const ownRevision = (succeeded ? header?.revision : mine) ?? 0;
  const holder = responses[1]?.response_range?.kvs?.[0]?.create_revision;
  if (holder === undefined || holder === ownRevision) {
    // Asked again with the lease that holds it already: then it is not this call's to let go.
    if (client.signal.aborted && succeeded) await client.detached().delete({ key });
    return { header, key };
  }
  try {
    await untilOldest(client, prefix, ownRevision);
  } catch (error) {
    await client.detached().delete({ key });
    throw error;
  }
  const owned = await client.detached().range({ key });
  // As etcd's client says it: the lease is over, and with it the key that waited.
  if (owned.kvs.length === 0) throw new StatusError(Status.unknown, 'mutex: session is expired');
  if (client.signal.aborted) await client.detached().delete({ key });
  return { header: owned.header, key };
}
