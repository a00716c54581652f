import type { Change, Key, LeaseRecord, Revision } from '../../mvcc/types.ts';

/*
 * kine's table, row by row. A row is a revision: its id. What kine keeps otherwise than etcd:
 *
 *   name 'compact_rev_key'             not a key: prev_revision is the compaction horizon
 *   name 'compact_rev_key_apiserver'   the API server's key 'compact_rev_key'; its value is "version|value"
 *   name 'gap-<id>'                    fills a revision that a failed insert has burnt: nothing happened there
 *   created = 1                        create_revision is the id itself
 *   lease                              not an id but the TTL in seconds, of each key by itself
 *   no version                         counted here; where compaction took the beginning, what is sure: 1, or at least 2
 *   MySQL                              'A' and 'a' are one name: a row may supersede one that is spelt otherwise
 *
 * Source: k3s-io/kine pkg/drivers/generic/generic.go, pkg/logstructured, pkg/server/compact.go, lease.go.
 */

/** One row as the database has it. Names are byte strings as keys are. */
export interface KineRow {
  readonly id: number;
  readonly name: Key;
  readonly created: boolean;
  readonly deleted: boolean;
  readonly createRevision: number;
  readonly prevRevision: number;
  readonly leaseSeconds: number;
  /** undefined in a pass that does without. */
  readonly value: Uint8Array | undefined;
}

export const COMPACT_NAME = 'compact_rev_key';
const API_SERVER_NAME = 'compact_rev_key_apiserver';
const NO_VALUE: Uint8Array = new Uint8Array(0);

/** What a whole pass has met. */
export interface KineFindings {
  readonly gaps: number;
  /** Keys that another spelling superseded. */
  readonly otherSpellings: number;
  /** Rows whose create revision could not be. */
  readonly mended: number;
  readonly leases: readonly LeaseRecord[];
}

/** Turns rows in the order of their ids into changes. One for each pass: both give the same changes. */
export class KineRows {
  readonly #foldsCase: boolean;
  /** Each key that lives: its newest row. */
  readonly #live = new Map<Key, LiveKey>();
  /** Lower case → the spelling that lives. Only where the database takes both for one. */
  readonly #spellings = new Map<Key, Key>();
  readonly #ttls = new Set<number>();
  #gaps = 0;
  #otherSpellings = 0;
  #mended = 0;

  constructor(foldsCase: boolean) {
    this.#foldsCase = foldsCase;
  }

  get findings(): KineFindings {
    const leases = [...this.#ttls].sort((a, b) => a - b).map((ttl) => ({ id: BigInt(ttl), ttl, remainingTtl: ttl }));
    return { gaps: this.#gaps, otherSpellings: this.#otherSpellings, mended: this.#mended, leases };
  }

  /** The changes of a row: none for what is no key, two where it supersedes another spelling. */
  changes(row: KineRow): readonly Change[] {
    if (row.name === COMPACT_NAME) return [];
    if (row.name === `gap-${row.id}`) {
      this.#gaps += 1;
      return [];
    }
    const changes: Change[] = [];
    const other = this.#supersededSpelling(row);
    if (other !== undefined) {
      this.#otherSpellings += 1;
      changes.push(this.#remove(other, row.id, 0));
      if (row.deleted) return changes;
    }
    changes.push(row.deleted ? this.#remove(keyOf(row.name), row.id, 0) : this.#put(row, changes.length));
    return changes;
  }

  /** Which spelling lives that this row means although it is another. */
  #supersededSpelling({ name, prevRevision }: KineRow): Key | undefined {
    if (!this.#foldsCase) return undefined;
    const spelling = this.#spellings.get(lowerCase(keyOf(name)));
    if (spelling === undefined || spelling === keyOf(name)) return undefined;
    return this.#live.get(spelling)?.revision === prevRevision ? spelling : undefined;
  }

  #remove(key: Key, revision: Revision, sub: number): Change {
    this.#live.delete(key);
    this.#spellings.delete(lowerCase(key));
    return { kind: 'delete', key, revision, sub, createRevision: 0, version: 0, lease: 0n, value: NO_VALUE };
  }

  #put(row: KineRow, sub: number): Change {
    const key = keyOf(row.name);
    const before = this.#live.get(key);
    const createRevision = this.#createRevision(row, before);
    const version = before?.createRevision === createRevision ? before.version + 1 : row.created ? 1 : 2;
    const put = row.name === API_SERVER_NAME ? decoded(row.value, version) : { version, value: row.value ?? NO_VALUE };
    this.#live.set(key, { revision: row.id, createRevision, version: put.version });
    if (this.#foldsCase) this.#spellings.set(lowerCase(key), key);
    const isLeased = Number.isSafeInteger(row.leaseSeconds) && row.leaseSeconds > 0;
    if (isLeased) this.#ttls.add(row.leaseSeconds);
    const lease = isLeased ? BigInt(row.leaseSeconds) : 0n;
    return { kind: 'put', key, revision: row.id, sub, createRevision, version: put.version, lease, value: put.value };
  }

  #createRevision(row: KineRow, before: LiveKey | undefined): Revision {
    if (row.created) return row.id;
    if (row.createRevision > 0 && row.createRevision <= row.id) return row.createRevision;
    this.#mended += 1;
    return before?.createRevision ?? row.id;
  }
}

interface LiveKey {
  readonly revision: Revision;
  readonly createRevision: Revision;
  readonly version: number;
}

function keyOf(name: Key): Key {
  return name === API_SERVER_NAME ? COMPACT_NAME : name;
}

/** As MySQL's ascii_general_ci does. */
function lowerCase(key: Key): Key {
  return key.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** "version|value"; older kines wrote the version alone. */
function decoded(bytes: Uint8Array | undefined, counted: number): { version: number; value: Uint8Array } {
  if (bytes === undefined) return { version: counted, value: NO_VALUE };
  const bar = bytes.indexOf(0x7c);
  const digits = Buffer.from(bytes.subarray(0, bar === -1 ? bytes.length : bar)).toString('latin1');
  const version = /^\d{1,15}$/.test(digits) ? Number(digits) : 0;
  return { version: Math.max(version, 1), value: bar === -1 ? ZERO : bytes.subarray(bar + 1) };
}

const ZERO = new Uint8Array([0x30]);
