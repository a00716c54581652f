import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { whenCommitted } from '../../src/log/shared/when-committed.ts';
import { encodedBytes, writeBatch } from '../../src/mvcc/batch-codec.ts';
import type { BatchesBelow } from '../../src/mvcc/batches-below.ts';
import type { CommitTold } from '../../src/mvcc/commit-told.ts';
import { type AppendBatch, type AppendResult, type ChangeMessages, LogError, type News } from '../../src/mvcc/log.ts';
import { MemoryLog, MemoryStore } from '../../src/mvcc/memory-log.ts';
import { ReadTxns } from '../../src/mvcc/read-txns.ts';
import type { RangeRequest, TxnOp } from '../../src/mvcc/requests.ts';
import { SharedMemoryLog, SharedMemoryStore } from '../../src/mvcc/shared-memory-log.ts';
import type { Store } from '../../src/mvcc/store.ts';
import type { Change, Cursor, Position } from '../../src/mvcc/types.ts';
import { seedOf } from '../support/random.ts';
import { decodeResult } from './decode.ts';
import { absolute, type Write, write } from './histories.ts';
import { Model, type ModelAnswer } from './model.ts';
import { openStore, outcome, rowsIn, submit, TINY_CACHE } from './replay.ts';

/*
 * Batches are decided on the drafts of others that are still on their way to a slow log, which now and then fails. Whatever
 * happens, the answers must be those of writes that were done one after the other, without those that failed.
 */

/** What becomes of an append, and how many turns of the event loop go by before, while and after it is done. */
interface Fate {
  readonly turns: number;
  readonly turnsThere: number;
  readonly turnsBack: number;
  readonly kind: 'done' | 'unavailable' | 'lost, not written' | 'lost, written' | 'lost, and comes later';
}

const fate: fc.Arbitrary<Fate> = fc.record({
  turns: fc.integer({ min: 0, max: 6 }),
  turnsThere: fc.constantFrom(0, 1, 4, 9),
  turnsBack: fc.constantFrom(0, 0, 1, 4),
  kind: fc.oneof(
    { weight: 4, arbitrary: fc.constant('done' as const) },
    fc.constantFrom('unavailable' as const, 'lost, not written' as const, 'lost, written' as const),
  ),
});
/** Of a shared log, which settles what it may still have in a buffer. */
const sharedFate: fc.Arbitrary<Fate> = fc.oneof(
  { weight: 6, arbitrary: fate },
  fate.map((one) => ({ ...one, kind: 'lost, and comes later' as const })),
);

/** A write, and how many turns of the event loop pass before the next one. */
const arrival = fc.record({
  write: write.filter((one) => one.kind !== 'txn' || !ReadTxns.accepts(one)).map((one) => absolute(one, 1000)),
  turns: fc.constantFrom(0, 0, 0, 1, 2, 5),
});
const arrivals = fc.array(arrival, { minLength: 5, maxLength: 40 });
const fates = fc.array(fate, { minLength: 1, maxLength: 30 });
const sharedFates = fc.array(sharedFate, { minLength: 1, maxLength: 30 });

/** What becomes of batches that one store sends to the other: how many turns each copy is on its way; none: it is lost. */
const ways = fc.array(fc.array(fc.constantFrom(0, 0, 0, 1, 3, 9), { maxLength: 2 }), { maxLength: 12 });

class SlowLog extends MemoryLog {
  readonly #fates: Fate[];

  constructor(rows: MemoryStore, fates: readonly Fate[]) {
    super(rows);
    this.#fates = [...fates];
  }

  override append(batch: AppendBatch): Promise<AppendResult> {
    // Notes alone leave no trace to settle by.
    return meet(this.#fates.shift(), batch.changes.length > 0, () => super.append(batch));
  }

  override async rows(at: readonly Position[]): Promise<readonly (Change | undefined)[]> {
    await pass(1 + (at.length % 4));
    return super.rows(at);
  }
}

/** As MariaDB, or as PostgreSQL, which lets nobody wait and tells of commits by itself. */
class SlowSharedLog extends SharedMemoryLog {
  readonly #awaits: boolean;
  readonly #fates: Fate[];
  early = 0;
  /** Of these, those that stood on more than one batch. */
  onSeveral = 0;

