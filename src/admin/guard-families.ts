import { counter, type Family } from './exposition.ts';

/** What stands around the API (etcd/call-guard.ts) counts. */
export interface GuardCells {
  auditDropped(): number;
  requestsLimited(): number;
}

export function guardFamilies({ auditDropped, requestsLimited }: GuardCells): Family[] {
  return [
    counter('kedge_audit_dropped_lines_total', 'Lines of the audit log that were not written.', auditDropped),
    counter('kedge_client_requests_limited_total', "Requests refused for their client's limits.", requestsLimited),
  ];
}
