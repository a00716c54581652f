import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Lessor, type LessorLimits } from '../../src/mvcc/lessor.ts';
import { StoreError, type WriteRequest } from '../../src/mvcc/requests.ts';
import type { LeaseId, LeaseRecord } from '../../src/mvcc/types.ts';
import { ManualClock } from './manual-clock.ts';

/** A lessor whose submissions are applied at once, as the Tail would, or fail, or wait: as the test says. */
class Bench {
  readonly clock = new ManualClock();
  readonly submitted: WriteRequest[] = [];
  readonly revokedAt = new Map<LeaseId, number>();
  fail: StoreError | undefined;
  readonly held: (() => void)[] = [];
  hold = false;
  readonly lessor: Lessor;
  readonly startMs = this.clock.nowMs;

  constructor(limits: Partial<LessorLimits> = {}) {
    let seed = 1;
    const random = (): number => {
      seed = (seed * 48271) % 2147483647;
      return seed / 2147483647;
    };
    this.lessor = new Lessor({ clock: this.clock, submit: (request) => this.#submit(request), random, limits });
  }

  async #submit(request: WriteRequest): Promise<void> {
    this.submitted.push(request);
    if (this.hold) await new Promise<void>((resolve) => this.held.push(resolve));
    if (this.fail !== undefined) throw this.fail;
    if (request.kind === 'lease-revoke') {
      if (!this.lessor.has(request.id)) throw new StoreError('lease-not-found');
      this.revokedAt.set(request.id, this.seconds);
      this.lessor.revoked(request.id);
    }
    if (request.kind === 'lease-checkpoint') this.lessor.checkpointed(request.id, request.remainingTtl);
  }

  get seconds(): number {
    return (this.clock.nowMs - this.startMs) / 1000;
  }

  left(id: LeaseId): number | undefined {
    return this.lessor.timeToLive(id, false)?.ttl;
  }

  submittedOf(kind: WriteRequest['kind']): WriteRequest[] {
    return this.submitted.filter((request) => request.kind === kind);
  }
}

async function running(limits: Partial<LessorLimits> = {}): Promise<Bench> {
  const bench = new Bench(limits);
  await bench.lessor.start();
  return bench;
}

test('a lease that nobody keeps alive is revoked when its time is over', async () => {
  const bench = await running();
  bench.lessor.granted(7n, 10);
  await bench.clock.pass(9_999);
  expect(bench.lessor.has(7n)).toBe(true);
  await bench.clock.pass(1);
  expect(bench.revokedAt).toEqual(new Map([[7n, 10]]));
  expect(bench.lessor.has(7n)).toBe(false);
  expect(bench.lessor.stats.expired.value).toBe(1);
});

test('keepAlive gives the whole time again, without a write', async () => {
  const bench = await running();
  bench.lessor.granted(7n, 10);
  for (let i = 0; i < 5; i += 1) {
    await bench.clock.pass(8_000);
    expect(bench.lessor.keepAlive(7n)).toBe(10);
  }
  expect(bench.submitted).toEqual([]);
  await bench.clock.pass(10_000);
  expect(bench.revokedAt).toEqual(new Map([[7n, 50]]));
  expect(bench.lessor.keepAlive(7n)).toBe(0);
});

test('keepAlive of an expired lease waits for the revocation and then finds nothing', async () => {
  const bench = await running();
  bench.hold = true;
  bench.lessor.granted(7n, 5);
  await bench.clock.pass(6_000);
  let answer: number | undefined;
  void Promise.resolve(bench.lessor.keepAlive(7n)).then((ttl) => {
    answer = ttl;
  });
  await bench.clock.pass(100);
  expect(answer).toBeUndefined();
  expect(bench.left(7n)).toBe(-1);
  bench.held.pop()?.();
  await bench.clock.pass(0);
  expect(answer).toBe(0);
});

test('a revocation that fails is tried again, less and less often', async () => {
  const bench = await running({ retryMs: 1000, retryMsMax: 4000 });
  bench.fail = new StoreError('unavailable');
  bench.lessor.granted(7n, 5);
  await bench.clock.pass(5_000);
  expect(bench.submitted).toHaveLength(1);
  await bench.clock.pass(1_000 + 2_000 + 4_000 + 4_000);
  expect(bench.submitted).toHaveLength(5);
  bench.fail = undefined;
  await bench.clock.pass(4_000);
  expect(bench.revokedAt).toEqual(new Map([[7n, 20]]));
  expect(bench.clock.timers).toBe(0);
});

test('so many at once are revoked at the given rate', async () => {
  const bench = await running({ revokesPerSecond: 100, tickMs: 500 });
  for (let id = 1n; id <= 250n; id += 1n) bench.lessor.granted(id, 5);
  await bench.clock.pass(5_000);
  expect(bench.revokedAt.size).toBe(50);
  await bench.clock.pass(1_000);
  expect(bench.revokedAt.size).toBe(150);
  await bench.clock.pass(1_000);
  expect(bench.revokedAt.size).toBe(250);
});

test('no more are under way than may be', async () => {
  const bench = await running({ underWayMax: 3 });
  bench.hold = true;
  for (let id = 1n; id <= 10n; id += 1n) bench.lessor.granted(id, 5);
  await bench.clock.pass(20_000);
  expect(bench.submitted).toHaveLength(3);
  bench.hold = false;
  for (const go of bench.held.splice(0)) go();
  await bench.clock.pass(3_000);
  expect(bench.revokedAt.size).toBe(10);
});

test('least and greatest TTL, and ids that are chosen', () => {
  const { lessor } = new Bench();
  expect(lessor.grantRequest(5n, 1)).toEqual({ kind: 'lease-grant', id: 5n, ttl: 2 });
  expect(lessor.grantRequest(-5n, -100)).toEqual({ kind: 'lease-grant', id: -5n, ttl: 2 });
  expect(lessor.grantRequest(5n, 9_000_000_000)).toMatchObject({ ttl: 9_000_000_000 });
  expect(() => lessor.grantRequest(5n, 9_000_000_001)).toThrow(new StoreError('lease-ttl-too-large'));
  for (let i = 0; i < 100; i += 1) {
    const { id } = lessor.grantRequest(0n, 10);
    expect(id > 0n && id < 2n ** 63n).toBe(true);
  }
});

test('a TTL longer than any timer', async () => {
  const bench = await running();
  bench.lessor.granted(7n, 9_000_000_000);
  await bench.clock.pass(24 * 3600 * 1000);
  expect(bench.left(7n)).toBe(9_000_000_000 - 24 * 3600);
});

test('what is left is noted down every five minutes, and after a restart it goes on from there', async () => {
  const bench = await running();
  bench.lessor.granted(7n, 900);
  bench.lessor.granted(8n, 200);
  await bench.clock.pass(700_000);
  expect(bench.submittedOf('lease-checkpoint')).toEqual([
    { kind: 'lease-checkpoint', id: 7n, remainingTtl: 600 },
    { kind: 'lease-checkpoint', id: 7n, remainingTtl: 300 },
  ]);
  const after = await running();
  after.lessor.restore([{ id: 7n, ttl: 900, remainingTtl: 300 }]);
  await after.clock.pass(300_999);
  expect(after.lessor.has(7n)).toBe(true);
  await after.clock.pass(1);
  expect(after.lessor.has(7n)).toBe(false);
});

test('a lease that is kept alive is not noted down', async () => {
  const bench = await running();
  bench.lessor.granted(7n, 900);
  for (let i = 0; i < 20; i += 1) {
    await bench.clock.pass(200_000);
    expect(bench.lessor.keepAlive(7n)).toBe(900);
  }
  expect(bench.submitted).toEqual([]);
});

test('a lease that was noted down is noted down as whole before it is renewed', async () => {
  const bench = await running();
  bench.lessor.granted(7n, 900);
  await bench.clock.pass(400_000);
  expect(await bench.lessor.keepAlive(7n)).toBe(900);
  expect(bench.submittedOf('lease-checkpoint').at(-1)).toEqual({ kind: 'lease-checkpoint', id: 7n, remainingTtl: 900 });
  expect(bench.lessor.keepAlive(7n)).toBe(900);
  bench.lessor.checkpointed(7n, 100);
  bench.fail = new StoreError('unavailable');
  await bench.clock.pass(10_000);
  await expect(bench.lessor.keepAlive(7n)).rejects.toThrow(bench.fail);
  expect(bench.left(7n)).toBe(890);
});

test('stop notes down what is left of each', async () => {
  const bench = await running();
  bench.lessor.granted(7n, 100);
  bench.lessor.granted(8n, 3600);
  await bench.clock.pass(30_500);
  bench.lessor.granted(9n, 50);
  await bench.lessor.stop();
  expect(bench.submitted).toEqual([
    { kind: 'lease-checkpoint', id: 7n, remainingTtl: 70 },
    { kind: 'lease-checkpoint', id: 8n, remainingTtl: 3570 },
  ]);
  expect(bench.clock.timers).toBe(0);
  await bench.clock.pass(100_000);
  expect(bench.revokedAt.size).toBe(0);
});

test('stop lets go of those who wait for a revocation', async () => {
  const bench = await running();
  bench.fail = new StoreError('unavailable');
  bench.lessor.granted(7n, 5);
  await bench.clock.pass(6_000);
  const answer = expect(bench.lessor.keepAlive(7n)).rejects.toThrow(new StoreError('stopped'));
  await bench.lessor.stop();
  await answer;
  await expect(bench.lessor.keepAlive(7n)).rejects.toThrow(new StoreError('stopped'));
});

test('many leases found at start do not end all at once', async () => {
  const bench = new Bench({ revokesPerSecond: 100 });
  const records: LeaseRecord[] = [];
  for (let id = 1n; id <= 300n; id += 1n) records.push({ id, ttl: 60, remainingTtl: 10 });
  bench.lessor.restore(records);
  await bench.lessor.start();
  const ends = bench.lessor.leases().map((id) => bench.left(id));
  expect(ends.filter((left) => left === 11)).toHaveLength(75);
  expect(ends.filter((left) => left === 14)).toHaveLength(75);
  await bench.clock.pass(15_000);
  expect(bench.revokedAt.size).toBe(300);
});

test('keys belong to the lease of their newest put', () => {
  const { lessor } = new Bench();
  lessor.granted(7n, 10);
  lessor.granted(8n, 10);
  lessor.move('b', 0n, 7n);
  lessor.move('a', 0n, 7n);
  lessor.move('c', 0n, 8n);
  expect(lessor.timeToLive(7n, true)?.keys).toEqual(['a', 'b']);
  lessor.move('a', 7n, 8n);
  lessor.move('c', 8n, 0n);
  expect(lessor.keys(7n)).toEqual(['b']);
  expect(lessor.keys(8n)).toEqual(['a']);
  lessor.revoked(8n);
  lessor.move('a', 8n, 7n);
  expect(lessor.keys(7n)).toEqual(['a', 'b']);
});

test('leases are listed by their end', () => {
  const { lessor } = new Bench();
  lessor.granted(1n, 30);
  lessor.granted(-2n, 10);
  lessor.granted(3n, 20);
  expect(lessor.leases()).toEqual([-2n, 3n, 1n]);
});

test('whatever is granted, renewed and revoked: each lease ends when its time is over, and not before', async () => {
  const id = fc.integer({ min: 1, max: 6 }).map(BigInt);
  const step = fc.oneof(
    fc.record({ kind: fc.constant('grant' as const), id, ttl: fc.integer({ min: 2, max: 20 }) }),
    fc.record({ kind: fc.constant('renew' as const), id }),
    fc.record({ kind: fc.constant('revoke' as const), id }),
    fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 8000 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const bench = await running({ checkpointIntervalMs: 10_000_000 });
      const ends = new Map<LeaseId, { ttl: number; endMs: number }>();
      for (const one of steps) {
        const known = one.kind === 'pass' ? undefined : ends.get(one.id);
        if (one.kind === 'grant' && known === undefined) {
          bench.lessor.granted(one.id, one.ttl);
          ends.set(one.id, { ttl: one.ttl, endMs: bench.clock.nowMs + one.ttl * 1000 });
        } else if (one.kind === 'renew') {
          expect(bench.lessor.keepAlive(one.id)).toBe(known?.ttl ?? 0);
          if (known !== undefined) known.endMs = bench.clock.nowMs + known.ttl * 1000;
        } else if (one.kind === 'revoke') {
          bench.lessor.revoked(one.id);
          ends.delete(one.id);
        } else if (one.kind === 'pass') {
          await bench.clock.pass(one.ms);
          const due = bench.clock.nowMs;
          // A round of revoking may lie half a second after the one before.
          for (const [lease, { endMs }] of ends) {
            if (endMs > due) expect(bench.lessor.has(lease)).toBe(true);
            else if (endMs + 500 <= due) expect(bench.lessor.has(lease)).toBe(false);
            if (!bench.lessor.has(lease)) ends.delete(lease);
          }
          await bench.clock.pass(500);
          for (const [lease, { endMs }] of ends) if (endMs <= due) ends.delete(lease);
          for (const lease of ends.keys()) if (!bench.lessor.has(lease)) ends.delete(lease);
        }
        expect(new Set(bench.lessor.leases())).toEqual(new Set(ends.keys()));
      }
    }),
    { numRuns: 100 },
  );
});
