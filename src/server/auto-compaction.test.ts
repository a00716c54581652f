import { describe, expect, it } from 'vitest';
import type { Clock } from '../base/clock.ts';
import { silentLogger } from '../base/logger.ts';
import { StoreError } from '../mvcc/requests.ts';
import { AutoCompaction, parseRetention, type Retention } from './auto-compaction.ts';

const MINUTE_MS = 60_000;

/** Time that passes when the test says so. */
class TestClock implements Clock {
  #nowMs = 0;
  #timers: { readonly atMs: number; readonly task: () => void }[] = [];

  wallMs(): number {
    return this.#nowMs;
  }
  monotonicMs(): number {
    return this.#nowMs;
  }
  after(delayMs: number, task: () => void) {
    const timer = { atMs: this.#nowMs + delayMs, task };
    this.#timers.push(timer);
    return { cancel: () => (this.#timers = this.#timers.filter((other) => other !== timer)) };
  }
  async pass(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const next = this.#timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#nowMs = next.atMs;
      next.task();
      for (let i = 0; i < 10; i++) await Promise.resolve();
    }
    this.#nowMs = untilMs;
  }
}

function setUp(retention: Retention) {
  const clock = new TestClock();
  const compacted: number[] = [];
  const store = {
    revision: 1,
    failing: undefined as StoreError | undefined,
    async compact(revision: number) {
      if (store.failing !== undefined) throw store.failing;
      compacted.push(revision);
      return store.revision;
    },
  };
  const compaction = new AutoCompaction({ store, clock, logger: silentLogger, retention, intervalMs: 300_000 });
  compaction.start();
  return { clock, store, compacted, compaction };
}

describe('auto compaction', () => {
  it.each([
    ['periodic', '0', { mode: 'off' }],
    ['periodic', '5m', { mode: 'periodic', ms: 5 * MINUTE_MS }],
    ['periodic', '2', { mode: 'periodic', ms: 120 * MINUTE_MS }],
    ['revision', '1000', { mode: 'revision', revisions: 1000 }],
    ['revision', '0', { mode: 'off' }],
  ] as const)('reads %s %s', (mode, written, retention) => {
    expect(parseRetention(mode, written)).toEqual(retention);
  });

  it('refuses what it cannot read', () => {
    expect(() => parseRetention('periodic', 'soon')).toThrow('--auto-compaction-retention: "soon"');
    expect(() => parseRetention('revision', '5m')).toThrow('not a number of revisions');
  });

  it('periodic: compacts what is one retention old, first after one retention, then every retention', async () => {
    const { clock, store, compacted } = setUp({ mode: 'periodic', ms: 10 * MINUTE_MS });
    for (let minute = 0; minute < 30; minute++) {
      await clock.pass(MINUTE_MS);
      store.revision += 10;
      if (minute === 8) expect(compacted).toEqual([]);
    }
    // As etcd's: the first note, then the eleventh from the end, which is eleven minutes old when its turn comes.
    expect(compacted).toEqual([1, 81, 181]);
  });

  it('periodic: with more than an hour, compacts hourly what is one retention old', async () => {
    const { clock, store, compacted } = setUp({ mode: 'periodic', ms: 180 * MINUTE_MS });
    for (let minute = 0; minute < 301; minute++) {
      store.revision = minute + 1;
      await clock.pass(MINUTE_MS);
    }
    expect(compacted.length).toBe(3);
    for (const [i, revision] of compacted.entries()) expect(Math.abs(revision - (1 + 60 * i))).toBeLessThanOrEqual(12);
  });

  it('periodic: tries again at the next note after a failure, and says nothing new when nothing is', async () => {
    const { clock, store, compacted } = setUp({ mode: 'periodic', ms: 10 * MINUTE_MS });
    store.failing = new StoreError('unavailable');
    await clock.pass(12 * MINUTE_MS);
    expect(compacted).toEqual([]);
    store.failing = undefined;
    await clock.pass(2 * MINUTE_MS);
    expect(compacted).toEqual([1]);
    await clock.pass(60 * MINUTE_MS);
    expect(compacted).toEqual([1]);
  });

  it('takes a revision that somebody else compacted for done', async () => {
    const { clock, store, compacted } = setUp({ mode: 'revision', revisions: 10 });
    store.revision = 100;
    store.failing = new StoreError('compacted');
    await clock.pass(5 * MINUTE_MS);
    store.failing = undefined;
    await clock.pass(5 * MINUTE_MS);
    expect(compacted).toEqual([]);
  });

  it('revision: every five minutes, keeps the last n', async () => {
    const { clock, store, compacted } = setUp({ mode: 'revision', revisions: 100 });
    await clock.pass(5 * MINUTE_MS);
    store.revision = 350;
    await clock.pass(5 * MINUTE_MS);
    store.revision = 500;
    await clock.pass(9 * MINUTE_MS);
    expect(compacted).toEqual([250, 400]);
  });

  it('stops', async () => {
    const { clock, store, compacted, compaction } = setUp({ mode: 'revision', revisions: 1 });
    store.revision = 100;
    compaction.stop();
    await clock.pass(60 * MINUTE_MS);
    expect(compacted).toEqual([]);
  });
});
