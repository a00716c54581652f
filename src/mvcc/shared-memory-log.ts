import type { CommitTold } from './commit-told.ts';
import { type DutyClaim, type DutyRecord, MemoryDutyFence, type WantedDuty } from './duty-fence.ts';
import { LEASE_PARTS, leasePartOf } from './duty-names.ts';
import {
  type AppendBatch,
  type AppendResult,
  cursorAfter,
  type DatabaseHealth,
  type LogState,
  type News,
  type SharedLog,
} from './log.ts';
import { type MemoryFaults, MemoryLog, MemoryStore } from './memory-log.ts';
import {
  type Change,
  type CommitId,
  type Cursor,
  type LeaseId,
  type Note,
  type Revision,
  sameCursor,
} from './types.ts';

/** A database in memory that several SharedMemoryLogs, each with a Store of its own, write to. */
export class SharedMemoryStore extends MemoryStore {
  readonly deadlinesMs = new Map<LeaseId, number>();
  readonly fence: MemoryDutyFence;
  readonly listeners = new Set<(commit?: CommitTold) => void>();
  /** By the commit that each wants to be: those that the database has begun. */
  readonly appendsUnderWay = new Map<CommitId, Promise<unknown>>();
  fences = 0;
  /** The database's clock, in milliseconds. */
  readonly nowMs: () => number;

  constructor(nowMs: () => number) {
    super();
    this.nowMs = nowMs;
    this.fence = new MemoryDutyFence({ monotonicMs: nowMs });
  }

  /** Forgets the newest commits, as a primary does whose standby takes over without them. */
  loseCommits(count: number): void {
    this.commits.splice(Math.max(1, this.commits.length - count));
    const { revision, notes } = this.cursor;
    this.rows = this.rows.filter((row) => row.revision <= revision);
    this.notes.length = notes;
    this.records.clear();
    for (const { change } of this.notes) {
      if (change.kind !== 'record') continue;
      if (change.value === undefined) this.records.delete(change.name);
      else this.records.set(change.name, change.value);
    }
  }
}

/** The model of a shared log: the simplest one that keeps the contract. */
export class SharedMemoryLog extends MemoryLog implements SharedLog {
  protected override readonly store: SharedMemoryStore;
  #onHint: ((commit?: CommitTold) => void) | undefined;

  constructor(store: SharedMemoryStore, faults: MemoryFaults = {}) {
    super(store, faults);
    this.store = store;
  }

  override async open(): Promise<LogState> {
    return { ...(await super.open()), cursor: this.store.cursor };
  }

  override append(batch: AppendBatch): Promise<AppendResult> {
    const { appendsUnderWay } = this.store;
    const expected = appendsUnderWay.get(batch.expected.commit);
    const appending =
      expected === undefined ? super.append(batch) : expected.catch(() => {}).then(() => super.append(batch));
    appendsUnderWay.set(batch.commit, appending);
    const end = () => void appendsUnderWay.delete(batch.commit);
    appending.then(end, end);
    return appending;
  }

  protected override isExpected(expected: Cursor, cursor: Cursor): boolean {
    return sameCursor(expected, cursor);
  }

  protected override appendNow(batch: AppendBatch, changes: readonly Change[]): AppendResult {
    const { store } = this;
    if (!this.isExpected(batch.expected, store.cursor)) return { kind: 'moved' };
    const renewed = batch.notes.flatMap(({ change }) =>
      change.kind === 'expire' && !this.#isOver(change.id) ? [change.id] : [],
    );
    if (renewed.length > 0) return { kind: 'renewed', leases: renewed };
    const result = super.appendNow(batch, changes);
    for (const { change } of batch.notes) this.#noteDeadline(change);
    const told: CommitTold = { upon: batch.expected.commit, cursor: cursorAfter(batch) };
    for (const listener of store.listeners) queueMicrotask(() => listener(told));
    return result;
  }

  news(since: Cursor, bytesMax: number): Promise<News> {
    return this.read((): News => {
      const { commits, rows, notes, horizon, swept, alarms } = this.store;
      const at = commits.findIndex((cursor) => sameCursor(cursor, since));
      if (at < 0) return { kind: 'foreign' };
      const behind = swept > since.revision && commits.length > at + 1;
      if (behind) return { kind: 'behind' };
      let until = at;
      for (let bytes = 0; until < commits.length - 1 && bytes < bytesMax; until += 1) {
        const [from, to] = [commits[until], commits[until + 1]];
        for (const { revision, key, value } of rows) {
          if (revision > (from?.revision ?? 0) && revision <= (to?.revision ?? 0)) bytes += key.length + value.length;
        }
      }
      const cursor = commits[until] ?? since;
      return {
        kind: 'news',
        cursor,
        changes: rows.filter(({ revision }) => revision > since.revision && revision <= cursor.revision),
        notes: notes.slice(since.notes, cursor.notes),
        more: until < commits.length - 1,
        horizon,
        swept,
        alarms: [...alarms].sort(),
      };
    });
  }

