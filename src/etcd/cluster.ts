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
  /** The other members as they are now; none when absent. */
  readonly others?: () => readonly OtherMember[];
}

/** Another member of the cluster, serving the same store. */
export interface OtherMember {
  readonly id: bigint;
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
}

/**
 * etcdserverpb.Cluster: this member, and those that serve the same store, as far as they are linked now, so that clients
 * can go to another one. Nobody is added or removed here: who has access to the store is a member. That is refused with
 * etcd's checks first and then its nearest words: "not enough started members" is what etcd says when its last member is to be removed, or when
 * another one would cost the quorum. Headers have no revision here.
 * Source: etcd's server/etcdserver/api/v3rpc/member.go, and trying it with 3.5.30.
 */
export function clusterService({
  header,
  memberName,
  peerUrls,
  clientUrls,
  others = () => [],
}: ClusterServiceOptions): readonly (readonly [path: string, method: Method])[] {
  const self: Partial<Value<typeof Member>> = {
    ID: header.memberId,
    name: memberName,
    peerURLs: peerUrls,
    clientURLs: clientUrls,
  };
  const members = (): Partial<Value<typeof Member>>[] => {
    const rest = others().map((other) => ({
      ID: other.id,
      name: other.name,
      peerURLs: other.peerUrls,
      clientURLs: other.clientUrls,
    }));
    return [self, ...rest].sort((a, b) => (BigInt.asUintN(64, a.ID ?? 0n) < BigInt.asUintN(64, b.ID ?? 0n) ? -1 : 1));
  };
  const list = () => ({ header: header.value(0), members: members() });
  const urlsOf = (id: bigint): readonly string[] => {
    const found = members().find(({ ID = 0n }) => BigInt.asUintN(64, ID) === BigInt.asUintN(64, id));
    if (found === undefined) throw refusal('memberNotFound');
    return found.peerURLs ?? [];
  };
  return [
    ['/etcdserverpb.Cluster/MemberList', tableMethod(MemberListRequest, MemberListResponse, list)],
    [
      '/etcdserverpb.Cluster/MemberAdd',
      tableMethod(MemberAddRequest, MemberAddResponse, ({ peerURLs }) => {
        if (!areMemberUrls(peerURLs)) throw refusal('memberBadUrls');
        if (peerURLs.some((url) => members().some((member) => member.peerURLs?.includes(url))))
          throw refusal('peerUrlExists');
        throw refusal('memberNotEnoughStarted');
      }),
    ],
    [
      '/etcdserverpb.Cluster/MemberRemove',
      tableMethod(MemberRemoveRequest, MemberRemoveResponse, ({ ID }) => {
        urlsOf(ID);
        throw refusal('memberNotEnoughStarted');
      }),
    ],
    [
      '/etcdserverpb.Cluster/MemberUpdate',
      tableMethod(MemberUpdateRequest, MemberUpdateResponse, ({ ID, peerURLs }) => {
        const present = urlsOf(ID);
        const same = peerURLs.length === present.length && peerURLs.every((url, i) => url === present[i]);
        if (!same) throw refusal('notCapable');
        return list();
      }),
    ],
    [
      '/etcdserverpb.Cluster/MemberPromote',
      tableMethod(MemberPromoteRequest, MemberPromoteResponse, ({ ID }) => {
        urlsOf(ID);
        throw refusal('memberNotLearner');
      }),
    ],
  ];
}
