import { invariant } from '../base/invariant.ts';
import type { AppendBatch, AppendResult, Log, LogSize, LogSnapshot, LogState } from './log.ts';
import { LogError } from './log.ts';
import {
  type AlarmKind,
  CHANGES_PER_TXN_MAX,
  type Change,
  type ChangeHead,
  type Cursor,
  FIRST_REVISION,
  type Key,
  type LeaseId,
  type LeaseRecord,
  type Note,
  type Position,
  type Revision,
} from './types.ts';

/** What a memory store holds. Outlives the MemoryLog, as a database does. */
export class MemoryStore {
  /** In log order. */
  rows: Change[] = [];
  readonly notes: Note[] = [];
  /** In order; the last one is where the log ends. */
  readonly commits: Cursor[] = [{ revision: FIRST_REVISION, notes: 0, commit: 0 }];
  horizon: Revision = 0;
  swept: Revision = 0;
  readonly leases = new Map<LeaseId, LeaseRecord>();
  readonly records = new Map<Key, Uint8Array>();
  readonly alarms = new Set<AlarmKind>();
  readonly clusterId: bigint;
  readonly memberId: bigint;

  /** Ids are not random here, so that histories repeat. */
  constructor(clusterId = 1n, memberId = 2n) {
    this.clusterId = clusterId;
    this.memberId = memberId;
  }

  get cursor(): Cursor {
    const cursor = this.commits.at(-1);
    invariant(cursor !== undefined, 'a store has a first commit');
    return cursor;
  }

  get head(): Revision {
    return this.cursor.revision;
  }
}

/** Faults for tests. Each hook runs before the call does anything; what it throws or rejects with is the call's fate. */
export interface MemoryFaults {
  beforeAppend?: (batch: AppendBatch) => void | Promise<void>;
  beforeRead?: () => void | Promise<void>;
}

/** The model: the simplest Log that keeps the contract. Nothing survives the process. */
export class MemoryLog implements Log {
  protected readonly store: MemoryStore;
  readonly #faults: MemoryFaults;
  #open = false;
  /** Calls run one after the other, in the order in which they came. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(store = new MemoryStore(), faults: MemoryFaults = {}) {
    this.store = store;
    this.#faults = faults;
  }

  async open(): Promise<LogState> {
    this.#open = true;
    const { head, horizon, leases, records, alarms, clusterId, memberId, rows } = this.store;
    return {
      cursor: { revision: head, notes: 0, commit: 0 },
      horizon,
      leases: [...leases.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
      records: [...records].map(([name, value]) => ({ name, value })).sort((a, b) => (a.name < b.name ? -1 : 1)),
      alarms: [...alarms].sort(),
      clusterId,
      memberId,
      rows: rows.length,
    };
  }

  async load(visit: (rows: readonly ChangeHead[]) => void | Promise<void>): Promise<void> {
    this.#check();
    if (this.store.rows.length > 0) await visit(this.store.rows.map(headOf));
  }

  append(batch: AppendBatch): Promise<AppendResult> {
    const changes = batch.changes.map(copyOf);
    return this.inOrder(async () => {
      await this.#faults.beforeAppend?.(batch);
      return this.appendNow(batch, changes);
    });
  }

  /** As one step. */
  protected appendNow(batch: AppendBatch, changes: readonly Change[]): AppendResult {
    const { store } = this;
    const { cursor } = store;
    if (!this.isExpected(batch.expected, cursor)) return { kind: 'moved' };
    const revision = checkOrder(cursor.revision, changes);
    for (const change of changes) store.rows.push(change);
    for (const note of batch.notes) this.#applyNote(note);
    store.commits.push({ revision, notes: store.notes.length, commit: batch.commit });
    return { kind: 'committed' };
  }

  /** Nobody else writes: the revision says it all. */
  protected isExpected(expected: Cursor, cursor: Cursor): boolean {
    return expected.revision === cursor.revision;
  }

  head(): Promise<Revision> {
    return this.read(() => this.store.head);
  }

  changes(after: Revision, bytesMax: number): Promise<readonly Change[]> {
    return this.read(() => {
      const out: Change[] = [];
      let bytes = 0;
      for (const row of this.store.rows) {
        if (row.revision <= after) continue;
        if (out.length > 0 && bytes >= bytesMax && row.revision !== out.at(-1)?.revision) break;
        out.push(row);
        bytes += row.key.length + row.value.length;
      }
      return out;
    });
  }