  constructor(rows: SharedMemoryStore, fates: readonly Fate[], awaits: boolean) {
    const turnsThere = fates.map((fate) => fate.turnsThere);
    super(rows, { beforeAppend: () => pass(turnsThere.shift() ?? 1) });
    this.#awaits = awaits;
    this.#fates = [...fates];
  }

  override async append(batch: AppendBatch, below?: BatchesBelow): Promise<AppendResult> {
    const send = () => meet(this.#fates.shift(), true, () => super.append(batch));
    const result = await whenCommitted(this.#awaits ? undefined : below, send);
    if (below === undefined || result.kind !== 'committed') return result;
    this.early += 1;
    if (below.batches.length > 1) this.onSeveral += 1;
    return result;
  }

  override listen(onHint: (commit?: CommitTold) => void): boolean {
    return this.#awaits ? false : super.listen(onHint);
  }

  override async news(since: Cursor, bytesMax: number): Promise<News> {
    await pass(since.revision % 3);
    return super.news(since, bytesMax);
  }
}

/** Over and over the same ways; none at all: nothing is sent. */
function sendAhead(
  batch: AppendBatch,
  ways: (readonly number[])[],
  to: () => readonly Store[],
): ChangeMessages | undefined {
  const way = ways.shift();
  if (way === undefined) return undefined;
  ways.push([...way]);
  const out = Buffer.allocUnsafe(encodedBytes(batch));
  const { end, messages } = writeBatch(out, 0, batch);
  const encoded = out.subarray(0, end);
  for (const turns of way) {
    void pass(turns).then(() => {
      for (const store of to()) store.follower?.takeAhead(Buffer.from(encoded));
    });
  }
  return messages;
}

/** Of what the log has answered: soon or late, in any order, as peers do; one in five is lost. */
function tell(commit: CommitTold, to: () => readonly Store[]): void {
  const { revision } = commit.cursor;
  if (revision % 5 === 0) return;
  void pass(revision % 7).then(() => {
    for (const store of to()) if (store.follower?.logTells === false) store.follower.told(commit);
  });
}

async function meet(
  fate: Fate | undefined,
  canSettle: boolean,
  append: () => Promise<AppendResult>,
): Promise<AppendResult> {
  const { turns, turnsBack, kind } = fate ?? { turns: 1, turnsBack: 0, kind: 'done' };
  await pass(turns);
  if (kind === 'unavailable') throw new LogError('unavailable', 'not now');
  if (kind === 'lost, not written') throw new LogError('ambiguous', 'the answer was lost');
  if (kind === 'lost, and comes later') {
    // Into a log that is closed, perhaps.
    void pass(turnsBack)
      .then(append)
      .catch(() => undefined);
    throw new LogError('ambiguous', 'the answer was lost');
  }
  const result = await append();
  await pass(turnsBack);
  if (kind === 'lost, written' && canSettle) throw new LogError('ambiguous', 'the answer was lost');
  return result;
}

describe('batches decided before the one below is written', () => {
  const seed = seedOf(9);

  for (const cache of [TINY_CACHE, {}]) {
    it(`answer as if done one after the other (${cache === TINY_CACHE ? 'hardly anything' : 'everything'} cached)`, async () => {
      await fc.assert(
        fc.asyncProperty(arrivals, fates, async (all, plan) => {
          const rows = new MemoryStore();
          const store = openStore(new SlowLog(rows, plan), cache);
          await store.start();
          const answers = await runStaggered(store, all);
          const model = new Model();
          for (const [i, { write: one }] of all.entries()) {
            const answer = answers[i];
            if (answer === 'unavailable' || answer === 'ambiguous') continue;
            expect(answer).toEqual(await outcome(() => model.write(one)));
          }
          expect(await everything(store)).toEqual(model.range(ALL));
          await compact(store, model);
          await store.stop();
          expect(await rowsIn(new MemoryLog(rows))).toEqual(model.rowsNeeded());
          const again = openStore(new MemoryLog(rows));
          await again.start();
          expect(await everything(again)).toEqual(model.range(ALL));
          expect([...again.leases()].sort()).toEqual([...model.leases].sort());
          await again.stop();
        }),
        { seed, numRuns: 300 },
      );
    }, 180_000);
  }

  it('rest on nothing that another store has overtaken', async () => {
    let ahead = 0;
    await fc.assert(
      fc.asyncProperty(arrivals, arrivals, sharedFates, sharedFates, ways, async (ofA, ofB, planA, planB, way) => {
        ahead += (await writeTogether([ofA, ofB], [planA, planB], way)).ahead;
      }),
      { seed: seed + 1, numRuns: 200 },
    );
    // Batches that came ahead had their part in it.
    expect(ahead).toBeGreaterThan(40);
  }, 180_000);

  it('may rest on those of other stores that are on their way, and be sent behind them', async () => {
    let above = 0;
    let early = 0;
    let onSeveral = 0;
    const long = fc.array(arrival, { minLength: 60, maxLength: 120 });
    const plan = fc.array(fc.oneof({ weight: 9, arbitrary: fate.map(done) }, sharedFate), {
      minLength: 1,
      maxLength: 60,
    });
    const good = fc.array(fc.array(fc.constantFrom(0, 0, 1, 5), { minLength: 1, maxLength: 2 }), { minLength: 1 });
    const either = fc.oneof({ weight: 4, arbitrary: good }, ways);
    await fc.assert(
      fc.asyncProperty(fc.tuple(long, long, long), fc.tuple(plan, plan, plan), either, async (all, plans, way) => {
        const told = await writeTogether(all, plans, way);
        above += told.above;
        early += told.early;
        onSeveral += told.onSeveral;
      }),
      { seed: seed + 2, numRuns: 200 },
    );
    expect(above).toBeGreaterThan(early + 100);
    expect(early).toBeGreaterThan(100);
    expect(onSeveral).toBeGreaterThan(20);
  }, 180_000);
});

type Arrivals = readonly { readonly write: Write; readonly turns: number }[];

function done(one: Fate): Fate {
  return { ...one, kind: 'done' };
}

/**
 * Stores on one log, that send each other their batches ahead, write all at once. What they answer must be explained by
 * one order of their writes. Answers how many batches that came ahead were applied, how many were decided above such
 * ones, and how many committed that had been sent early, on one or on several.
 */
async function writeTogether(
  histories: readonly Arrivals[],
  plans: readonly (readonly Fate[])[],
  way: (readonly number[])[],
): Promise<Record<'ahead' | 'above' | 'early' | 'onSeveral', number>> {
  const rows = new SharedMemoryStore(() => 0);
  const leaseless = histories.map((all) => all.filter(({ write: one }) => !usesLeases(one)));
  const logs = plans.map((plan, i) => new SlowSharedLog(rows, plan, i !== 1));
  const stores = logs.map((log, i): Store => {
    const others = () => stores.filter((_, other) => other !== i);
    const onAppend = (batch: AppendBatch) => sendAhead(batch, way, others);
    const onCommit = (commit: CommitTold) => tell(commit, others);
    return openStore(log, { replica: `${i}`, random: Math.random, onAppend, onCommit, ...(i === 0 ? TINY_CACHE : {}) });
  });
  await Promise.all(stores.map((store) => store.start()));
  const answers = await Promise.all(stores.map((store, i) => runStaggered(store, leaseless[i] ?? [], everything)));
  const flat = answers.flat();
  const model = explain(leaseless.flat().map(({ write: one }, i) => ({ write: one, answer: flat[i] ?? '' })));
  for (const store of stores) expect(await everything(store)).toEqual(model.range(ALL));
  const [first] = stores;
  if (first !== undefined) await compact(first, model);
  expect(await rowsIn(new MemoryLog(rows))).toEqual(model.rowsNeeded());
  const ahead = stores.reduce((sum, { stats }) => sum + stats.batchesAheadApplied.value, 0);
  const above = stores.reduce((sum, { stats }) => sum + stats.batchesAbove.value, 0);
  const early = logs.reduce((sum, log) => sum + log.early, 0);
  const onSeveral = logs.reduce((sum, log) => sum + log.onSeveral, 0);
  await Promise.all(stores.map((store) => store.stop()));
  return { ahead, above, early, onSeveral };
}

const ALL: RangeRequest = {
  ...{ key: '\0', end: '\0', revision: 0, limit: 0, order: 'none', target: 'key', keysOnly: false, countOnly: false },
  ...{ minModRevision: 0, maxModRevision: 0, minCreateRevision: 0, maxCreateRevision: 0, serializable: false },
};

async function everything(store: Store): Promise<ModelAnswer> {
  return decodeResult(await store.range(ALL));
}

/** Sweeps all that is superseded: a change that was applied twice would take the newest row along. */
async function compact(store: Store, model: Model): Promise<void> {
  if (model.head === 1) return;
  await store.compact(model.head, true);
  model.compact(model.head);
}

/** Submits writes at their times, without waiting for answers; `meanwhile` is done now and then in between. */
async function runStaggered(
  store: Store,
  all: Arrivals,
  meanwhile: (store: Store) => unknown = () => undefined,
): Promise<(ModelAnswer | string)[]> {
  const answers: Promise<ModelAnswer | string>[] = [];
  const others: unknown[] = [];
  for (const { write: one, turns } of all) {
    answers.push(outcome(() => submit(store, one)).then((answer) => readable(store, answer)));
    if (turns === 2) others.push(meanwhile(store));
    await pass(turns);
  }
  await Promise.all(others);
  return Promise.all(answers);
}

/** Whoever has an answer can read what it says. */
function readable(store: Store, answer: ModelAnswer | string): ModelAnswer | string {
  if (typeof answer !== 'string') expect(store.revision).toBeGreaterThanOrEqual(answer.revision);
  return answer;
}

/** An order in which the writes of several stores give these answers, by the revisions that these tell. */
function explain(told: readonly { readonly write: Write; readonly answer: ModelAnswer | string }[]): Model {
  const model = new Model();
  const left = told.filter((one): one is { write: Write; answer: ModelAnswer } => typeof one.answer !== 'string');
  const last = Math.max(1, ...left.map(({ answer }) => answer.revision));
  for (let revision = 1; revision <= last; revision += 1) {
    const here = left.filter(({ answer }) => answer.revision === revision);
    if (revision > 1) {
      const writer = here.findIndex(({ write: one, answer }) => makes(model, one, answer));
      expect(writer, `nobody can have made revision ${revision}`).toBeGreaterThanOrEqual(0);
      here.splice(writer, 1);
    }
    for (const { write: one, answer } of here) expect(model.write(one)).toEqual(answer);
    expect(model.head).toBe(revision);
  }
  return model;
}

/** Whether the write makes the model's next revision and is answered so; the model has done it then. */
function makes(model: Model, one: Write, answer: ModelAnswer): boolean {
  const { head, events } = model;
  model.events = [...events];
  try {
    if (isDeepStrictEqual(model.write(one), answer) && model.head === head + 1) return true;
  } catch {
    // Not as the model stands.
  }
  model.head = head;
  model.events = events;
  return false;
}

/** A grant makes no revision, so that the answers alone do not tell in which order others saw it. */
function usesLeases(one: Write | TxnOp): boolean {
  if (one.kind === 'txn') return one.success.some(usesLeases) || one.failure.some(usesLeases);
  return one.kind === 'put' ? one.lease !== 0n : one.kind === 'lease-grant' || one.kind === 'lease-revoke';
}

async function pass(turns: number): Promise<void> {
  for (let i = 0; i < turns; i += 1) await new Promise((resolve) => setImmediate(resolve));
}
