import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { kedgeFile } from '../support/project.ts';

/** For a test or hook: each starts several servers and programs, one after the other, on a machine that has other work. */
export const TIMEOUT_MS = 300_000;

const program = [kedgeFile];

/** A store that startKedge with this data folder serves; it need not survive a power cut, and is made quickly. */
export function storeUrl(folder: string): string {
  return `sqlite://${pathToFileURL(folder).pathname}/kedge.db?synchronous=normal&wal_mib=1`;
}

/** Runs kedge to its end; throws with all that it wrote unless it ends with `code`. Answers what it wrote. */
export async function kedge(args: readonly string[], code = 0): Promise<string> {
  const running = new RunningKedge(args);
  const ended = await running.ended();
  if (ended !== code) throw new Error(`kedge ${args.join(' ')} ended with ${ended}:\n${running.output}`);
  return running.output;
}

/** Runs any program; throws with all that it wrote unless it ends well. */
export function run(command: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ETCDCTL_API: '3', ...environment };
    execFile(command, args, { env, timeout: 120_000 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${command} ${args.join(' ')}: ${error.message}\n${stdout}${stderr}`));
    });
  });
}

/** A kedge that goes on, such as `migrate --follow`. */
export class RunningKedge {
  output = '';
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;

  constructor(args: readonly string[]) {
    this.#child = spawn(process.execPath, [...program, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stdout?.on('data', (data: Buffer) => (this.output += data.toString()));
    this.#child.stderr?.on('data', (data: Buffer) => (this.output += data.toString()));
    this.#closed = once(this.#child, 'close');
  }

  /** Waits until what it wrote matches. */
  async until(pattern: RegExp): Promise<void> {
    for (let i = 0; !pattern.test(this.output); i += 1) {
      if (i > 12_000 || this.#child.exitCode !== null) throw new Error(`no ${pattern} in:\n${this.output}`);
      await sleep(10);
    }
  }

  pressEnter(): void {
    this.#child.stdin?.write('\n');
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async ended(): Promise<number | null> {
    await this.#closed;
    return this.#child.exitCode;
  }
}
