/**
 * The program. Everything it can do is a Command (`base/command.ts`): `serve` is the server's, the others are ctl's.
 */

import { systemRandom } from './base/chance.ts';
import { systemClock } from './base/clock.ts';
import { type Command, ExitCode } from './base/command.ts';
import { checkCommand } from './ctl/check.ts';
import { runCommandLine } from './ctl/command-line.ts';
import { completionCommand } from './ctl/completion.ts';
import { peersCommand } from './ctl/peers.ts';
import { snapshotRestoreCommand } from './ctl/snapshot-restore.ts';
import { kedgeVersion, versionCommand } from './ctl/version.ts';
import { ETCD_VERSION } from './etcd/version.ts';
import { resourcesCommands } from './resources/resources-command.ts';
import { serveCommand } from './server/serve.ts';

const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** On a terminal each line takes the place of the last one; elsewhere there is none. */
const progress = (line: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line}`);
};

const commands: Command[] = [
  serveCommand({ clock: systemClock, process, print, version: kedgeVersion() }),
  checkCommand({ print, progress }),
  snapshotRestoreCommand(print),
  peersCommand(print, systemClock),
  ...resourcesCommands({ clock: systemClock, random: systemRandom, print, columns: () => process.stdout.columns }),
  versionCommand(ETCD_VERSION, print),
  completionCommand(() => commands, print),
];

// A reader that stops reading (`kedge serve --help | head`) is no defect.
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  process.exit(error.code === 'EPIPE' ? 0 : ExitCode.failed),
);

process.exit(
  await runCommandLine(process.argv.slice(2), {
    commands,
    version: kedgeVersion(),
    environment: process.env,
    output: {
      out: (text) => process.stdout.write(text),
      err: (text) => process.stderr.write(text),
      columns: process.stdout.columns,
    },
  }),
);
