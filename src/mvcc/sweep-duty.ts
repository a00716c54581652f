import type { SharedLog } from './log.ts';

/** The duty to sweep a shared log, for one replica. Both reject with LogError. */
export interface SweepDuty {
  /** Takes or keeps it; false when another replica has it. */
  claim(holdMs: number): Promise<boolean>;
  release(): Promise<void>;
}

/** `holder` names the replica. */
export function sweepDuty(log: SharedLog, holder: string): SweepDuty {
  return {
    claim: async (holdMs) => (await log.claimDuty(DUTY, holder, holdMs)) !== undefined,
    release: () => log.releaseDuty(DUTY, holder),
  };
}

const DUTY = 'compact';
