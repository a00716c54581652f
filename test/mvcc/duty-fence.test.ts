import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { MysqlLog } from '../../src/log/mysql/mysql-log.ts';
import { parseMysqlUrl } from '../../src/log/mysql/options.ts';
import { parsePostgresUrl } from '../../src/log/postgres/options.ts';
import { PostgresLog } from '../../src/log/postgres/postgres-log.ts';
import type { AppendBatch, AppendResult } from '../../src/mvcc/log.ts';
import { SharedMemoryLog, SharedMemoryStore } from '../../src/mvcc/shared-memory-log.ts';
import type { Change } from '../../src/mvcc/types.ts';
import { SimulatedClock } from '../peers/simulated-clock.ts';
import { pause } from '../shared/database.ts';
import { hasMariadb, MariadbServer } from '../support/mariadb.ts';
import { hasPostgres, PostgresServer } from '../support/postgres.ts';
import { type DutyFleetResult, runDutyFleet } from './duty-fleet.ts';

/*
 * Random views, random pauses, n runners, on every engine: no lease ends twice, none that lives ends, ever, and all end.
 */

/** An engine that forgets what every engine promises: that an expiry holds only if the time is over in the very commit. */
class CarelessLog extends SharedMemoryLog {
  protected override appendNow(batch: AppendBatch, changes: readonly Change[]): AppendResult {
    const notes = batch.notes.map(({ after, change }) =>
      change.kind === 'expire' ? { after, change: { kind: 'revoke' as const, id: change.id } } : { after, change },
    );
    return super.appendNow({ ...batch, notes }, changes);
  }
}

function inMemory(seed: number, Log: typeof SharedMemoryLog): Promise<DutyFleetResult> {
  const clock = new SimulatedClock();
  const store = new SharedMemoryStore(() => clock.monotonicMs());
  const pass = async (ms: number): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    await clock.pass(ms);
  };
  return runDutyFleet({ seed, clock, pass, log: () => new Log(store), steps: 150, slackMs: 0 });
}

describe('leases of replicas that see each other and stand still as chance has it', () => {
  it('end once, and none before its time, in a database in memory', { timeout: 240_000 }, async () => {
    const all = { expired: 0, rolledBack: 0, takeovers: 0, pauses: 0 };
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const result = await inMemory(seed, SharedMemoryLog);
        expect(result.wrong).toEqual([]);
        for (const name of ['expired', 'rolledBack', 'takeovers', 'pauses'] as const) all[name] += result[name];
      }),
      { numRuns: 25 },
    );
    // Else the pauses were too tame to prove anything.
    expect(all.expired).toBeGreaterThan(100);
    expect(all.rolledBack).toBeGreaterThan(0);
    expect(all.takeovers).toBeGreaterThan(100);
  });

  it('would not, were an engine to forget its condition', { timeout: 240_000 }, async () => {
    const wrong: string[] = [];
    for (let seed = 1; seed <= 25 && wrong.length === 0; seed += 1) {
      wrong.push(...(await inMemory(seed, CarelessLog)).wrong);
    }
    expect(wrong.join()).toMatch(/ ms before its time/);
  });

  const inRealTime = (seed: number, log: Parameters<typeof runDutyFleet>[0]['log']): Promise<DutyFleetResult> =>
    runDutyFleet({ seed, clock: systemClock, pass: pause, log, steps: 80, slackMs: 20 });

  const SEEDS = [1, 2, 3];

  function judge(results: readonly DutyFleetResult[]): void {
    for (const [i, { wrong, expired }] of results.entries()) {
      expect({ seed: SEEDS[i], wrong }).toEqual({ seed: SEEDS[i], wrong: [] });
      expect(expired).toBeGreaterThan(0);
    }
    expect(results.some(({ takeovers }) => takeovers > 5)).toBe(true);
  }

  it.skipIf(!hasPostgres())(
    'end once, and none before its time, on a real PostgreSQL',
    { timeout: 240_000 },
    async () => {
      const server = await PostgresServer.start({ settings: { max_connections: '120' } });
      try {
        const fleet = (seed: number): Promise<DutyFleetResult> => {
          const options = parsePostgresUrl(server.url('postgres', `?${server.freshSchema()}&pool_max=4`));
          return inRealTime(seed, () => new PostgresLog(options));
        };
        judge(await Promise.all(SEEDS.map(fleet)));
      } finally {
        await server.dispose();
      }
    },
  );

  it.skipIf(!hasMariadb())('end once, and none before its time, on a real MariaDB', { timeout: 240_000 }, async () => {
    const server = await MariadbServer.start();
    try {
      const fleet = (seed: number): Promise<DutyFleetResult> => {
        const options = parseMysqlUrl(server.url(server.freshDatabase(), '?pool_max=4'));
        return inRealTime(seed, () => new MysqlLog(options));
      };
      judge(await Promise.all(SEEDS.map(fleet)));
    } finally {
      await server.dispose();
    }
  });
});
