import type { Change, Key, LeaseRecord, Position, Revision, StoredRecord } from '../mvcc/types.ts';

/*
 * Where a store can come from. Whatever it is, it is read twice: once without caring for values, to learn which rows
 * are still of use, and once to take those over. Both passes show the same rows in the same order, the log's.
 *
 *     open ─▶ survey ─▶ changes ─▶ close
 */

/** A row as the first pass sees it. */
export interface RowHead extends Position {
  readonly kind: 'put' | 'delete';
  readonly key: Key;
}

/** What the first pass leaves one with. */
export interface Survey {
  /** The newest revision; it may be one that has no row any more. */
  readonly head: Revision;
  readonly leases: readonly LeaseRecord[];
  /** Users, roles, members of a kedge. */
  readonly records: readonly StoredRecord[];
  /** What a person has to know: what is not carried over, what was mended. A sentence each. */
  readonly remarks: readonly string[];
}

export interface Source {
  /** For people: a path or an address, without secrets. */
  readonly name: string;
  /** First call. Rejects with a Failure or LogError that says what is wrong. */
  open(): Promise<SourceFacts>;
  /** The first pass. */
  survey(visit: (row: RowHead) => void): Promise<Survey>;
  /** The second pass, in chunks of bounded size. */
  changes(): AsyncIterable<readonly Change[]>;
  close(): Promise<void>;
}

export interface SourceFacts {
  /** In words: "etcd snapshot, 12MiB". */
  readonly description: string;
  /** What is below it is compacted; 0: nothing is. */
  readonly horizon: Revision;
  /** About how many rows there are; undefined when nobody knows. */
  readonly rows: number | undefined;
}

/** How much of changes is handed over at a time. */
export const CHUNK_ROWS_MAX = 2000;
export const CHUNK_BYTES_MAX = 4 * 2 ** 20;

/** Gathers changes into chunks. */
export class Chunk {
  #changes: Change[] = [];
  #bytes = 0;

  /** Whether it is time to take. */
  add(change: Change): boolean {
    this.#changes.push(change);
    this.#bytes += change.key.length + change.value.length;
    return this.#changes.length >= CHUNK_ROWS_MAX || this.#bytes >= CHUNK_BYTES_MAX;
  }

  take(): readonly Change[] {
    const changes = this.#changes;
    this.#changes = [];
    this.#bytes = 0;
    return changes;
  }
}
