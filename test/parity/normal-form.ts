/**
 * An answer in the form in which two servers are compared: every field, bytes as text, keys of objects in order.
 * What may rightly differ is left out here, and only here. Each has its reason:
 */
export const rightDifferences: Readonly<Record<string, string>> = {
  cluster_id: 'Each store has its own. That it is there is compared.',
  member_id: 'Each store has its own. That it is there is compared.',
  raft_term: 'kedge has no Raft. That it is there is compared.',
  'HashKV at or before a compact revision':
    'etcd keeps ten hashes that it took while compacting and answers those; kedge answers what is there now, or that it is compacted.',
  'HashKV and Compact at 0 or less':
    'A store never compacted stands at -1 in etcd, so that it once takes a compaction to 0; a negative revision hashes nothing there.',
  'an end of a range that is present and empty':
    'etcd 3.5 takes it for "to the last key", by accident of its decoder; 3.7 and kedge for no end. Clients leave it out.',
  'permission for a range that ends before it begins':
    'There is nothing in it. Whether etcd permits it depends on how its tree of permissions happens to be balanced; kedge permits it where its first key is permitted.',
  'orders and targets of sorting without a name': 'etcd 3.5 falls over them; kedge refuses them as 3.6 does.',
  'a watch ended by compaction':
    'In etcd its id stays taken, and the stream without progress, until the client cancels it too.',
  hash_revision: 'Of 3.6: older servers leave it at 0.',
  TTL: 'The seconds that a lease has left depend on the moment. That some are left is compared; that none, exactly.',
  'order of LeaseLeases': 'etcd sorts by what is left of their time, which for equal ones is chance.',
  'order of keys in LeaseTimeToLive': "The order of a Go map's iteration.",
  'ID of LeaseGrant when the server chooses': 'Chance by design.',
  'header of watch answers with events':
    'How events are spread over answers is timing; etcd tells the revision at which it sent. Only that no header is behind its events is checked.',
};

export function normalForm(value: unknown): string {
  return JSON.stringify(normal(value, ''));
}

function normal(value: unknown, name: string): unknown {
  if (Buffer.isBuffer(value)) return value.toString('latin1');
  if (Array.isArray(value)) {
    const items = value.map((item) => normal(item, name));
    return name === 'leases' || name === 'keys' ? items.sort(byText) : items;
  }
  if (typeof value !== 'object' || value === null) return scalar(value, name);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'hash_revision')
      .map(([key, field]) => [key, normal(field, key)]),
  );
}

function scalar(value: unknown, name: string): unknown {
  switch (name) {
    case 'cluster_id':
    case 'member_id':
    case 'raft_term':
      return value === '0' ? 'none' : 'some';
    case 'TTL':
      return Number(value) > 0 ? 'left' : value;
    default:
      return value;
  }
}

function byText(a: unknown, b: unknown): number {
  const [x, y] = [JSON.stringify(a), JSON.stringify(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}
