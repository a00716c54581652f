import {
  type Member,
  MemberAddResponse,
  MemberListResponse,
  MemberPromoteResponse,
  MemberRemoveResponse,
  MemberUpdateResponse,
} from '../../etcd/messages/cluster-table.ts';
import type { ResponseHeader } from '../../etcd/messages/kv-table.ts';
import type { MessageType, Value } from '../../etcd/messages/schema.ts';
import type { JsonValue } from '../format/go-json.ts';
import { goQuote } from '../format/go-quote.ts';
import { messageJson } from '../format/message-json.ts';
import type { View } from '../printer.ts';
import { fieldLines, headerFields } from './header-fields.ts';

type Header = Partial<Value<typeof ResponseHeader>>;
type Members = readonly Partial<Value<typeof Member>>[];

/** An id in hexadecimal, as wide as `%16x` makes it. */
function padded(id: bigint): string {
  return id.toString(16).padStart(16);
}

export function memberAddView(response: Value<typeof MemberAddResponse>): View {
  const { header, member } = response;
  return {
    simple: () => [`Member ${padded(member?.ID ?? 0n)} added to cluster ${padded(header?.cluster_id ?? 0n)}\n`],
    json: () => messageJson(MemberAddResponse, response),
    protobuf: () => MemberAddResponse.encode(response),
  };
}

export function memberRemoveView(id: bigint, response: Value<typeof MemberRemoveResponse>): View {
  return changeView(MemberRemoveResponse, response, `Member ${padded(id)} removed from cluster`);
}

export function memberUpdateView(id: bigint, response: Value<typeof MemberUpdateResponse>): View {
  return changeView(MemberUpdateResponse, response, `Member ${padded(id)} updated in cluster`);
}

export function memberPromoteView(id: bigint, response: Value<typeof MemberPromoteResponse>): View {
  return changeView(MemberPromoteResponse, response, `Member ${padded(id)} promoted in cluster`);
}

function changeView<T extends { readonly header?: Header | undefined }>(
  type: MessageType<T>,
  response: T,
  said: string,
): View {
  return {
    simple: () => [`${said} ${padded(response.header?.cluster_id ?? 0n)}\n`],
    json: () => messageJson(type, response),
    protobuf: () => type.encode(response),
  };
}

const HEADINGS = ['ID', 'Status', 'Name', 'Peer Addrs', 'Client Addrs', 'Is Learner'];

export function memberListView(response: Value<typeof MemberListResponse>, hex: boolean): View {
  const { header, members } = response;
  return {
    simple: () => rowsOf(members).map((row) => `${row.join(', ')}\n`),
    fields: () => [headerFields(header), ...members.map(memberFields)],
    json: () => (hex ? hexJson(header, members) : messageJson(MemberListResponse, response)),
    table: () => ({ header: HEADINGS, rows: rowsOf(members) }),
    protobuf: () => MemberListResponse.encode(response),
  };
}

function rowsOf(members: Members): string[][] {
  return members.map(({ ID = 0n, name = '', peerURLs = [], clientURLs = [], isLearner = false }) => [
    ID.toString(16),
    name === '' ? 'unstarted' : 'started',
    name,
    peerURLs.join(','),
    clientURLs.join(','),
    String(isLearner),
  ]);
}

function memberFields({
  ID = 0n,
  name = '',
  peerURLs = [],
  clientURLs = [],
  isLearner = false,
}: Members[number]): string {
  return [
    fieldLines({ ID, Name: goQuote(name) }),
    ...peerURLs.map((url) => fieldLines({ PeerURL: goQuote(url) })),
    ...clientURLs.map((url) => fieldLines({ ClientURL: goQuote(url) })),
    fieldLines({ IsLearner: isLearner }),
    '\n',
  ].join('');
}

/** etcdctl 3.5's own spelling, "clientURLS" included. */
function hexJson(header: Header | undefined, members: Members): JsonValue {
  return {
    header: {
      cluster_id: (header?.cluster_id ?? 0n).toString(16),
      member_id: (header?.member_id ?? 0n).toString(16),
      raft_term: header?.raft_term ?? 0n,
    },
    members: members.map(({ ID = 0n, name = '', peerURLs = [], clientURLs = [] }) => ({
      ID: ID.toString(16),
      name,
      peerURLs,
      clientURLS: clientURLs,
    })),
  };
}
