import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { removeFolder } from './temporary.ts';

const LOG_BYTES_MAX = 64 * 1024;
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A server in a process of its own: etcd or kedge. Killed at the latest when the test process ends. */
export class ServerProcess {
  readonly host: string;
  readonly port: number;
  readonly command: readonly string[];
  private readonly child: ChildProcess;
  private readonly closed: Promise<unknown>;
  private log = '';

  /** `ownFolder` goes when the server has ended. */
  constructor(
    command: readonly string[],
    port: number,
    environment: Readonly<Record<string, string>> = {},
    ownFolder?: string,
    host = '127.0.0.1',
  ) {
    this.host = host;
    const [program, ...args] = command;
    if (program === undefined) throw new Error('no command');
    this.port = port;
    this.command = command;
    this.child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...environment } });
    running.add(this.child);
    this.closed = once(this.child, 'close').then(() => {
      running.delete(this.child);
      if (ownFolder !== undefined) removeFolder(ownFolder);
    });
    this.child.once('error', (error) => this.note(String(error)));
    this.child.stdout?.on('data', (data: Buffer) => this.note(data.toString()));
    this.child.stderr?.on('data', (data: Buffer) => this.note(data.toString()));
  }

  get endpoint(): string {
    return `${this.host}:${this.port}`;
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error(`not started: ${this.log}`);
    return this.child.pid;
  }

  get alive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  get exitCode(): number | null {
    return this.child.exitCode;
  }

  /** The end of what it wrote. */
  get output(): string {
    return this.log;
  }

  /** Throws with the server's last words when it has ended: then every other failure is only what followed. */
  mustBeAlive(): void {
    if (!this.alive)
      throw new Error(`the server has ended (${this.child.exitCode ?? this.child.signalCode}):\n${this.log}`);
  }

  /** Resolves when /health answers that it is healthy; throws with the server's own words when it ends instead. */
  async ready(withinMs = 30_000): Promise<void> {
    const deadline = performance.now() + withinMs;
    while (!(await this.healthy())) {
      if (!this.alive) throw new Error(`ended (${this.child.exitCode}) before it was ready:\n${this.log}`);
      if (performance.now() > deadline) throw new Error(`not ready in time:\n${this.log}`);
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
  }

  /** Asks to end, and waits for it. */
  async stop(signal: 'SIGTERM' | 'SIGINT' = 'SIGTERM'): Promise<number | null> {
    if (this.alive) this.child.kill(signal);
    await this.closed;
    return this.child.exitCode;
  }

  /** kill -9, and waits until the process is gone. */
  async kill(): Promise<void> {
    if (this.alive) this.child.kill('SIGKILL');
    await this.closed;
  }

  private async healthy(): Promise<boolean> {
    if (!(await reachable(this.host, this.port))) return false;
    try {
      const response = await fetch(`http://${this.endpoint}/health`);
      const health = (await response.json()) as { health?: unknown };
      return health.health === 'true' || health.health === true;
    } catch {
      return false; // Not yet: `ready` asks again until its deadline.
    }
  }

  private note(text: string): void {
    this.log = (this.log + text).slice(-LOG_BYTES_MAX);
  }
}

function reachable(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
