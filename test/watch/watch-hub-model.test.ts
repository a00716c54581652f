import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeChange } from '../../src/mvcc/key-value.ts';
import type { Change, Revision } from '../../src/mvcc/types.ts';
import type { Watcher, WatchRequest } from '../../src/mvcc/watch.ts';
import { WatchHub } from '../../src/mvcc/watch-hub.ts';
import { inRange, ModelHistory, type ModelTxn, quiet } from './model-history.ts';
import { line, RecordingSink } from './recording-sink.ts';

/** Everything that can happen to a hub, in any order; reads go on only when the story says so. */
type Step =
  | { readonly kind: 'commit'; readonly txns: readonly ModelTxn[] }
  | {
      readonly kind: 'watch';
      readonly request: Omit<WatchRequest, 'startRevision'>;
      readonly from: number;
      readonly sink: number;
    }
  | { readonly kind: 'room'; readonly sink: number; readonly room: number }
  | { readonly kind: 'cancel'; readonly watcher: number }
  | { readonly kind: 'compact'; readonly back: number }
  | { readonly kind: 'memory'; readonly previous: boolean }
  | { readonly kind: 'settle'; readonly which: number; readonly times: number };

const keys = ['', 'a', 'aa', 'b', 'b\0', 'c', 'd\xff', '\xff'] as const;
const key = fc.constantFrom(...keys.slice(1));
// Each key once: a compaction at a revision that changes one twice takes the first of its events, as etcd's does.
const txn: fc.Arbitrary<ModelTxn> = fc.uniqueArray(
  fc.record({
    key,
    value: fc.option(fc.string({ unit: fc.constantFrom('x', 'y', 'z'), maxLength: 8 }), { nil: undefined, freq: 3 }),
  }),
  { minLength: 1, maxLength: 3, selector: (change) => change.key },
);
const range = fc.oneof(
  fc.record({ key, end: fc.constant('') }),
  fc.record({ key, end: fc.constant('\0') }),
  fc.record({ key: fc.constantFrom(...keys), end: key }).filter((r) => r.key < r.end),
);
const options = fc.record({ prevKv: fc.boolean(), noPut: fc.boolean(), noDelete: fc.boolean() });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('commit' as const), txns: fc.array(txn, { maxLength: 4 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('watch' as const),
      request: fc.tuple(range, options).map(([r, o]) => ({ ...r, ...o })),
      from: fc.integer({ min: -6, max: 6 }),
      sink: fc.integer({ min: 0, max: 2 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('room' as const),
      sink: fc.integer({ min: 0, max: 2 }),
      room: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), watcher: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('compact' as const), back: fc.nat(8) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('memory' as const), previous: fc.boolean() }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('settle' as const),
      which: fc.nat(3),
      times: fc.integer({ min: 1, max: 4 }),
    }),
  },
);

interface Watched {
  readonly watcher: Watcher;
  readonly sink: RecordingSink;
  readonly start: Revision;
  cancelled: boolean;
}

class Story {
  readonly history = new ModelHistory();
  readonly hub: WatchHub;
  readonly sinks = [new RecordingSink(), new RecordingSink(), new RecordingSink()];
  readonly watched: Watched[] = [];
  readonly #lines = new Map<Change, string>();

  constructor(readBytesMax: number, pendingBytesMax: number, joinRevisions: number) {
    const batchBytesMax = 60;
    this.hub = new WatchHub(this.history, {
      readBytesMax,
      readsMax: 2,
      pendingBytesMax,
      joinRevisions,
      batchBytesMax,
    });
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const one of steps) {
      await this.#step(one);
      this.#check();
    }
    this.history.prompt = true;
    while (this.history.settle());
    for (const sink of this.sinks) sink.room = Number.POSITIVE_INFINITY;
    for (const { watcher } of this.watched) watcher.resume();
    await quiet();
    this.#check();
    for (const one of this.watched) {
      if (one.cancelled || one.sink.compacted.has(one.watcher)) continue;
      expect(one.sink.of(one.watcher)).toEqual(this.#expected(one, this.history.head));
      expect(one.watcher.synced).toBe(one.watcher.request.startRevision <= this.history.head);
    }
    expect(this.hub.stats.pendingEvents.value).toBe(0);
    expect(this.hub.stats.slowWatchers.value).toBe(0);
    await this.hub.stop();
    expect(this.hub.stats.watchers.value).toBe(0);
  }

