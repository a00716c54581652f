import { Reader } from '../../src/base/protobuf.ts';
import type { AppliedBatch, AppliedListener, History } from '../../src/mvcc/applied.ts';
import { encodeChange } from '../../src/mvcc/key-value.ts';
import type { KeyValueBytes } from '../../src/mvcc/requests.ts';
import type { Change, Key, Revision } from '../../src/mvcc/types.ts';
import { NO_LEASE, ONE_KEY, TO_THE_LAST_KEY } from '../../src/mvcc/types.ts';

/** A transaction: what becomes of which keys. A key may come again. */
export type ModelTxn = readonly { readonly key: Key; readonly value: string | undefined }[];

const text = new TextEncoder();

/** A KeyValue message as a line that says everything, so that differences can be read. */
export function show(bytes: KeyValueBytes): string {
  const reader = new Reader(bytes);
  const fields = ['', '0', '0', '0', ''];
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    fields[(tag >>> 3) - 1] = (tag & 7) === 2 ? reader.latin1() : String(reader.int64());
  }
  const [key, createRevision, revision, version, value] = fields;
  return `${key} at ${revision}/${createRevision}/${version} ${value}`;
}

export function inRange(key: Key, from: Key, end: Key): boolean {
  if (end === ONE_KEY) return key === from;
  return key >= from && (end === TO_THE_LAST_KEY || key < end);
}

/** The whole history in an array: the naive model, and the History that a hub under test reads, at the test's pace. */
export class ModelHistory implements History {
  head: Revision = 1;
  horizon: Revision = 0;
  /** Every change ever. */
  readonly all: Change[] = [];
  /** Those that are not swept. */
  rows: Change[] = [];
  /** Whether previous values are in memory. */
  previousInMemory = true;
  readonly #newest = new Map<Key, Change>();
  readonly #replaced = new Map<Change, Change>();
  readonly #waiting: (() => void)[] = [];
  /** Answer reads at once, without `settle`. */
  prompt = false;

  /** Commits transactions as one applied batch. */
  commit(txns: readonly ModelTxn[], listener: AppliedListener): void {
    const changes: Change[] = [];
    for (const txn of txns) {
      let sub = 0;
      for (const { key, value } of txn) {
        const old = this.#newest.get(key);
        if (value === undefined && (old === undefined || old.kind === 'delete')) continue;
        const alive = old !== undefined && old.kind === 'put' ? old : undefined;
        const revision = this.head + 1;
        const change: Change = {
          kind: value === undefined ? 'delete' : 'put',
          key,
          revision,
          sub,
          createRevision: value === undefined ? 0 : (alive?.createRevision ?? revision),
          version: value === undefined ? 0 : (alive?.version ?? 0) + 1,
          lease: NO_LEASE,
          value: text.encode(value ?? ''),
        };
        sub += 1;
        const before = this.#newestBefore(key, revision, changes);
        const isMade = change.kind === 'put' && change.createRevision === revision;
        if (before?.kind === 'put' && !isMade) this.#replaced.set(change, before);
        this.#newest.set(key, change);
        changes.push(change);
      }
      if (sub > 0) this.head += 1;
    }
    this.all.push(...changes);
    this.rows.push(...changes);
    const scratch = new Uint8Array(4096);
    const wanted = listener.wantsPrevious;
    const lend = (change: Change | undefined): KeyValueBytes => {
      // As the store does: the bytes are good until the next call only.
      const bytes = change === undefined ? new Uint8Array() : encodeChange(change);
      if (bytes.length > scratch.length) return bytes;
      scratch.fill(0);
      scratch.set(bytes);
      return scratch.subarray(0, bytes.length);
    };
    const batch: AppliedBatch = {
      changes,
      head: this.head,
      kv: (i) => lend(changes[i]),
      previous: (i) => {
        if (!wanted) throw new Error('previous asked for though nobody wanted it');
        const change = changes[i];
        const replaced = change === undefined ? undefined : this.#replaced.get(change);
        if (replaced === undefined) return undefined;
        return this.previousInMemory ? lend(replaced) : 'elsewhere';
      },
    };
    listener.onApplied(batch);
  }

  /** Raises the horizon and sweeps at once. */
  compact(horizon: Revision, listener: AppliedListener): void {
    if (horizon <= this.horizon || horizon > this.head) return;
    this.horizon = horizon;
    const newest = new Map<Key, Change>();
    for (const row of this.rows) if (row.revision <= horizon) newest.set(row.key, row);
    this.rows = this.rows.filter((row) => row.revision > horizon || newest.get(row.key) === row);
    listener.onCompacted(horizon);
  }

  async changes(after: Revision, bytesMax: number): Promise<readonly Change[]> {
    await this.#turn();
    const found: Change[] = [];
    let bytes = 0;
    for (const row of this.rows) {
      if (row.revision <= after) continue;
      if (bytes >= bytesMax && row.revision !== found.at(-1)?.revision) break;
      found.push(row);
      bytes += row.key.length + row.value.length;
    }
    await this.#turn();
    return found;
  }

  async previous(of: readonly Pick<Change, 'key' | 'revision'>[]): Promise<readonly (KeyValueBytes | undefined)[]> {
    await this.#turn();
    return of.map(({ key, revision }) => {
      const before = this.#newestBefore(key, revision, []);
      return before?.kind === 'put' ? encodeChange(before) : undefined;
    });
  }

  #newestBefore(key: Key, revision: Revision, more: readonly Change[]): Change | undefined {
    return [...this.all, ...more].findLast((change) => change.key === key && change.revision < revision);
  }

  /** Lets one step of one read go on. False: nothing waits. */
  settle(which = 0): boolean {
    const [go] = this.#waiting.splice(which % Math.max(this.#waiting.length, 1), 1);
    go?.();
    return go !== undefined;
  }

  previousOf(change: Change): Change | undefined {
    return this.#replaced.get(change);
  }

  #turn(): Promise<void> {
    if (this.prompt) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/** Until microtasks are done. */
export function quiet(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
