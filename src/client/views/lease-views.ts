import { ResponseHeader } from '../../etcd/messages/kv-table.ts';
import {
  LeaseGrantResponse,
  LeaseKeepAliveResponse,
  LeaseLeasesResponse,
  LeaseRevokeResponse,
  LeaseTimeToLiveResponse,
} from '../../etcd/messages/lease-table.ts';
import type { Value } from '../../etcd/messages/schema.ts';
import { goQuote } from '../format/go-quote.ts';
import { messageJson } from '../format/message-json.ts';
import type { Pieces, View } from '../printer.ts';
import { fieldLines, headerFields } from './header-fields.ts';

/** A lease's id as etcdctl shows it. */
export function leaseName(id: bigint): string {
  return BigInt.asUintN(64, id).toString(16).padStart(16, '0');
}

// The JSON of leases is that of clientv3's own types, not of the messages.

export function grantView(response: Value<typeof LeaseGrantResponse>): View {
  const { header, ID, TTL, error } = response;
  return {
    simple: () => [`lease ${leaseName(ID)} granted with TTL(${TTL}s)\n`],
    fields: () => [headerFields(header), fieldLines({ ID, TTL })],
    json: () => ({ ...messageJson(ResponseHeader, header ?? {}), ID, TTL, Error: error }),
    protobuf: () => LeaseGrantResponse.encode(response),
  };
}

export function revokeView(id: bigint, response: Value<typeof LeaseRevokeResponse>): View {
  return {
    simple: () => [`lease ${leaseName(id)} revoked\n`],
    fields: () => [headerFields(response.header)],
    json: () => messageJson(LeaseRevokeResponse, response),
    protobuf: () => LeaseRevokeResponse.encode(response),
  };
}

export function keepAliveView(response: Value<typeof LeaseKeepAliveResponse>): View {
  const { header, ID, TTL } = response;
  return {
    simple: () => [`lease ${leaseName(ID)} keepalived with TTL(${TTL})\n`],
    fields: () => [headerFields(header), fieldLines({ ID, TTL })],
    json: () => ({ ...messageJson(ResponseHeader, header ?? {}), ID, TTL }),
    protobuf: () => LeaseKeepAliveResponse.encode(response),
  };
}

export function timeToLiveView(response: Value<typeof LeaseTimeToLiveResponse>, keysWanted: boolean): View {
  const { header, ID, TTL, grantedTTL, keys } = response;
  return {
    simple: () => timeToLiveLine(response, keysWanted),
    fields: () => [
      headerFields(header),
      fieldLines({ ID, TTL, GrantedTTL: grantedTTL }),
      ...keys.map((key) => fieldLines({ Key: goQuote(key) })),
    ],
    json: () => ({
      ...messageJson(ResponseHeader, header ?? {}),
      id: ID,
      ttl: TTL,
      'granted-ttl': grantedTTL,
      keys: keys.length === 0 ? null : keys,
    }),
    protobuf: () => LeaseTimeToLiveResponse.encode(response),
  };
}

function timeToLiveLine(
  { ID, TTL, grantedTTL, keys }: Value<typeof LeaseTimeToLiveResponse>,
  keysWanted: boolean,
): Pieces {
  if (grantedTTL === 0 && TTL === -1) return [`lease ${leaseName(ID)} already expired\n`];
  const line = `lease ${leaseName(ID)} granted with TTL(${grantedTTL}s), remaining(${TTL}s)`;
  if (!keysWanted) return [line, '\n'];
  const listed = keys.flatMap((key, i) => (i === 0 ? [key] : [' ', key]));
  return [line, ', attached keys([', ...listed, '])\n'];
}

export function leasesView(response: Value<typeof LeaseLeasesResponse>): View {
  const { header, leases } = response;
  const ids = leases.map(({ ID = 0n }) => ID);
  return {
    simple: () => [`found ${ids.length} leases\n`, ...ids.map((id) => `${leaseName(id)}\n`)],
    fields: () => [headerFields(header), ...ids.map((ID) => fieldLines({ ID }))],
    json: () => ({ ...messageJson(ResponseHeader, header ?? {}), leases: ids.map((id) => ({ id })) }),
    protobuf: () => LeaseLeasesResponse.encode(response),
  };
}
