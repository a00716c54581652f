import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeBatch } from '../../src/mvcc/batch-codec.ts';
import { type AppendBatch, type AppendResult, LogError, type News } from '../../src/mvcc/log.ts';
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

/** What becomes of an append, and how many turns of the event loop go by before and after it happens. */
interface Fate {
  readonly turns: number;
  readonly turnsBack: number;
  readonly kind: 'done' | 'unavailable' | 'lost, not written' | 'lost, written';
}

const fate: fc.Arbitrary<Fate> = fc.record({
  turns: fc.integer({ min: 0, max: 6 }),
  turnsBack: fc.constantFrom(0, 0, 1, 4),
  kind: fc.oneof(
    { weight: 4, arbitrary: fc.constant('done' as const) },
    fc.constantFrom('unavailable' as const, 'lost, not written' as const, 'lost, written' as const),
  ),
});

/** A write, and how many turns of the event loop pass before the next one. */
const arrival = fc.record({
  write: write.filter((one) => one.kind !== 'txn' || !ReadTxns.accepts(one)).map((one) => absolute(one, 1000)),
  turns: fc.constantFrom(0, 0, 0, 1, 2, 5),
});
const arrivals = fc.array(arrival, { minLength: 5, maxLength: 40 });
const fates = fc.array(fate, { minLength: 1, maxLength: 30 });

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

class SlowSharedLog extends SharedMemoryLog {
  readonly #fates: Fate[];

  constructor(rows: SharedMemoryStore, fates: readonly Fate[]) {
    super(rows);
    this.#fates = [...fates];
  }

  override append(batch: AppendBatch): Promise<AppendResult> {
    return meet(this.#fates.shift(), true, () => super.append(batch));
  }

  override async news(since: Cursor, bytesMax: number): Promise<News> {
    await pass(since.revision % 3);
    return super.news(since, bytesMax);
  }
}

/** Over and over the same ways; none at all: nothing is sent. */
function sendAhead(batch: AppendBatch, ways: (readonly number[])[], to: () => Store): void {
  const way = ways.shift();
  if (way === undefined) return;
  ways.push([...way]);
  const encoded = encodeBatch(batch);
  for (const turns of way) void pass(turns).then(() => to().follower?.takeAhead(Buffer.from(encoded)));
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
      fc.asyncProperty(arrivals, arrivals, fates, fates, ways, async (ofA, ofB, planA, planB, way) => {
        const rows = new SharedMemoryStore(() => 0);
        const random = Math.random;
        const a: Store = openStore(new SlowSharedLog(rows, planA), {
          ...{ replica: 'a', random, ...TINY_CACHE },
          onAppend: (batch) => sendAhead(batch, way, () => b),
        });
        const b: Store = openStore(new SlowSharedLog(rows, planB), {
          ...{ replica: 'b', random },
          onAppend: (batch) => sendAhead(batch, way, () => a),
        });
        await Promise.all([a.start(), b.start()]);
        const [leaseless, other] = [ofA, ofB].map((all) => all.filter(({ write: one }) => !usesLeases(one)));
        if (leaseless === undefined || other === undefined) return;
        const answers = (
          await Promise.all([runStaggered(a, leaseless, everything), runStaggered(b, other, everything)])
        ).flat();
        const model = explain(
          [...leaseless, ...other].map(({ write: one }, i) => ({ write: one, answer: answers[i] ?? '' })),
        );
        expect(await everything(a)).toEqual(model.range(ALL));
        expect(await everything(b)).toEqual(model.range(ALL));
        await compact(a, model);
        expect(await rowsIn(new MemoryLog(rows))).toEqual(model.rowsNeeded());
        ahead += a.stats.batchesAheadApplied.value + b.stats.batchesAheadApplied.value;
        await Promise.all([a.stop(), b.stop()]);
      }),
      { seed: seed + 1, numRuns: 200 },
    );
    // Batches that came ahead had their part in it.
    expect(ahead).toBeGreaterThan(200);
  }, 180_000);
});

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
  all: readonly { readonly write: Write; readonly turns: number }[],
  meanwhile: (store: Store) => unknown = () => undefined,
): Promise<(ModelAnswer | string)[]> {
  const answers: Promise<ModelAnswer | string>[] = [];
  const others: unknown[] = [];
  for (const { write: one, turns } of all) {
    answers.push(outcome(() => submit(store, one)));
    if (turns === 2) others.push(meanwhile(store));
    await pass(turns);
  }
  await Promise.all(others);
  return Promise.all(answers);
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
