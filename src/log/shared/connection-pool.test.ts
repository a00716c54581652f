import { describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/logger.ts';
import { LogError } from '../../mvcc/log.ts';
import { Breaker } from './breaker.ts';
import { ConnectionPool } from './connection-pool.ts';
import { DatabaseAway } from './database-away.ts';
import { DatabaseStats } from './database-stats.ts';

const context = { clock: systemClock, random: () => 0.5, logger: silentLogger, stats: new DatabaseStats() };

class Fake {
  isUsable = true;
  isClosed = false;
  async close(): Promise<void> {
    this.isClosed = true;
  }
}

function pool(connect: () => Promise<Fake>, limits = {}) {
  const all = { connectionsMax: 2, waitMs: 100, waitersMax: 3, ...limits };
  return new ConnectionPool(connect, all, context, new DatabaseStats());
}

function later<T>(value: T, ms = 20): Promise<T> {
  return new Promise((resolve) => setTimeout(() => resolve(value), ms));
}

describe('the pool of connections', () => {
  it('makes no more than it may, and uses them again', async () => {
    let made = 0;
    const connections = pool(
      async () => {
        made += 1;
        return new Fake();
      },
      { waitersMax: 9 },
    );
    let working = 0;
    await Promise.all(
      Array.from({ length: 5 }, () =>
        connections.use(async () => {
          working += 1;
          expect(working).toBeLessThanOrEqual(2);
          await later(undefined, 5);
          working -= 1;
        }),
      ),
    );
    expect(made).toBe(2);
    expect(connections.counts).toEqual({ open: 2, idle: 2, max: 2, waiting: 0 });
    await connections.close();
    expect(connections.counts.open).toBe(0);
  });

  it('refuses who would wait in a line too long, or too long in the line', async () => {
    const connections = pool(async () => new Fake());
    const work = [1, 2].map(() => connections.use(() => later('done', 300)));
    await later(undefined, 1);
    const waiting = Array.from({ length: 4 }, () => connections.use(async () => 'done'));
    const results = await Promise.allSettled(waiting);
    expect(results.map(({ status }) => status)).toEqual(Array(4).fill('rejected'));
    expect(String((results[3] as PromiseRejectedResult).reason)).toContain('3 calls already wait');
    expect(String((results[0] as PromiseRejectedResult).reason)).toContain('busy for 100 ms');
    expect((results[0] as PromiseRejectedResult).reason).not.toBeInstanceOf(DatabaseAway);
    expect(await Promise.all(work)).toEqual(['done', 'done']);
    await connections.close();
  });

  it('drops a broken connection and makes another', async () => {
    const made: Fake[] = [];
    const connections = pool(async () => {
      const fake = new Fake();
      made.push(fake);
      return fake;
    });
    await connections.use(async (fake) => {
      fake.isUsable = false;
    });
    await connections.use(async (fake) => expect(fake).toBe(made[1]));
    expect(made.map(({ isClosed }) => isClosed)).toEqual([true, false]);
    await connections.close();
  });

  it('tries again while somebody waits, and says at last why it failed', async () => {
    let isUp = false;
    const connections = pool(
      async () => {
        if (!isUp) throw new DatabaseAway('nobody is there');
        return new Fake();
      },
      { waitMs: 400 },
    );
    const first = connections.use(async () => 'worked');
    await later(undefined, 60);
    isUp = true;
    expect(await first).toBe('worked');
    await connections.close();
    isUp = false;
    const away = pool(async () => Promise.reject(new DatabaseAway('nobody is there')));
    await expect(away.use(async () => 'worked')).rejects.toThrow('nobody is there');
    const refused = pool(async () => Promise.reject(new LogError('refused', 'wrong password')), { waitMs: 60_000 });
    await expect(refused.use(async () => 'worked')).rejects.toMatchObject({ code: 'refused' });
    await Promise.all([away.close(), refused.close()]);
  });

  it('lets work end, and nobody new in, when it closes', async () => {
    const connections = pool(async () => new Fake(), { connectionsMax: 1, waitMs: 5_000 });
    const work = connections.use(() => later('done', 50));
    await later(undefined, 1);
    const waiting = connections.use(async () => 'never');
    const closing = connections.close();
    await expect(waiting).rejects.toMatchObject({ code: 'closed' });
    await expect(connections.use(async () => 'never')).rejects.toMatchObject({ code: 'closed' });
    expect(await work).toBe('done');
    await closing;
  });
});

describe('the breaker', () => {
  it('opens after failures in a row, fails at once, and closes by its probe', async () => {
    const stats = new DatabaseStats();
    let isUp = false;
    let calls = 0;
    const call = async () => {
      calls += 1;
      if (!isUp) throw new DatabaseAway('nobody is there');
      return 'worked';
    };
    const breaker = new Breaker(context, stats, call);
    // Errors of another kind say nothing against the database.
    for (let i = 0; i < 5; i++) {
      await expect(breaker.run(() => Promise.reject(new LogError('unavailable', 'disk full')))).rejects.toThrow(
        'disk full',
      );
    }
    expect(stats.breakerState.value).toBe(0);
    for (let i = 0; i < 3; i++) await expect(breaker.run(call)).rejects.toThrow('nobody is there');
    expect(stats.breakerState.value).toBe(2);
    const before = calls;
    await expect(breaker.run(call)).rejects.toMatchObject({
      name: 'LogError',
      code: 'unavailable',
      message: 'nobody is there',
    });
    expect(calls).toBe(before);
    isUp = true;
    for (let i = 0; i < 500 && !breaker.isClosed; i++) await later(undefined, 10);
    expect(stats).toMatchObject({ breakerState: { value: 0 }, breakerOpened: { value: 1 } });
    expect(await breaker.run(call)).toBe('worked');
    breaker.stop();
  });
});
