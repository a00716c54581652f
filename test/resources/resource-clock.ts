import { ManualClock } from '../lease/manual-clock.ts';

/** A clock that stands still, and whose wall can be set apart, as people and time servers do. */
export class ResourceClock extends ManualClock {
  wallOffsetMs = Date.UTC(2026, 0, 1);

  override wallMs(): number {
    return this.nowMs + this.wallOffsetMs;
  }
}

export const DAY_MS = 24 * 3_600_000;