  listen(onHint: (commit?: CommitTold) => void): boolean {
    this.#onHint = onHint;
    this.store.listeners.add(onHint);
    return true;
  }

  override async close(): Promise<void> {
    if (this.#onHint !== undefined) this.store.listeners.delete(this.#onHint);
    await super.close();
  }

  announce(commit: CommitId, leapTo: Revision = 0): Promise<void> {
    return this.read(() => {
      const { store } = this;
      this.appendNow({ expected: store.cursor, commit, changes: [], notes: [] }, []);
      if (leapTo <= store.cursor.revision) return;
      store.commits[store.commits.length - 1] = { ...store.cursor, revision: leapTo };
      store.horizon = leapTo;
    });
  }

  settle(batch: AppendBatch): Promise<boolean> {
    return this.inOrder(() => {
      const { store } = this;
      // The fence: a commit of nothing, so that what was expected before is so no more. If it is not so anyway, the
      // others are left in peace.
      if (sameCursor(batch.expected, store.cursor)) {
        store.fences += 1;
        store.commits.push({ ...store.cursor, commit: -store.fences });
      }
      return store.commits.some(({ commit }) => commit === batch.commit);
    });
  }

  renewLeases(ids: readonly LeaseId[]): Promise<ReadonlySet<LeaseId>> {
    return this.inOrder(() => {
      const renewed = ids.filter((id) => this.store.leases.has(id) && !this.#isOver(id));
      for (const id of renewed) this.#setDeadline(id, this.store.leases.get(id)?.ttl ?? 0);
      return new Set(renewed);
    });
  }

  leasesLeftMs(ids: readonly LeaseId[]): Promise<ReadonlyMap<LeaseId, number>> {
    return this.read(() => {
      const left = new Map<LeaseId, number>();
      for (const id of ids) {
        const deadlineMs = this.store.deadlinesMs.get(id);
        if (deadlineMs !== undefined) left.set(id, deadlineMs - this.store.nowMs());
      }
      return left;
    });
  }

  expiredLeases(countMax: number, parts: readonly number[] = LEASE_PARTS): Promise<readonly LeaseId[]> {
    return this.read(() =>
      [...this.store.deadlinesMs]
        .filter(([id]) => this.#isOver(id) && parts.includes(leasePartOf(id)))
        .sort(([, a], [, b]) => a - b)
        .slice(0, countMax)
        .map(([id]) => id),
    );
  }

  refreshLeases(parts: readonly number[]): Promise<void> {
    return this.inOrder(() => {
      for (const { id, ttl } of this.store.leases.values()) {
        if (parts.includes(leasePartOf(id))) this.#setDeadline(id, ttl);
      }
    });
  }

  claimDuties(wanted: readonly WantedDuty[], holder: string): Promise<readonly DutyClaim[]> {
    return this.inOrder(() => this.store.fence.claimDuties(wanted, holder));
  }

  readDuties(): Promise<readonly DutyRecord[]> {
    return this.inOrder(() => this.store.fence.readDuties());
  }

  async health(): Promise<DatabaseHealth> {
    return {
      server: 'memory',
      problem: undefined,
      warnings: [],
      latencyMs: 0,
      connections: { open: 0, idle: 0, max: 0, waiting: 0 },
      clockDifferenceMs: 0,
      replicationLagBytes: undefined,
    };
  }

  #isOver(id: LeaseId): boolean {
    const deadlineMs = this.store.deadlinesMs.get(id);
    return deadlineMs !== undefined && deadlineMs <= this.store.nowMs();
  }

  #noteDeadline(change: Note['change']): void {
    if (change.kind === 'grant') this.#setDeadline(change.id, change.ttl);
    else if (change.kind === 'revoke' || change.kind === 'expire') this.store.deadlinesMs.delete(change.id);
  }

  #setDeadline(id: LeaseId, ttlSeconds: number): void {
    this.store.deadlinesMs.set(id, this.store.nowMs() + ttlSeconds * 1000);
  }
}
