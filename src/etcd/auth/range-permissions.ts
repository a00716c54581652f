import type { Key } from '../../mvcc/types.ts';
import { ONE_KEY, TO_THE_LAST_KEY } from '../../mvcc/types.ts';
import { PermissionType } from '../messages/auth-table.ts';
import type { KeyPermission } from './auth-records.ts';

const [READ, WRITE, READ_WRITE] = ['READ', 'WRITE', 'READWRITE'].map((name) => PermissionType.values.indexOf(name));

/**
 * What one user may read and write: what his roles allow, all together. Ranges that touch are one, so a range is allowed
 * when one of them holds all of it, even if no single permission does.
 * Source: etcd's server/auth/range_perm_cache.go.
 */
export class RangePermissions {
  readonly #read: readonly Interval[];
  readonly #write: readonly Interval[];

  constructor(permissions: readonly KeyPermission[]) {
    this.#read = merged(permissions.filter(({ type }) => type === READ || type === READ_WRITE));
    this.#write = merged(permissions.filter(({ type }) => type === WRITE || type === READ_WRITE));
  }

  /** `end` as a request's: ONE_KEY, TO_THE_LAST_KEY or the first key that is not in the range any more. */
  mayRead(key: Key, end: Key): boolean {
    return holds(this.#read, key, end);
  }

  mayWrite(key: Key, end: Key): boolean {
    return holds(this.#write, key, end);
  }
}

interface Interval {
  readonly begin: Key;
  /** The first that is not in it; undefined: there is none. */
  readonly end: Key | undefined;
}

function merged(permissions: readonly KeyPermission[]): Interval[] {
  const sorted = permissions.map(({ key, end }) => ({ begin: key, end: endOf(key, end) }));
  sorted.sort((a, b) => (a.begin < b.begin ? -1 : a.begin > b.begin ? 1 : 0));
  const all: Interval[] = [];
  for (const next of sorted) {
    const last = all.at(-1);
    if (last === undefined || (last.end !== undefined && last.end < next.begin)) all.push(next);
    else all[all.length - 1] = { begin: last.begin, end: later(last.end, next.end) };
  }
  return all;
}

function holds(intervals: readonly Interval[], key: Key, end: Key): boolean {
  const found = intervals[lastBegunBy(intervals, key)];
  if (found === undefined || (found.end !== undefined && key >= found.end)) return false;
  if (end === ONE_KEY || found.end === undefined) return true;
  return end !== TO_THE_LAST_KEY && end <= found.end;
}

/** The last interval that begins at the key or before it; -1: none. */
function lastBegunBy(intervals: readonly Interval[], key: Key): number {
  let low = 0;
  let high = intervals.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const interval = intervals[middle];
    if (interval !== undefined && interval.begin <= key) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function endOf(key: Key, end: Key): Key | undefined {
  if (end === ONE_KEY) return `${key}\0`;
  return end === TO_THE_LAST_KEY ? undefined : end;
}

function later(a: Key | undefined, b: Key | undefined): Key | undefined {
  if (a === undefined || b === undefined) return undefined;
  return a > b ? a : b;
}
