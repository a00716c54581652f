import type { KeyVersion } from './key-history.ts';
import type { KeyView } from './key-index.ts';
import { valueIn } from './key-value.ts';
import { type KeyValueBytes, type RangeRequest, StoreError } from './requests.ts';
import type { Revision } from './types.ts';

/**
 * What a range selects, in etcd's order of steps: keys at the revision, revision filters, sorting, limit. The count
 * is that of the range, whatever limit and filters say. Source: etcd's server/etcdserver/txn/range.go.
 */

/** The versions that a range answers with; more than that when they are still to be sorted by value (`cut` does it). */
export interface Selection {
  readonly count: number;
  more: boolean;
  versions: KeyVersion[];
}

/** The revision to read at. Throws `future-revision` or `compacted`. */
export function revisionToRead(asked: Revision, head: Revision, horizon: Revision): Revision {
  if (asked > head) throw new StoreError('future-revision');
  const revision = asked <= 0 ? head : asked;
  if (revision < horizon) throw new StoreError('compacted');
  return revision;
}

export function select(view: KeyView, request: RangeRequest, revision: Revision): Selection {
  const { key, end } = request;
  const count = view.countIn(key, end, revision);
  if (request.countOnly) return { count, more: false, versions: [] };
  const limit = Math.max(request.limit, 0);
  const filtered = hasFilters(request);
  const sorted = request.target !== 'key' || request.order === 'descend';
  if (!filtered && !sorted) {
    return { count, more: limit > 0 && count > limit, versions: view.versionsIn(key, end, revision, limit) };
  }
  // Without an order etcd still sorts by other targets than the key, but only what the limit lets through, and one more.
  const fetched = limit > 0 && !filtered && request.order === 'none' ? limit + 1 : 0;
  let versions = view.versionsIn(key, end, revision, fetched);
  if (filtered) versions = versions.filter((version) => passes(version, request));
  const selection: Selection = { count, more: false, versions };
  if (sortsByValue(request)) return selection;
  if (sorted) versions.sort(comparator(request));
  cut(selection, request);
  return selection;
}

/** Whether the values of a selection are needed before it can be cut. */
export function sortsByValue(request: RangeRequest): boolean {
  return request.target === 'value' && !request.countOnly;
}

/** Sorts a selection by its values and cuts it. `messages[i]` belongs to `versions[i]`; answers the messages left. */
export function sortByValue(
  selection: Selection,
  messages: readonly KeyValueBytes[],
  request: RangeRequest,
): KeyValueBytes[] {
  const sign = request.order === 'descend' ? -1 : 1;
  const rows = selection.versions.map((version, i) => {
    const message = messages[i] ?? NO_BYTES;
    return { version, message, value: valueIn(message) };
  });
  rows.sort((a, b) => sign * compareBytes(a.value, b.value));
  selection.versions = rows.map((row) => row.version);
  cut(selection, request);
  return rows.slice(0, selection.versions.length).map((row) => row.message);
}

/** Byte order: below 0, 0 or above. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

const NO_BYTES = new Uint8Array(0);

function cut(selection: Selection, request: RangeRequest): void {
  if (request.limit <= 0 || selection.versions.length <= request.limit) return;
  selection.versions.length = request.limit;
  selection.more = true;
}

function hasFilters(request: RangeRequest): boolean {
  return (
    request.minModRevision !== 0 ||
    request.maxModRevision !== 0 ||
    request.minCreateRevision !== 0 ||
    request.maxCreateRevision !== 0
  );
}

function passes(version: KeyVersion, request: RangeRequest): boolean {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  if (maxModRevision !== 0 && version.revision > maxModRevision) return false;
  if (minModRevision !== 0 && version.revision < minModRevision) return false;
  if (maxCreateRevision !== 0 && version.createRevision > maxCreateRevision) return false;
  return minCreateRevision === 0 || version.createRevision >= minCreateRevision;
}

function comparator(request: RangeRequest): (a: KeyVersion, b: KeyVersion) => number {
  const sign = request.order === 'descend' ? -1 : 1;
  switch (request.target) {
    case 'version':
      return (a, b) => sign * (a.version - b.version);
    case 'create':
      return (a, b) => sign * (a.createRevision - b.createRevision);
    case 'mod':
      return (a, b) => sign * (a.revision - b.revision);
    default:
      return (a, b) => (a.key === b.key ? 0 : sign * (a.key < b.key ? -1 : 1));
  }
}
