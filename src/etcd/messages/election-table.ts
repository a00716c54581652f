import { KeyValue, ResponseHeader } from './kv-table.ts';
import { bytes, id64, int64, message, nested } from './schema.ts';

/** The messages of v3electionpb.Election. Source: etcd's v3election.proto. */

export const CampaignRequest = message('v3electionpb.CampaignRequest', {
  name: bytes(1),
  lease: id64(2),
  value: bytes(3),
});
export const LeaderKey = message('v3electionpb.LeaderKey', {
  name: bytes(1),
  key: bytes(2),
  rev: int64(3),
  lease: id64(4),
});
export const CampaignResponse = message('v3electionpb.CampaignResponse', {
  header: nested(1, ResponseHeader),
  leader: nested(2, LeaderKey),
});

export const LeaderRequest = message('v3electionpb.LeaderRequest', { name: bytes(1) });
export const LeaderResponse = message('v3electionpb.LeaderResponse', {
  header: nested(1, ResponseHeader),
  kv: nested(2, KeyValue),
});

export const ResignRequest = message('v3electionpb.ResignRequest', { leader: nested(1, LeaderKey) });
export const ResignResponse = message('v3electionpb.ResignResponse', { header: nested(1, ResponseHeader) });

export const ProclaimRequest = message('v3electionpb.ProclaimRequest', {
  leader: nested(1, LeaderKey),
  value: bytes(2),
});
export const ProclaimResponse = message('v3electionpb.ProclaimResponse', { header: nested(1, ResponseHeader) });
