import fc from 'fast-check';
import { expect } from 'vitest';
import { isShared, type Log } from '../../src/mvcc/log.ts';
import type { Change, ChangeHead, LeaseChange, Note, Position, RecordChange } from '../../src/mvcc/types.ts';
import { bytesOf } from '../contract/changes.ts';
import { CommitChain } from '../support/commit-chain.ts';

/*
 * Two engines, one story: a random history is told to the model and to the engine, and whatever the two answer must
 * be the same, at each step and after each restart. fast-check prints the seed of a history that tells them apart.
 */

/** A change yet without its place in the log. */
interface Draft {
  readonly key: string;
  readonly value: string;
  readonly isDelete: boolean;
  readonly lease: bigint;
  readonly version: number;
}

type Step =
  | {
      readonly do: 'append';
      readonly txns: readonly (readonly Draft[])[];
      readonly notes: readonly (LeaseChange | RecordChange)[];
      readonly off: number;
    }
  | { readonly do: 'sweep'; readonly share: number }
  | { readonly do: 'compact'; readonly share: number }
  | { readonly do: 'alarm'; readonly raised: boolean }
  | { readonly do: 'changes'; readonly share: number; readonly bytesMax: number }
  | { readonly do: 'news'; readonly share: number; readonly bytesMax: number }
  | { readonly do: 'rows'; readonly shares: readonly number[] }
  | { readonly do: 'vacuum' | 'defragment' | 'restart' };

const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => String.fromCharCode(...array));
const lease = fc.oneof(fc.constant(0n), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
const draft: fc.Arbitrary<Draft> = fc.record({
  key: fc.oneof(fc.constantFrom('a', 'b', 'c'), bytes),
  value: fc.oneof(bytes, fc.constant('v'.repeat(9_000))),
  isDelete: fc.boolean(),
  lease,
  version: fc.oneof(fc.nat(5), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })),
});
const leaseId = fc.oneof(
  fc.constantFrom(1n, 2n, -3n),
  lease.filter((id) => id !== 0n),
);
const leaseChange: fc.Arbitrary<LeaseChange> = fc.oneof(
  fc.record({ kind: fc.constant('grant' as const), id: leaseId, ttl: fc.nat(9_000_000_000) }),
  fc.record({ kind: fc.constant('revoke' as const), id: leaseId }),
  fc.record({ kind: fc.constant('checkpoint' as const), id: leaseId, remainingTtl: fc.nat(100) }),
);
const recordChange: fc.Arbitrary<RecordChange> = fc.record({
  kind: fc.constant('record' as const),
  name: fc.oneof(fc.constantFrom('auth/a', 'auth/b'), bytes),
  value: fc.option(fc.uint8Array({ maxLength: 20 }), { nil: undefined }),
});
const share = fc.double({ min: 0, max: 1, noNaN: true });
/** A step of a history. */
export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      txns: fc.array(fc.array(draft, { minLength: 1, maxLength: 40 }), { maxLength: 5 }),
      notes: fc.array(fc.oneof({ weight: 3, arbitrary: leaseChange }, { weight: 1, arbitrary: recordChange }), {
        maxLength: 4,
      }),
      off: fc.constantFrom(0, 0, 0, 0, -1, 1),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('sweep' as const), share }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('compact' as const), share }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('alarm' as const), raised: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('changes' as const), share, bytesMax: fc.nat(20_000) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('news' as const), share, bytesMax: fc.nat(20_000) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('rows' as const), shares: fc.array(share, { maxLength: 50 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('vacuum', 'defragment', 'restart' as const) }) },
);

const NO_BYTES = new Uint8Array(0);

/** Tells two stores the same, and insists on the same answers. */
export class Story {
  readonly #make: readonly (() => Log)[];
  #logs: Log[] = [];
  #chains: CommitChain[] = [];
  #sweptMax = 0;
  #head = 1;
  #horizon = 0;
  /** Every position ever written. */
  readonly #written: Position[] = [];

  constructor(...make: readonly (() => Log)[]) {
    this.#make = make;
  }

