import type { ResponseHeader } from '../../etcd/messages/kv-table.ts';
import type { Value } from '../../etcd/messages/schema.ts';

type Header = Partial<Value<typeof ResponseHeader>>;

/** The lines of a header in `-w fields`. Without one: none. */
export function headerFields(header: Header | undefined): string {
  if (header === undefined) return '';
  return fieldLines({
    ClusterID: header.cluster_id ?? 0n,
    MemberID: header.member_id ?? 0n,
    Revision: header.revision ?? 0,
    RaftTerm: header.raft_term ?? 0n,
  });
}

/** `"Name" : value` for each. Strings come as they shall stand. */
export function fieldLines(fields: Readonly<Record<string, string | number | bigint | boolean>>): string {
  return Object.entries(fields)
    .map(([name, value]) => `"${name}" : ${value}\n`)
    .join('');
}