  async #step(one: Step): Promise<void> {
    const { history, hub } = this;
    if (one.kind === 'commit') {
      history.commit(one.txns, hub);
    } else if (one.kind === 'watch') {
      const sink = this.sinks[one.sink] ?? new RecordingSink();
      const startRevision = one.from === 0 ? 0 : Math.max(1, history.head + one.from);
      const watcher = hub.watch({ ...one.request, startRevision }, sink);
      const start = startRevision === 0 ? history.head + 1 : startRevision;
      this.watched.push({ watcher, sink, start, cancelled: false });
    } else if (one.kind === 'room') {
      const sink = this.sinks[one.sink];
      if (sink !== undefined) sink.room = one.room;
      this.watched.find((other) => other.sink === sink)?.watcher.resume();
    } else if (one.kind === 'cancel') {
      const target = this.watched[one.watcher];
      if (target === undefined) return;
      target.watcher.cancel();
      target.cancelled = true;
    } else if (one.kind === 'compact') {
      history.compact(history.head - one.back, hub);
    } else if (one.kind === 'memory') {
      history.previousInMemory = one.previous;
    } else {
      for (let i = 0; i < one.times; i += 1) {
        await quiet();
        history.settle(one.which);
      }
      await quiet();
    }
  }

  /** What holds at every moment. */
  #check(): void {
    for (const one of this.watched) {
      const lines = one.sink.of(one.watcher);
      const whole = this.#expected(one, this.history.head);
      expect(lines).toEqual(whole.slice(0, lines.length));
      const headers = one.sink.headers.get(one.watcher) ?? [];
      expect(headers).toEqual([...headers].sort((a, b) => a - b));
      expect(one.sink.errors.size).toBe(0);
      const compacted = one.sink.compacted.get(one.watcher);
      // It is told the horizon only when the horizon has passed what it needs next.
      if (compacted !== undefined) expect(one.watcher.deliveredRevision + 1).toBeLessThan(compacted);
      if (one.cancelled || compacted !== undefined) continue;
      // Progress never overtakes an event.
      const due = this.#expected(one, one.watcher.deliveredRevision).length;
      expect(lines.length).toBeGreaterThanOrEqual(due);
      expect(headers.at(-1) ?? 0).toBeLessThanOrEqual(one.watcher.deliveredRevision);
    }
  }

  #line(change: Change, previous: Change | undefined): string {
    const known =
      this.#lines.get(change) ?? line(change.kind, encodeChange(change), previous && encodeChange(previous));
    this.#lines.set(change, known);
    return known;
  }

  #expected({ watcher, start }: Watched, until: Revision): string[] {
    const { key: from, end, noPut, noDelete, prevKv } = watcher.request;
    const lines: string[] = [];
    for (const change of this.history.all) {
      if (change.revision < start || change.revision > until || !inRange(change.key, from, end)) continue;
      if (change.kind === 'put' ? noPut : noDelete) continue;
      const whole = this.#line(change, this.history.previousOf(change));
      lines.push(prevKv ? whole : whole.replace(/ was .*/, ''));
    }
    return lines;
  }
}

test('whatever happens, every watcher gets every event once and in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 60, size: 'max' }),
      fc.constantFrom(1, 40, 4000),
      fc.constantFrom(0, 100, 4000),
      fc.constantFrom(0, 3, 100),
      (steps, readBytesMax, pendingBytesMax, joinRevisions) =>
        new Story(readBytesMax, pendingBytesMax, joinRevisions).run(steps),
    ),
    { numRuns: 120 },
  );
});
