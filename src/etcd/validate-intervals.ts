import type { Key } from '../mvcc/types.ts';
import { refusal } from './errors.ts';
import type { TxnOpMessage } from './messages/txn.ts';

/**
 * No key may be put twice in a transaction, nor put and deleted, wherever in nested transactions; two branches of one
 * nested transaction may, since only one of them runs. etcd's rule to the letter, with its gaps: deleting twice is
 * allowed; a put in a nested transaction may come before a deletion in a later one; and a deletion "from this key on"
 * (range end "\0") covers nothing here.
 * Source: checkIntervals in server/etcdserver/api/v3rpc/key.go, and trying it with etcd 3.5.30.
 */
export function checkNoDuplicateKey(ops: readonly TxnOpMessage[]): void {
  // A single plain operation cannot collide with anything: the usual case.
  if (ops.length < 2 && ops[0]?.kind !== 'txn') return;
  collect(ops);
}

/** What the operations of a branch, nested ones included, put and delete. */
interface Writes {
  readonly puts: Set<Key>;
  readonly deletes: KeyRanges;
}

function collect(ops: readonly TxnOpMessage[]): Writes {
  const deletes = new KeyRanges();
  for (const op of ops) if (op?.kind === 'delete') deletes.add(op.key, op.end === '' ? `${op.key}\0` : op.end);

  let puts = new Set<Key>();
  for (const op of ops) {
    if (op?.kind !== 'txn') continue;
    const success = collect(op.success);
    const failure = collect(op.failure);
    for (const key of success.puts) if (puts.has(key) || deletes.covers(key)) throw refusal('duplicateKey');
    for (const key of failure.puts) {
      if ((puts.has(key) && !success.puts.has(key)) || deletes.covers(key)) throw refusal('duplicateKey');
    }
    // What this transaction may put counts for the next ones. Adopting a set spares copying it level by level.
    if (puts.size === 0) puts = success.puts;
    else for (const key of success.puts) puts.add(key);
    for (const key of failure.puts) puts.add(key);
    deletes.addAll(success.deletes);
    deletes.addAll(failure.deletes);
  }

  for (const op of ops) {
    if (op?.kind !== 'put') continue;
    if (puts.has(op.key) || deletes.covers(op.key)) throw refusal('duplicateKey');
    puts.add(op.key);
  }
  return { puts, deletes };
}

/** A union of ranges [begin, end). Put in order and merged when first asked after a change: additions come in bulk. */
class KeyRanges {
  private ranges: { readonly begin: Key; readonly end: Key }[] = [];
  private merged = true;

  add(begin: Key, end: Key): void {
    if (end <= begin) return;
    this.ranges.push({ begin, end });
    this.merged = false;
  }

  addAll(other: KeyRanges): void {
    if (other.ranges.length === 0) return;
    if (this.ranges.length === 0) {
      this.ranges = other.ranges;
      this.merged = other.merged;
      return;
    }
    for (const range of other.ranges) this.ranges.push(range);
    this.merged = false;
  }

  covers(key: Key): boolean {
    if (this.ranges.length === 0) return false;
    if (!this.merged) this.merge();
    let low = 0;
    let high = this.ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.ranges[middle]?.begin ?? '') <= key) low = middle + 1;
      else high = middle;
    }
    const before = this.ranges[low - 1];
    return before !== undefined && key < before.end;
  }

  private merge(): void {
    const sorted = this.ranges.toSorted((a, b) => (a.begin < b.begin ? -1 : a.begin > b.begin ? 1 : 0));
    const merged: { begin: Key; end: Key }[] = [];
    for (const { begin, end } of sorted) {
      const last = merged.at(-1);
      if (last === undefined || last.end < begin) merged.push({ begin, end });
      else if (last.end < end) last.end = end;
    }
    this.ranges = merged;
    this.merged = true;
  }
}
