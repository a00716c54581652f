import { StatusError, type StreamMethod } from '../wire/grpc.ts';
import type { MethodLookup } from '../wire/local-call.ts';
import { candidatesOf, oldestUnder, prefixEnd } from './concurrency.ts';
import { LocalClient } from './local-client.ts';
import { LeaderRequest, LeaderResponse } from './messages/election-table.ts';
import type { KeyValue, ResponseHeader } from './messages/kv-table.ts';
import type { Value } from './messages/schema.ts';
import type { OpenStreams } from './open-streams.ts';
import { type MessageSink, serverStream } from './server-stream.ts';

const DELETE_EVENT = 1;

type Header = Partial<Value<typeof ResponseHeader>>;
type Kv = Partial<Value<typeof KeyValue>>;

/**
 * Election.Observe: the leader's value as it is, then every new one, of this leader and of those after him. Values that
 * come and go between two leaders may be missed, never the newest. As in etcd what disturbs the reading ends the stream
 * in order: whoever observes begins anew.
 */
export function observeMethod(lookup: MethodLookup, open: OpenStreams | undefined): StreamMethod {
  return serverStream(
    (reader) => ({ name: Buffer.from(LeaderRequest.read(reader).name) }),
    async ({ name }, sink) => {
      const client = new LocalClient(lookup, sink.call);
      const prefix = candidatesOf(name);
      try {
        while (!sink.closed) {
          const leader = await currentLeader(client, prefix);
          if (leader === undefined || !(await tell(sink, leader.header, leader.kv))) return;
          if (!(await followLeader(client, sink, leader))) return;
        }
      } catch (error) {
        // A refusal is told as an end, like etcd's: see above.
        if (!(error instanceof StatusError)) throw error;
      }
    },
    open,
  );
}

/** The oldest candidate, or the first to come when there is none; undefined when waiting for him failed. */
async function currentLeader(
  client: LocalClient,
  prefix: Uint8Array,
): Promise<{ readonly header: Header; readonly kv: Kv } | undefined> {
  const { header, kvs } = await client.range(oldestUnder(prefix));
  const found = kvs[0];
  if (found !== undefined) return { header: header ?? {}, kv: found };
  const watched = client.watch({ key: prefix, range_end: prefixEnd(prefix), start_revision: header?.revision ?? 0 });
  for await (const response of watched) {
    if (response.canceled) return undefined;
    const put = response.events.find(({ type }) => type !== DELETE_EVENT)?.kv;
    // Of several in one response it is the first, so the header is its.
    if (put !== undefined) return { header: { ...response.header, revision: put.mod_revision ?? 0 }, kv: put };
  }
  return undefined;
}

/** Tells each new value of this leader; true when his key is gone, false when nobody listens or the watch broke. */
async function followLeader(
  client: LocalClient,
  sink: MessageSink,
  { header, kv }: { readonly header: Header; readonly kv: Kv },
): Promise<boolean> {
  const watched = client.watch({ key: kv.key ?? Buffer.alloc(0), start_revision: (header.revision ?? 0) + 1 });
  for await (const response of watched) {
    for (const event of response.events) {
      if (event.type === DELETE_EVENT) return true;
      if (event.kv !== undefined && !(await tell(sink, response.header ?? {}, event.kv))) return false;
    }
    if (response.canceled) return false;
  }
  return false;
}

function tell(sink: MessageSink, header: Header, kv: Kv): Promise<boolean> {
  return sink.send(LeaderResponse.encode({ header, kv }));
}