  rows(at: readonly Position[]): Promise<readonly (Change | undefined)[]> {
    return this.read(() => at.map((position) => this.store.rows.find((row) => samePlace(row, position))));
  }

  compact(horizon: Revision): Promise<void> {
    return this.inOrder(() => {
      this.store.horizon = Math.max(this.store.horizon, horizon);
    });
  }

  sweep(positions: readonly Position[], sweptTo: Revision = 0): Promise<void> {
    return this.inOrder(() => {
      const gone = new Set(positions.map(({ revision, sub }) => `${revision}.${sub}`));
      this.store.rows = this.store.rows.filter(({ revision, sub }) => !gone.has(`${revision}.${sub}`));
      this.store.swept = Math.max(this.store.swept, sweptTo);
    });
  }

  vacuum(_bytes: number): Promise<number> {
    return this.inOrder(() => 0);
  }

  defragment(): Promise<void> {
    return this.inOrder(() => undefined);
  }

  alarm(kind: AlarmKind, raised: boolean): Promise<void> {
    return this.inOrder(() => {
      if (raised) this.store.alarms.add(kind);
      else this.store.alarms.delete(kind);
    });
  }

  size(): Promise<LogSize> {
    return this.read(() => {
      const bytes = this.store.rows.reduce((sum, row) => sum + row.key.length + row.value.length, 0);
      return { totalBytes: bytes, inUseBytes: bytes };
    });
  }

  /** A line of JSON per row: enough to be told from another copy. There is no restore. */
  snapshot(): Promise<LogSnapshot> {
    return this.read(() => {
      const lines = this.store.rows.map((row) => {
        const value = Array.from(row.value);
        return `${JSON.stringify({ ...row, lease: String(row.lease), value })}\n`;
      });
      const bytes = new TextEncoder().encode(lines.join(''));
      return { bytes: bytes.length, chunks: chunksOf(bytes) };
    });
  }

  async close(): Promise<void> {
    this.#open = false;
    await this.#last;
  }

  protected read<T>(task: () => T): Promise<T> {
    return this.inOrder(async () => {
      await this.#faults.beforeRead?.();
      return task();
    });
  }

  protected inOrder<T>(task: () => T | Promise<T>): Promise<T> {
    if (!this.#open) return Promise.reject(new LogError('closed', 'the memory log is closed'));
    const result = this.#last.then(task);
    this.#last = result.catch(() => {});
    return result;
  }

  #applyNote(note: Note): void {
    const { leases, records, notes } = this.store;
    const { change } = note;
    notes.push(note);
    switch (change.kind) {
      case 'grant':
        leases.set(change.id, { id: change.id, ttl: change.ttl, remainingTtl: change.ttl });
        break;
      case 'revoke':
      case 'expire':
        leases.delete(change.id);
        break;
      case 'checkpoint': {
        const lease = leases.get(change.id);
        if (lease !== undefined) leases.set(change.id, { ...lease, remainingTtl: change.remainingTtl });
        break;
      }
      case 'record':
        if (change.value === undefined) records.delete(change.name);
        else records.set(change.name, change.value.slice());
        break;
    }
  }

  #check(): void {
    if (!this.#open) throw new LogError('closed', 'the memory log is closed');
  }
}

/** Promise 2 of the contract is the caller's duty; the model insists on it. Answers the new head. */
function checkOrder(head: Revision, changes: readonly Change[]): Revision {
  let revision = head;
  let sub = CHANGES_PER_TXN_MAX;
  for (const change of changes) {
    const next = change.revision === revision + 1 && change.sub === 0;
    invariant(next || (change.revision === revision && change.sub === sub + 1), 'append: a gap in the log');
    revision = change.revision;
    sub = change.sub;
  }
  return revision;
}

function samePlace(a: Position, b: Position): boolean {
  return a.revision === b.revision && a.sub === b.sub;
}

function copyOf(change: Change): Change {
  return { ...change, value: change.value.slice() };
}

function headOf({ value, ...head }: Change): ChangeHead {
  return { ...head, valueBytes: value.length };
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  const size = 65_536;
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
