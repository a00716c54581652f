import { describe, expect, it } from 'vitest';
import type { DutyClaim, DutyFence } from '../../src/mvcc/duty-fence.ts';
import { pause } from '../shared/database.ts';

/** What any fence must do; `two`: as two replicas have it. */
export function dutyFenceContract(two: () => Promise<{ readonly a: DutyFence; readonly b: DutyFence }>): void {
  describe('duties', () => {
    const byName = (claims: readonly DutyClaim[]): Map<string, DutyClaim> =>
      new Map(claims.map((claim) => [claim.duty, claim]));

    it('are claimed once an interval, by whoever comes first, each time with the next epoch', async () => {
      const { a, b } = await two();
      const hourly = [{ duty: 'sweep', dueAfterMs: 3_600_000 }];
      expect(await a.claimDuties(hourly, 'a')).toEqual([
        { duty: 'sweep', epoch: 1, holder: 'a', ageMs: Number.POSITIVE_INFINITY, isGranted: true },
      ]);
      for (const [fence, holder] of [
        [a, 'a'],
        [b, 'b'],
      ] as const) {
        const [claim] = await fence.claimDuties(hourly, holder);
        expect(claim).toMatchObject({ duty: 'sweep', epoch: 1, holder: 'a', isGranted: false });
        expect(claim?.ageMs).toBeGreaterThanOrEqual(0);
        expect(claim?.ageMs).toBeLessThan(60_000);
      }
      await pause(60);
      const [claim] = await b.claimDuties([{ duty: 'sweep', dueAfterMs: 50 }], 'b');
      expect(claim).toMatchObject({ duty: 'sweep', epoch: 2, holder: 'b', isGranted: true });
      expect(claim?.ageMs).toBeGreaterThanOrEqual(50);
      expect(await a.claimDuties(hourly, 'a')).toMatchObject([{ epoch: 2, holder: 'b', isGranted: false }]);
    });

    it('are claimed many at once, each by itself', async () => {
      const { a, b } = await two();
      await a.claimDuties(
        ['expire-00', 'expire-02'].map((duty) => ({ duty, dueAfterMs: 1000 })),
        'a',
      );
      await pause(30);
      const claims = byName(
        await b.claimDuties(
          [
            { duty: 'expire-00', dueAfterMs: 20 },
            { duty: 'expire-01', dueAfterMs: 20 },
            { duty: 'expire-02', dueAfterMs: 60_000 },
          ],
          "b's",
        ),
      );
      expect(claims.size).toBe(3);
      expect(claims.get('expire-00')).toMatchObject({ epoch: 2, holder: "b's", isGranted: true });
      expect(claims.get('expire-01')).toMatchObject({ epoch: 1, holder: "b's", isGranted: true });
      expect(claims.get('expire-02')).toMatchObject({ epoch: 1, holder: 'a', isGranted: false });
      const records = [...(await a.readDuties())].sort((x, y) => (x.duty < y.duty ? -1 : 1));
      expect(records).toMatchObject([
        { duty: 'expire-00', epoch: 2, holder: "b's" },
        { duty: 'expire-01', epoch: 1, holder: "b's" },
        { duty: 'expire-02', epoch: 1, holder: 'a' },
      ]);
      expect((records[2]?.ageMs ?? 0) - (records[0]?.ageMs ?? 0)).toBeGreaterThanOrEqual(20);
    });

    it('are given to one of many that claim at once: no epoch twice, none too early', async () => {
      const { a, b } = await two();
      const granted: DutyClaim[] = [];
      for (let round = 0; round < 6; round += 1) {
        const asked = Array.from({ length: 8 }, (_, i) =>
          (i % 2 === 0 ? a : b).claimDuties(
            ['x', 'y', 'z'].slice(i % 3).map((duty) => ({ duty, dueAfterMs: 40 })),
            String(i),
          ),
        );
        granted.push(...(await Promise.all(asked)).flat().filter(({ isGranted }) => isGranted));
        await pause(50);
      }
      for (const { duty, epoch, holder } of await a.readDuties()) {
        const own = granted.filter((claim) => claim.duty === duty).sort((x, y) => x.epoch - y.epoch);
        expect(own.map((claim) => claim.epoch)).toEqual(Array.from({ length: epoch }, (_, i) => i + 1));
        expect(epoch).toBeGreaterThanOrEqual(6);
        expect(own.at(-1)?.holder).toBe(holder);
        for (const { ageMs } of own) expect(ageMs).toBeGreaterThanOrEqual(40);
      }
      expect(await a.readDuties()).toHaveLength(3);
    });
  });
}
