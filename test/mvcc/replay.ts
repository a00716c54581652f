import { expect } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import type { Log } from '../../src/mvcc/log.ts';
import { ReadTxns } from '../../src/mvcc/read-txns.ts';
import { StoreError, type TxnOpResult } from '../../src/mvcc/requests.ts';
import { Store } from '../../src/mvcc/store.ts';
import type { StoreOptions } from '../../src/mvcc/store-options.ts';
import type { Change } from '../../src/mvcc/types.ts';
import { decodeResult } from './decode.ts';
import { absolute, type Step, type Write } from './histories.ts';
import { Model, type ModelAnswer } from './model.ts';

/** A cache of two slabs that hold a few messages each: most reads go to the log, and long values never fit. */
export const TINY_CACHE = { cacheBytes: 1, cacheSlabBytes: 128 } as const;

export function openStore(log: Log, options: Partial<StoreOptions> = {}): Store {
  // Nobody here has anything to lose by a sweep that comes at once.
  const limits = { sharedGraceMs: 0, ...options.limits };
  return new Store({ log, clock: systemClock, random: () => 0.5, quotaBytes: -1, ...options, limits });
}

/** Runs a history on a store and on the model, and insists that every answer is the same. Answers the last HashKV. */
export async function replay(
  steps: readonly Step[],
  openLog: () => Log,
  options: Partial<StoreOptions> = TINY_CACHE,
): Promise<number> {
  const model = new Model();
  let store = openStore(openLog(), options);
  await store.start();
  try {
    for (const step of steps) {
      switch (step.kind) {
        case 'writes': {
          const writes = step.writes.map((one) => absolute(one, model.head));
          expect(await runTogether(store, writes)).toEqual(await runEach(model, writes));
          break;
        }
        case 'range': {
          const request = absolute({ ...step.request, kind: 'range' }, model.head);
          const answer = await outcome(async () => decodeResult(await store.range(request)));
          expect(answer).toEqual(await outcome(() => model.range(request)));
          break;
        }
        case 'compact': {
          const revision = model.head - step.back;
          const answer = await outcome(() => store.compact(revision, step.physical).then(() => 'done'));
          const expected = await outcome(() => {
            model.compact(revision);
            return 'done';
          });
          expect(answer).toEqual(expected);
          break;
        }
        case 'restart':
          await store.stop();
          store = openStore(openLog(), options);
          await store.start();
          break;
      }
      expect(store.revision).toBe(model.head);
      expect(store.compactRevision).toBe(model.horizon);
    }
    const { hash } = await store.hashKv(0);
    await sweepAll(store, model);
    await store.stop();
    expect(await rowsIn(openLog())).toEqual(model.rowsNeeded());
    return hash;
  } finally {
    await store.stop();
  }
}

/** Submits writes without waiting between them, so that they share batches; but lets no read-only one run ahead. */
async function runTogether(store: Store, writes: readonly Write[]): Promise<(ModelAnswer | string)[]> {
  const answers: Promise<ModelAnswer | string>[] = [];
  for (const write of writes) {
    if (write.kind === 'txn' && ReadTxns.accepts(write)) await Promise.all(answers);
    answers.push(outcome(() => submit(store, write)));
  }
  return Promise.all(answers);
}

async function runEach(model: Model, writes: readonly Write[]): Promise<(ModelAnswer | string)[]> {
  const answers: (ModelAnswer | string)[] = [];
  for (const write of writes) answers.push(await outcome(() => model.write(write)));
  return answers;
}

/** Compacts at the head, and waits until all is swept. */
async function sweepAll(store: Store, model: Model): Promise<void> {
  const put = { kind: 'put', key: 'last', value: new Uint8Array(1), lease: 0n } as const;
  const request = { ...put, prevKv: false, ignoreValue: false, ignoreLease: false };
  await store.put(request);
  model.write(request);
  await store.compact(model.head, true);
  model.compact(model.head);
}

export async function rowsIn(log: Log): Promise<string[]> {
  await log.open();
  const rows: Change[] = [];
  for (let after = 0; ; ) {
    const changes = await log.changes(after, 1024);
    const last = changes.at(-1);
    if (last === undefined) break;
    rows.push(...changes);
    after = last.revision;
  }
  await log.close();
  return rows.map((row) => `${row.revision} ${row.key}`);
}

export async function submit(store: Store, write: Write): Promise<ModelAnswer> {
  switch (write.kind) {
    case 'put':
      return decodeResult(await store.put(write));
    case 'delete':
      return decodeResult(await store.deleteRange(write));
    case 'txn':
      return decodeResult((await store.txn(write)) as TxnOpResult);
    case 'lease-grant':
      return { revision: (await store.leaseGrant(write.id, write.ttl)).revision };
    case 'lease-revoke':
      return { revision: await store.leaseRevoke(write.id) };
  }
}

/** What came of it: the answer, or the code of the StoreError. */
export async function outcome<T>(run: () => T | Promise<T>): Promise<T | string> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof StoreError) return error.code;
    throw error;
  }
}
