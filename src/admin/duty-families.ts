import type { DutyState } from '../mvcc/duty.ts';
import type { DutyStats } from '../mvcc/duty-stats.ts';
import { counter, type Family, gauge } from './exposition.ts';

/** What one replica does for all, and how it stands. */
export interface DutyCells {
  readonly stats: DutyStats;
  states(): readonly DutyState[];
}

export function dutyFamilies({ stats, states }: DutyCells): Family[] {
  return [
    gauge('kedge_duties_held', 'Duties that this replica claimed last.', () => states().filter(isOurs).length),
    {
      name: 'kedge_duty_epoch',
      help: 'How often a duty was claimed, by whomever, as last heard.',
      type: 'gauge',
      write(to) {
        for (const { name, epoch } of states()) to.sample(epoch, { duty: name });
      },
    },
    {
      name: 'kedge_duty_held',
      help: 'Whether this replica claimed the duty last.',
      type: 'gauge',
      write(to) {
        for (const state of states()) to.sample(isOurs(state) ? 1 : 0, { duty: state.name });
      },
    },
    {
      name: 'kedge_duty_late_seconds',
      help: 'How long a duty is left undone beyond its interval while there is something to do.',
      type: 'gauge',
      write(to) {
        for (const { name, lateMs } of states()) to.sample(lateMs / 1000, { duty: name });
      },
    },
    counter('kedge_duty_runs_total', 'Duties that this replica claimed and ran.', stats.runs),
    counter('kedge_duty_takeovers_total', 'Claims of duties that another replica had claimed before.', stats.takeovers),
    counter('kedge_duty_denied_total', 'Claims that came too early, or second.', stats.denied),
    counter('kedge_duty_failures_total', 'Claims and runs that failed and are tried again.', stats.failures),
  ];
}

function isOurs(state: DutyState): boolean {
  return state.isOurs;
}
