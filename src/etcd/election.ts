import { type Method, Status, StatusError } from '../wire/grpc.ts';
import type { MethodLookup } from '../wire/local-call.ts';
import { candidateKey, candidatesOf, oldestUnder, recipe, sessionLease, untilOldest } from './concurrency.ts';
import type { LocalClient } from './local-client.ts';
import {
  CampaignRequest,
  CampaignResponse,
  type LeaderKey,
  LeaderRequest,
  LeaderResponse,
  ProclaimRequest,
  ProclaimResponse,
  ResignRequest,
  ResignResponse,
} from './messages/election-table.ts';
import type { ResponseHeader } from './messages/kv-table.ts';
import type { Value } from './messages/schema.ts';
import { observeMethod } from './observe.ts';
import type { OpenStreams } from './open-streams.ts';

const CREATE_REVISION = 1;

type Header = Partial<Value<typeof ResponseHeader>> | undefined;
type Leader = Partial<Value<typeof LeaderKey>>;

/** v3electionpb.Election, on the API's other services, which `lookup` finds. Source: etcd's server/etcdserver/api/v3election. */
export function electionService(
  lookup: MethodLookup,
  open?: OpenStreams,
): readonly (readonly [path: string, method: Method])[] {
  return [
    ['/v3electionpb.Election/Campaign', recipe(lookup, CampaignRequest, CampaignResponse, campaign)],
    [
      '/v3electionpb.Election/Proclaim',
      recipe(lookup, ProclaimRequest, ProclaimResponse, async (client, { leader, value }) => {
        if (leader === undefined) throw missingLeader();
        const lease = await sessionLease(client, leader.lease ?? 0n);
        return { header: await proclaim(client, { ...leader, lease }, value) };
      }),
    ],
    [
      '/v3electionpb.Election/Leader',
      recipe(lookup, LeaderRequest, LeaderResponse, async (client, { name }) => {
        const { header, kvs } = await client.range(oldestUnder(candidatesOf(name)));
        const kv = kvs[0];
        if (kv === undefined) throw new StatusError(Status.unknown, 'election: no leader');
        return { header, kv };
      }),
    ],
    ['/v3electionpb.Election/Observe', observeMethod(lookup, open)],
    [
      '/v3electionpb.Election/Resign',
      recipe(lookup, ResignRequest, ResignResponse, async (client, { leader }) => {
        if (leader === undefined) throw missingLeader();
        await sessionLease(client, leader.lease ?? 0n);
        return { header: await resign(client, leader) };
      }),
    ],
  ];
}

/** Answers when the election is won. A caller who goes away before that withdraws. */
async function campaign(
  client: LocalClient,
  { name, lease, value }: Value<typeof CampaignRequest>,
): Promise<Partial<Value<typeof CampaignResponse>>> {
  const prefix = candidatesOf(name);
  const session = await sessionLease(client, lease);
  const key = candidateKey(prefix, session);
  // Whether the key is there must be known even when the caller goes away now.
  const { header, succeeded, responses } = await client.detached().txn({
    compare: [{ target: CREATE_REVISION, key, create_revision: 0 }],
    success: [{ request_put: { key, value, lease: session } }],
    failure: [{ request_range: { key } }],
  });
  const found = responses[0]?.response_range?.kvs?.[0];
  const leader = { name, key, rev: (succeeded ? header?.revision : found?.create_revision) ?? 0, lease: session };
  if (!succeeded && Buffer.compare(found?.value ?? Buffer.alloc(0), value) !== 0) {
    await proclaim(client, leader, value);
  }
  try {
    await untilOldest(client, prefix, leader.rev);
  } catch (error) {
    if (client.signal.aborted) await resign(client.detached(), leader);
    throw error;
  }
  if (client.signal.aborted && succeeded) await resign(client.detached(), leader);
  return { header, leader };
}

/** A new value under the leader's key, as long as it is the one that won. */
async function proclaim(client: LocalClient, { key, rev, lease }: Leader, value: Uint8Array): Promise<Header> {
  const { header, succeeded } = await client.txn({
    compare: [{ target: CREATE_REVISION, key: key ?? Buffer.alloc(0), create_revision: rev ?? 0 }],
    success: [{ request_put: { key: key ?? Buffer.alloc(0), value, lease: lease ?? 0n } }],
  });
  if (!succeeded) throw new StatusError(Status.unknown, 'election: not leader');
  return header;
}

/** Who does not lead has nothing to give up: that is no failure. */
async function resign(client: LocalClient, { key, rev }: Leader): Promise<Header> {
  const { header } = await client.txn({
    compare: [{ target: CREATE_REVISION, key: key ?? Buffer.alloc(0), create_revision: rev ?? 0 }],
    success: [{ request_delete_range: { key: key ?? Buffer.alloc(0) } }],
  });
  return header;
}

function missingLeader(): StatusError {
  return new StatusError(Status.unknown, '"leader" field must be provided');
}
