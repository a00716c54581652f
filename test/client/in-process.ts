import { Readable } from 'node:stream';
import { systemClock } from '../../src/base/clock.ts';
import { allClientCommands, clientCommandsNamed } from '../../src/client/groups.ts';
import type { ClientHost } from '../../src/client/host.ts';
import { runCommandLine } from '../../src/ctl/command-line.ts';

export interface Ran {
  readonly code: number;
  /** One character a byte, as stderr. */
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a client command of ours as main does, but in this process: a start of Node.js costs more than all of it. */
export async function runClient(
  words: readonly string[],
  environment: Readonly<Record<string, string>>,
  input: string | Uint8Array = '',
  isTerminal = false,
): Promise<Ran> {
  const out: Buffer[] = [];
  let stderr = '';
  const host: ClientHost = {
    clock: systemClock,
    environment,
    input: Readable.from([Buffer.from(input)], { objectMode: false }),
    out: (data) => void out.push(Buffer.from(data)),
    err: (text) => {
      stderr += text;
    },
    isTerminal,
    onStopSignal: () => undefined,
  };
  const commands = (await clientCommandsNamed(words, host)) ?? (await allClientCommands(host));
  const code = await runCommandLine(words, {
    commands,
    version: '0',
    environment,
    output: {
      out: (text) => void out.push(Buffer.from(text)),
      err: (text) => {
        stderr += text;
      },
      columns: undefined,
    },
  });
  return { code, stdout: Buffer.concat(out).toString('latin1'), stderr: Buffer.from(stderr).toString('latin1') };
}
