import { type ChildProcess, spawn } from 'node:child_process';
import { etcdctlProgram } from '../support/etcd.ts';
import { kedgeFile } from '../support/project.ts';
import type { Ran } from './in-process.ts';

/** A client program: etcdctl, or ours as it is installed. */
export type Program = readonly string[];

export const KEDGE: Program = [process.execPath, kedgeFile];

export function etcdctl(): Program {
  const program = etcdctlProgram('3.5');
  if (program === undefined) throw new Error('no etcdctl 3.5');
  return [program];
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A client that goes on until it is stopped. */
export class Running {
  private readonly child: ChildProcess;
  private readonly closed: Promise<number>;
  stdout = '';
  stderr = '';

  constructor(program: Program, words: readonly string[], environment: Readonly<Record<string, string>>) {
    const [file = '', ...args] = [...program, ...words];
    const env = { PATH: process.env['PATH'] ?? '', ...environment };
    this.child = spawn(file, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
    running.add(this.child);
    this.child.stdin?.on('error', () => undefined);
    this.child.stdout?.on('data', (data: Buffer) => (this.stdout += data.toString('latin1')));
    this.child.stderr?.on('data', (data: Buffer) => (this.stderr += data.toString('latin1')));
    this.closed = new Promise((resolve) => {
      this.child.once('close', (code, signal) => {
        running.delete(this.child);
        resolve(code ?? (signal === 'SIGINT' ? 130 : -1));
      });
    });
  }

  type(text: string): void {
    this.child.stdin?.write(text);
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Waits until what it printed holds for the test. */
  async until(holds: (stdout: string) => boolean): Promise<string> {
    const deadline = performance.now() + 30_000;
    while (!holds(this.stdout)) {
      if (performance.now() > deadline) throw new Error(`printed only:\n${this.stdout}\n${this.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return this.stdout;
  }

  /** Waits for its end; what it still wants to read is at its end. */
  async end(signal?: NodeJS.Signals): Promise<Ran> {
    if (signal === undefined) this.child.stdin?.end();
    else this.child.kill(signal);
    const code = await this.closed;
    const noise = /^\{"level".*\n/gm;
    return { code, stdout: this.stdout, stderr: this.stderr.replace(noise, '') };
  }
}
