import { duration, integer, option, text } from '../base/options.ts';
import { LIMITS } from './limits.ts';

const GROUP = 'Backups';

/** Snapshots that serve takes by itself. */
export const BACKUP_OPTIONS = {
  backupDir: option(text('path'), {
    flag: 'backup-dir',
    default: '',
    defaultText: 'none: no backups',
    group: GROUP,
    help: 'a folder, on another disk if there is one, into which a snapshot is written again and again',
  }),
  backupInterval: option(duration(LIMITS.backupIntervalMsMin), {
    flag: 'backup-interval',
    default: LIMITS.backupIntervalMs,
    group: GROUP,
    help: 'how long from one backup to the next',
  }),
  backupKeep: option(integer(1, LIMITS.backupsKeptMax), {
    flag: 'backup-keep',
    default: LIMITS.backupsKept,
    group: GROUP,
    help: 'how many backups stay; older ones are deleted',
  }),
} as const;
