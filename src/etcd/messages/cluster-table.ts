import { ResponseHeader } from './kv-table.ts';
import { bool, message, nested, repeated, string, uint64 } from './schema.ts';

/** The messages of etcdserverpb.Cluster. Source: etcd 3.7's rpc.proto. */

export const Member = message('etcdserverpb.Member', {
  ID: uint64(1),
  name: string(2),
  peerURLs: repeated(string(3)),
  clientURLs: repeated(string(4)),
  isLearner: bool(5),
});

export const MemberAddRequest = message('etcdserverpb.MemberAddRequest', {
  peerURLs: repeated(string(1)),
  isLearner: bool(2),
});
export const MemberAddResponse = message('etcdserverpb.MemberAddResponse', {
  header: nested(1, ResponseHeader),
  member: nested(2, Member),
  members: repeated(nested(3, Member)),
});

export const MemberRemoveRequest = message('etcdserverpb.MemberRemoveRequest', { ID: uint64(1) });
export const MemberRemoveResponse = message('etcdserverpb.MemberRemoveResponse', {
  header: nested(1, ResponseHeader),
  members: repeated(nested(2, Member)),
});

export const MemberUpdateRequest = message('etcdserverpb.MemberUpdateRequest', {
  ID: uint64(1),
  peerURLs: repeated(string(2)),
});
export const MemberUpdateResponse = message('etcdserverpb.MemberUpdateResponse', {
  header: nested(1, ResponseHeader),
  members: repeated(nested(2, Member)),
});

export const MemberListRequest = message('etcdserverpb.MemberListRequest', { linearizable: bool(1) });
export const MemberListResponse = message('etcdserverpb.MemberListResponse', {
  header: nested(1, ResponseHeader),
  members: repeated(nested(2, Member)),
});

export const MemberPromoteRequest = message('etcdserverpb.MemberPromoteRequest', { ID: uint64(1) });
export const MemberPromoteResponse = message('etcdserverpb.MemberPromoteResponse', {
  header: nested(1, ResponseHeader),
  members: repeated(nested(2, Member)),
});
