import { counter, type Family, gauge } from '../admin/exposition.ts';
import type { StoreChecksStats } from './store-checks.ts';

/** What the store found when it checked itself, for /metrics. */
export function checkFamilies(stats: StoreChecksStats): Family[] {
  return [
    counter('kedge_check_runs_total', 'Checks that came to their end.', stats.checks),
    counter('kedge_check_failures_total', 'Checks that did not.', stats.failures),
    gauge('kedge_check_findings', 'What the last check found wrong.', stats.findings),
    gauge('kedge_check_last_timestamp_seconds', 'When that was, in Unix time; 0: never.', stats.lastSeconds),
  ];
}
