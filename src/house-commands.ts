/**
 * All commands but the client's. A file of its own, so that a client command loads none of it.
 */

import { systemRandom } from './base/chance.ts';
import { systemClock } from './base/clock.ts';
import type { Command } from './base/command.ts';
import { certsCommand } from './ctl/certs.ts';
import { checkCommand } from './ctl/check.ts';
import { completionCommand } from './ctl/completion.ts';
import { migrateCommand } from './ctl/migrate.ts';
import { peersCommand } from './ctl/peers.ts';
import { resourcesCommands } from './ctl/resources.ts';
import { snapshotExportCommand } from './ctl/snapshot-export.ts';
import { snapshotRestoreCommand } from './ctl/snapshot-restore.ts';
import { snapshotStatusCommand } from './ctl/snapshot-status.ts';
import { kedgeVersion, versionCommand } from './ctl/version.ts';
import { ETCD_VERSION } from './etcd/version.ts';
import { serveCommand } from './server/serve.ts';

/** On a terminal each line takes the place of the last one; elsewhere there is none. */
const progress = (line: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line}`);
};

/** `all` answers every command that there is, for completion. */
export function houseCommands(print: (line: string) => void, all: () => readonly Command[]): Command[] {
  return [
    serveCommand({ clock: systemClock, process, print, version: kedgeVersion() }),
    checkCommand({ print, progress }),
    migrateCommand({ clock: systemClock, process, print }),
    snapshotRestoreCommand(systemClock, print),
    snapshotStatusCommand(print),
    snapshotExportCommand(systemClock, print),
    certsCommand(systemClock, print),
    peersCommand(print, systemClock),
    ...resourcesCommands({ clock: systemClock, random: systemRandom, print, columns: () => process.stdout.columns }),
    versionCommand(ETCD_VERSION, print),
    completionCommand(all, print),
  ];
}
