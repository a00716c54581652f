/** What the generator reads of the answers. All functions throw on an answer that does not say what it must. */
import { FieldReader } from './protobuf.ts';

const outer = new FieldReader();
const inner = new FieldReader();
const innermost = new FieldReader();

/** `header.revision`; every answer's field 1 is its header. */
export function headerRevision(bytes: Buffer, from: number, to: number): number {
  outer.over(bytes, from, to);
  while (outer.next()) {
    if (outer.field !== 1) continue;
    inner.over(bytes, outer.from, outer.to);
    while (inner.next()) if (inner.field === 3) return inner.value;
  }
  throw new Error('an answer without a revision in its header');
}

/** TxnResponse.succeeded. */
export function txnSucceeded(bytes: Buffer, from: number, to: number): boolean {
  outer.over(bytes, from, to);
  while (outer.next()) if (outer.field === 2) return outer.value === 1;
  return false;
}

/** A page of a RangeResponse. */
export interface Page {
  keys: number;
  more: boolean;
  /** Where in the bytes the last key begins. */
  lastKeyAt: number;
}

/** Reads a RangeResponse's extent into `page`. */
export function readPage(bytes: Buffer, from: number, to: number, page: Page): void {
  page.keys = 0;
  page.more = false;
  let lastFrom = 0;
  let lastTo = 0;
  outer.over(bytes, from, to);
  while (outer.next()) {
    if (outer.field === 3) page.more = outer.value === 1;
    if (outer.field !== 2) continue;
    page.keys++;
    lastFrom = outer.from;
    lastTo = outer.to;
  }
  inner.over(bytes, lastFrom, lastTo);
  page.lastKeyAt = inner.next() && inner.field === 1 ? inner.from : 0;
}

/** WatchResponse.created. */
export function watchCreated(bytes: Buffer, from: number, to: number): boolean {
  outer.over(bytes, from, to);
  while (outer.next()) if (outer.field === 3) return outer.value === 1;
  return false;
}

/** One WatchResponse: calls `seen` with the place of each event's value. Throws when the watch was cancelled. */
export function readWatch(bytes: Buffer, from: number, to: number, seen: (valueAt: number) => void): void {
  outer.over(bytes, from, to);
  while (outer.next()) {
    if (outer.field === 4 && outer.value === 1) throw new Error('the watch was cancelled');
    if (outer.field === 11) seen(valueOfEvent(bytes, outer.from, outer.to));
  }
}

function valueOfEvent(bytes: Buffer, from: number, to: number): number {
  inner.over(bytes, from, to);
  while (inner.next()) {
    if (inner.field !== 2) continue;
    innermost.over(bytes, inner.from, inner.to);
    while (innermost.next()) if (innermost.field === 5) return innermost.from;
  }
  throw new Error('an event without a value');
}

/** LeaseKeepAliveResponse.TTL in seconds; 0 says the lease is gone. */
export function keepAliveTtlSeconds(bytes: Buffer, from: number, to: number): number {
  outer.over(bytes, from, to);
  while (outer.next()) if (outer.field === 3) return outer.value;
  return 0;
}
