import type { Method } from '../wire/grpc.ts';
import { refusal } from './errors.ts';
import type { HeaderCodec } from './header.ts';
import { areMemberUrls } from './member-urls.ts';
import {
  type Member,
  MemberAddRequest,
  MemberAddResponse,
  MemberListRequest,
  MemberListResponse,
  MemberPromoteRequest,
  MemberPromoteResponse,
  MemberRemoveRequest,
  MemberRemoveResponse,
  MemberUpdateRequest,
  MemberUpdateResponse,
} from './messages/cluster-table.ts';
import type { Value } from './messages/schema.ts';
import { tableMethod } from './table-method.ts';

export interface ClusterServiceOptions {
  readonly header: HeaderCodec;
  /** The member's name, as etcd's --name. */
  readonly memberName: string;
  /** What the member is reached at by others of its cluster: nobody connects there, but clients may show them. */
  readonly peerUrls: readonly string[];
  /** What clients are told to connect to, as etcd's --advertise-client-urls. */
  readonly clientUrls: readonly string[];
}

/**
 * etcdserverpb.Cluster: one member, for ever. What would change that is refused, with etcd's checks first and then its
 * nearest words: "not enough started members" is what etcd says when its last member is to be removed, or when
 * another one would cost the quorum. Headers have no revision here.
 * Source: etcd's server/etcdserver/api/v3rpc/member.go, and trying it with 3.5.30.
 */
export function clusterService({
  header,
  memberName,
  peerUrls,
  clientUrls,
}: ClusterServiceOptions): readonly (readonly [path: string, method: Method])[] {
  const self: Partial<Value<typeof Member>> = {
    ID: header.memberId,
    name: memberName,
    peerURLs: peerUrls,
    clientURLs: clientUrls,
  };
  const list = { header: header.value(0), members: [self] };
  const checkSelf = (id: bigint): void => {
    if (id !== header.memberId) throw refusal('memberNotFound');
  };
  return [
    ['/etcdserverpb.Cluster/MemberList', tableMethod(MemberListRequest, MemberListResponse, () => list)],
    [
      '/etcdserverpb.Cluster/MemberAdd',
      tableMethod(MemberAddRequest, MemberAddResponse, ({ peerURLs }) => {
        if (!areMemberUrls(peerURLs)) throw refusal('memberBadUrls');
        if (peerURLs.some((url) => peerUrls.includes(url))) throw refusal('peerUrlExists');
        throw refusal('memberNotEnoughStarted');
      }),
    ],
    [
      '/etcdserverpb.Cluster/MemberRemove',
      tableMethod(MemberRemoveRequest, MemberRemoveResponse, ({ ID }) => {
        checkSelf(ID);
        throw refusal('memberNotEnoughStarted');
      }),
    ],
    [
      '/etcdserverpb.Cluster/MemberUpdate',
      tableMethod(MemberUpdateRequest, MemberUpdateResponse, ({ ID, peerURLs }) => {
        checkSelf(ID);
        const same = peerURLs.length === peerUrls.length && peerURLs.every((url, i) => url === peerUrls[i]);
        if (!same) throw refusal('notCapable');
        return list;
      }),
    ],
    [
      '/etcdserverpb.Cluster/MemberPromote',
      tableMethod(MemberPromoteRequest, MemberPromoteResponse, ({ ID }) => {
        checkSelf(ID);
        throw refusal('memberNotLearner');
      }),
    ],
  ];
}
