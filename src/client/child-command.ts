import { spawn } from 'node:child_process';
import { goQuote } from './format/go-quote.ts';
import type { ClientHost } from './host.ts';

/** How a command that was run ended: its exit code, and that in words; undefined words: well. */
export interface ChildEnd {
  readonly code: number;
  readonly failure: string | undefined;
}

const NOT_RUN = 1;

/** Runs a command to its end, with more variables than ours, no input, and our outputs. */
export function runChild(
  host: ClientHost,
  [program = '', ...args]: readonly string[],
  variables: Readonly<Record<string, string>>,
): Promise<ChildEnd> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...host.environment, ...variables },
    });
    child.once('error', (error: NodeJS.ErrnoException) => {
      const missing = error.code === 'ENOENT' && !program.includes('/');
      const why = missing ? `exec: ${goQuote(program)}: executable file not found in $PATH` : error.message;
      resolve({ code: NOT_RUN, failure: why });
    });
    child.once('close', (code, signal) => {
      if (code === 0) resolve({ code, failure: undefined });
      else if (code !== null) resolve({ code, failure: `exit status ${code}` });
      else resolve({ code: NOT_RUN, failure: `signal: ${signal ?? 'unknown'}` });
    });
  });
}
