import { Status, StatusError, type UnaryCall, type UnaryMethod } from '../wire/grpc.ts';
import type { MethodLookup } from '../wire/local-call.ts';
import { refusal, translated } from './errors.ts';
import { LocalClient } from './local-client.ts';
import type { RangeRequest } from './messages/kv-table.ts';
import type { MessageType, Value } from './messages/schema.ts';

/**
 * What Lock and Election have in common: candidates put a key of their own under the name, bound to their lease, and
 * whose key is the oldest has it. Everybody else waits for the one before him to go, so that nobody is woken in vain.
 *
 *     name/694d5e1f…  create_revision 7    holds it
 *     name/694d5e20…  create_revision 9    waits for the key of revision 7
 *     name/694d5e21…  create_revision 12   waits for the key of revision 9
 *
 * Source: etcd's client/v3/concurrency, on which its server/etcdserver/api/v3lock and v3election stand.
 */

const SESSION_TTL_SECONDS = 60;
const ASCEND = 1;
const DESCEND = 2;
const BY_CREATE_REVISION = 2;
const DELETE_EVENT = 1;

/** The lease that was given, or a new one of a minute that nobody keeps alive. */
export async function sessionLease(client: LocalClient, lease: bigint): Promise<bigint> {
  if (lease !== 0n) return lease;
  return (await client.leaseGrant({ TTL: SESSION_TTL_SECONDS })).ID;
}

/** Under which all candidates' keys lie. */
export function candidatesOf(name: Uint8Array): Buffer {
  return Buffer.concat([name, Buffer.from('/')]);
}

/** A candidate's own key. */
export function candidateKey(prefix: Uint8Array, lease: bigint): Buffer {
  return Buffer.concat([prefix, Buffer.from(lease.toString(16))]);
}

/** The oldest key under the prefix: whose it is has the lock or leads. */
export function oldestUnder(prefix: Uint8Array): Partial<Value<typeof RangeRequest>> {
  return { key: prefix, range_end: prefixEnd(prefix), limit: 1, sort_order: ASCEND, sort_target: BY_CREATE_REVISION };
}

/** Waits until no key under the prefix is older than `createRevision`. */
export async function untilOldest(client: LocalClient, prefix: Uint8Array, createRevision: number): Promise<void> {
  for (;;) {
    const { header, kvs } = await client.range({
      key: prefix,
      range_end: prefixEnd(prefix),
      limit: 1,
      sort_order: DESCEND,
      sort_target: BY_CREATE_REVISION,
      max_create_revision: createRevision - 1,
    });
    const predecessor = kvs[0]?.key;
    if (predecessor === undefined) return;
    await untilDeleted(client, Buffer.from(predecessor), header?.revision ?? 0);
  }
}

async function untilDeleted(client: LocalClient, key: Uint8Array, revision: number): Promise<void> {
  for await (const response of client.watch({ key, start_revision: revision })) {
    if (response.events.some(({ type }) => type === DELETE_EVENT)) return;
    if (response.compact_revision !== 0) throw refusal('compacted');
    if (response.canceled) throw new StatusError(Status.unknown, response.cancel_reason);
  }
  throw new StatusError(Status.unknown, 'lost watcher waiting for delete');
}

/** The first key that no longer begins with `prefix`, which is not empty and ends with a slash. */
export function prefixEnd(prefix: Uint8Array): Buffer {
  const end = Buffer.from(prefix);
  const last = end.length - 1;
  end[last] = (end[last] ?? 0) + 1;
  return end;
}

/** A unary method that is a recipe: it reads a copy of its request, for it goes on long after the wire's is gone. */
export function recipe<Request, Response>(
  lookup: MethodLookup,
  requestType: MessageType<Request>,
  responseType: MessageType<Response>,
  run: (client: LocalClient, request: Request) => Promise<Partial<Response>>,
): UnaryMethod {
  const answer = async (bytes: Uint8Array, call: UnaryCall): Promise<void> => {
    try {
      const request = requestType.decode(Uint8Array.prototype.slice.call(bytes));
      call.answer(responseType.encode(await run(new LocalClient(lookup, call), request)));
    } catch (error) {
      call.fail(recipeError(translated(error)));
    }
  };
  return {
    kind: 'unary',
    handle(bytes, call) {
      void answer(bytes, call);
      return undefined;
    },
  };
}

/**
 * etcd's recipes are made of its client's calls, and the code of what those answer is lost on the way: all of etcd's
 * own refusals come out as Unknown (seen with 3.5.30).
 */
function recipeError(error: unknown): unknown {
  if (!(error instanceof StatusError) || !error.message.startsWith('etcdserver: ')) return error;
  return new StatusError(Status.unknown, error.message, { cause: error });
}
