import type { AppendBatch } from '../../src/mvcc/log.ts';
import type { Change, Revision } from '../../src/mvcc/types.ts';
import { bytesOf } from '../contract/changes.ts';
import { batchOf } from '../support/append-batch.ts';

/*
 * A history that two processes know without telling each other: the batch after a head follows from the head alone,
 * so whoever finds a store after a crash can tell whether each batch is there as a whole.
 */

/** A small hash: the same for the same number. */
function mix(number: number): number {
  let x = Math.imul(number ^ 0x9e3779b9, 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** The changes of one transaction. */
export function transactionAt(revision: Revision): Change[] {
  return Array.from({ length: 1 + (mix(revision) % 4) }, (_, sub) => ({
    revision,
    sub,
    kind: 'put',
    key: `key-${mix(revision + sub) % 1000}`,
    createRevision: revision,
    version: 1,
    lease: BigInt(revision % 3),
    value: bytesOf(`value of ${revision}.${sub} `.repeat(1 + (mix(revision * 7 + sub) % 200))),
  }));
}

/** The batch that follows on this head: 1 to 20 transactions, every fifth with a lease. */
export function batchAfter(head: Revision): AppendBatch {
  const changes: Change[] = [];
  for (let i = 1; i <= 1 + (mix(head * 31) % 20); i++) changes.push(...transactionAt(head + i));
  return batchOf(head, changes, head % 5 === 0 ? [{ kind: 'grant', id: BigInt(head), ttl: 60 }] : []);
}

/** The head after that batch. */
export function headAfter(head: Revision): Revision {
  return batchAfter(head).changes.at(-1)?.revision ?? head;
}