  async close(): Promise<void> {
    for (const log of this.#logs) await log.close();
  }

  async restart(): Promise<void> {
    await this.close();
    this.#logs = this.#make.map((make) => make());
    const opened = await Promise.all(this.#logs.map((log) => log.open()));
    const [model, engine] = opened.map(({ clusterId, memberId, cursor, ...rest }) => ({
      ...rest,
      head: cursor.revision,
    }));
    expect(engine).toEqual(model);
    expect(model).toMatchObject({ head: this.#head, horizon: this.#horizon });
    for (const [i, { cursor }] of opened.entries()) {
      const chain = this.#chains[i];
      // Each engine has its own name for the first commit.
      if (chain === undefined) this.#chains.push(new CommitChain(cursor));
      else if (this.#logs.every(isShared)) expect(cursor).toEqual(chain.newest);
    }
    await this.#both(async (log) => {
      const heads: ChangeHead[] = [];
      await log.load((rows) => {
        heads.push(...rows);
      });
      return heads.map(({ valueBytes, ...head }) => `${textOf({ ...head, value: NO_BYTES })},${valueBytes}`);
    });
  }

  async tell(step: Step): Promise<void> {
    switch (step.do) {
      case 'append': {
        const changes = step.txns.flatMap((txn, i) => txn.map((each, sub) => changeOf(each, this.#head + 1 + i, sub)));
        const result = await this.#both(async (log, chain) => {
          const batch = chain.batch(this.#head + step.off, changes, step.notes);
          const answer = await log.append(batch);
          if (answer.kind === 'committed') chain.committed(batch);
          return answer;
        });
        expect(result.kind).toBe(step.off === 0 ? 'committed' : 'moved');
        if (step.off !== 0) break;
        this.#head += step.txns.length;
        this.#written.push(...changes.map(({ revision, sub }) => ({ revision, sub })));
        break;
      }
      case 'sweep': {
        const gone = this.#written.filter((_, i) => (i * 7919) % 100 < step.share * 100);
        await this.#both((log) => log.sweep(gone));
        for (const { revision } of gone) this.#sweptMax = Math.max(this.#sweptMax, revision);
        break;
      }
      case 'compact': {
        const horizon = Math.ceil(step.share * this.#head);
        this.#horizon = Math.max(horizon, this.#horizon);
        await this.#both((log) => log.compact(horizon));
        break;
      }
      case 'alarm':
        await this.#both((log) => log.alarm('nospace', step.raised));
        break;
      case 'changes': {
        const after = Math.floor(step.share * this.#head);
        await this.#both(async (log) => (await log.changes(after, step.bytesMax)).map(textOf));
        break;
      }
      case 'news':
        await this.#news(Math.floor(step.share * this.#head), step.bytesMax);
        break;
      case 'rows': {
        const at = step.shares.map((each) => this.#written[Math.floor(each * this.#written.length)]);
        const positions = at.map((each) => each ?? { revision: this.#head + 5, sub: 3 });
        await this.#both(async (log) => (await log.rows(positions)).map((row) => row && textOf(row)));
        break;
      }
      case 'vacuum':
        for (const log of this.#logs) while ((await log.vacuum(100_000)) > 0) {}
        break;
      case 'defragment':
        await this.#both((log) => log.defragment());
        break;
      case 'restart':
        await this.restart();
        break;
    }
    expect(await this.#both((log) => log.head())).toBe(this.#head);
  }

  /** Since a revision, page by page: pages may be of different sizes, what they come to may not. */
  async #news(revision: number, bytesMax: number): Promise<void> {
    const isGone = this.#sweptMax > revision;
    await this.#both(async (log, chain) => {
      let since = chain.at(revision);
      if (!isShared(log) || since === undefined) return [];
      const told: string[] = [];
      for (;;) {
        const news = await log.news(since, bytesMax);
        // The model sweeps without a word when it is not told how far.
        if (news.kind === 'behind' || isGone) return expect(isGone).toBe(true);
        if (news.kind !== 'news') throw new Error(`news are ${news.kind}`);
        told.push(...news.changes.map(textOf), ...news.notes.map(noteText));
        since = news.cursor;
        if (news.more) continue;
        expect(since).toEqual(chain.newest);
        return [...told.sort(), news.horizon, news.alarms];
      }
    });
  }

  /** What both answer. */
  async #both<T>(ask: (log: Log, chain: CommitChain) => Promise<T>): Promise<T> {
    const [model, engine] = await Promise.all(
      this.#logs.map((log, i) => {
        const chain = this.#chains[i];
        if (chain === undefined) throw new Error('tell nothing before restart');
        return ask(log, chain);
      }),
    );
    expect(engine).toEqual(model);
    return model as T;
  }
}

function changeOf(draft: Draft, revision: number, sub: number): Change {
  const { key } = draft;
  if (draft.isDelete) {
    return {
      kind: 'delete',
      revision,
      sub,
      key,
      createRevision: 0,
      version: 0,
      lease: 0n,
      value: NO_BYTES,
    };
  }
  const value = bytesOf(draft.value);
  return {
    kind: 'put',
    revision,
    sub,
    key,
    createRevision: revision,
    version: draft.version,
    lease: draft.lease,
    value,
  };
}

/** All of a change as text: equal texts are equal changes, and comparing them is quick. */
function textOf(change: Change): string {
  const { kind, revision, sub, key, createRevision, version, lease, value } = change;
  return [kind, revision, sub, createRevision, version, lease, key, Buffer.from(value).toString('latin1')].join();
}

function noteText({ after, change }: Note): string {
  const { kind } = change;
  if (kind === 'record') return [after, kind, change.name, change.value === undefined ? '-' : [...change.value]].join();
  const ttl = kind === 'grant' ? change.ttl : kind === 'checkpoint' ? change.remainingTtl : '';
  return [after, kind, change.id, ttl].join();
}
