import type { Counter, Gauge } from '../base/metrics.ts';
import { counter, type Family, gauge } from './exposition.ts';

/** Cells of the backups that are taken by schedule. */
export interface BackupCells {
  readonly taken: Counter;
  readonly failed: Counter;
  readonly lastSuccessSeconds: Gauge;
  readonly lastDurationSeconds: Gauge;
  readonly lastBytes: Gauge;
}

/** Only there when backups are on: an alert on an old last success then means something. */
export function backupFamilies(cells: BackupCells): Family[] {
  return [
    counter('kedge_backups_total', 'Backups taken since the start.', cells.taken),
    counter('kedge_backup_failures_total', 'Backups that failed; each is tried again.', cells.failed),
    gauge(
      'kedge_backup_last_success_timestamp_seconds',
      'When the last one was done; 0: none yet.',
      cells.lastSuccessSeconds,
    ),
    gauge('kedge_backup_last_duration_seconds', 'How long the last one took.', cells.lastDurationSeconds),
    gauge('kedge_backup_last_size_bytes', 'How large the last one is.', cells.lastBytes),
  ];
}
