import { describe, expect, it } from 'vitest';
import { Ripening } from './ripening.ts';

describe('a horizon', () => {
  it('is ripe when the grace is over', () => {
    const ripening = new Ripening(1000);
    expect(ripening.leftMs(0)).toBe(0);
    ripening.moved(10, 0);
    expect(ripening.horizon(999)).toBe(0);
    expect(ripening.leftMs(400)).toBe(600);
    expect(ripening.horizon(1000)).toBe(10);
    expect(ripening.leftMs(1000)).toBe(0);
  });

  it('that moves while another one waits comes with the next', () => {
    const ripening = new Ripening(1000);
    for (let nowMs = 0; nowMs <= 5000; nowMs += 100) {
      ripening.moved(10 + nowMs, nowMs);
      // Never younger than the grace, never older than two.
      const ripe = ripening.horizon(nowMs);
      if (nowMs >= 1000) expect(ripe).toBeLessThanOrEqual(10 + nowMs - 1000);
      if (nowMs >= 2000) expect(ripe).toBeGreaterThanOrEqual(10 + nowMs - 2000);
    }
    expect(ripening.horizon(7100)).toBe(10 + 5000);
  });

  it('is ripe at once without a grace', () => {
    const ripening = new Ripening(0);
    ripening.moved(10, 5);
    expect(ripening.horizon(5)).toBe(10);
    ripening.moved(11, 5);
    expect(ripening.horizon(5)).toBe(11);
  });
});
