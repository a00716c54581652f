import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type EtcdVersion, etcdctlProgram } from '../support/etcd.ts';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** etcdctl of one version, talking to one server. */
export class Etcdctl {
  private readonly program: string;
  private readonly endpoint: string;

  constructor(version: EtcdVersion, endpoint: string) {
    const program = etcdctlProgram(version);
    if (program === undefined) throw new Error(`no etcdctl ${version}`);
    this.program = program;
    this.endpoint = endpoint;
  }

  /** Runs it to its end. `input` is what it reads from the terminal. */
  run(args: readonly string[], input = ''): Promise<Ran> {
    return new Promise((resolve) => {
      const child = execFile(this.program, this.flags(args), { env, timeout: 30_000 }, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ code, stdout, stderr });
      });
      // It may have ended without reading.
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(input);
    });
  }

  /** Runs it; throws unless it ends well. Answers what it printed. */
  async ok(...args: readonly string[]): Promise<string> {
    const ran = await this.run(args);
    if (ran.code !== 0) throw new Error(`etcdctl ${args.join(' ')}: ${ran.code}\n${ran.stdout}${ran.stderr}`);
    return ran.stdout;
  }

  /** Starts one that does not end by itself. */
  start(...args: readonly string[]): Running {
    return new Running(spawn(this.program, this.flags(args), { env, stdio: ['ignore', 'pipe', 'pipe'] }));
  }

  private flags(args: readonly string[]): string[] {
    return [`--endpoints=${this.endpoint}`, ...args];
  }
}

const env = { ...process.env, ETCDCTL_API: '3' };

/** An etcdctl that goes on: watch, lease keep-alive, make-mirror. */
export class Running {
  private readonly child: ChildProcess;
  private printed = '';

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.on('data', (data: Buffer) => (this.printed += data.toString()));
    child.stderr?.on('data', (data: Buffer) => (this.printed += data.toString()));
  }

  get output(): string {
    return this.printed;
  }

  /** Waits until what it printed holds for the test. */
  async until(holds: (output: string) => boolean): Promise<string> {
    const deadline = performance.now() + 20_000;
    while (!holds(this.printed)) {
      if (performance.now() > deadline) throw new Error(`etcdctl printed only:\n${this.printed}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return this.printed;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGKILL');
    await once(this.child, 'close');
  }
}
