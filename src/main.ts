/**
 * The program. Everything it can do is a Command (`base/command.ts`): `serve` is the server's, `get` and its like the
 * client's, the others are ctl's.
 */

import { systemClock } from './base/clock.ts';
import { type Command, ExitCode } from './base/command.ts';
import { allClientCommands, clientCommandsNamed } from './client/groups.ts';
import type { ClientHost } from './client/host.ts';
import { runCommandLine } from './ctl/command-line.ts';
import { showSourcesInStacks } from './ctl/source-stacks.ts';
import { kedgeVersion } from './ctl/version.ts';

showSourcesInStacks();

const print = (line: string): void => void process.stdout.write(`${line}\n`);

const clientHost: ClientHost = {
  clock: systemClock,
  environment: process.env,
  // Opened only when something reads it: an open one keeps a pipe's writer waiting.
  get input() {
    return process.stdin;
  },
  out: (data) => void process.stdout.write(data),
  err: (text) => void process.stderr.write(text),
  isTerminal: process.stdout.isTTY === true,
  onStopSignal(listener) {
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, listener);
  },
};

// A reader that stops reading (`kedge serve --help | head`) is no defect.
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  process.exit(error.code === 'EPIPE' ? 0 : ExitCode.failed),
);

main(process.argv.slice(2)).then((code) => process.exit(code));

async function main(words: readonly string[]): Promise<number> {
  return runCommandLine(words, {
    commands: (await clientCommandsNamed(words, clientHost)) ?? (await serveAlone(words)) ?? (await allCommands()),
    version: kedgeVersion(),
    environment: process.env,
    output: {
      out: (text) => process.stdout.write(text),
      err: (text) => process.stderr.write(text),
      columns: process.stdout.columns,
    },
  });
}

/** A server's start is its downtime: it loads nothing of what serves nobody. */
async function serveAlone([first]: readonly string[]): Promise<Command[] | undefined> {
  if (first !== 'serve') return undefined;
  const { serveCommand } = await import('./server/serve.ts');
  return [serveCommand({ clock: systemClock, process, print, version: kedgeVersion() })];
}

/** Loaded when neither the server nor a client command was named at once. */
async function allCommands(): Promise<Command[]> {
  const { houseCommands } = await import('./house-commands.ts');
  const commands = houseCommands(print, () => commands);
  commands.push(...(await allClientCommands(clientHost)));
  return commands;
}
