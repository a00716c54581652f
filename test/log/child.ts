import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What appender.ts tells. */
export interface Told {
  readonly opened?: number;
  readonly committed?: number;
  readonly failed?: string;
  readonly message?: string;
  readonly readable?: boolean;
  readonly refused?: string;
}

/** An appender process and what it has told so far. */
export class Appender {
  readonly process: ChildProcess;
  readonly told: Told[] = [];
  #wake: () => void = () => {};
  readonly exited: Promise<void>;

  /** `prefix`: shell words before the command, such as a limit. `around`: a command that runs the shell. */
  constructor(url: string, inFlight: number, prefix = '', around = '') {
    const program = fileURLToPath(new URL('./appender.js', import.meta.url));
    this.process = spawn(
      'sh',
      ['-c', `exec ${around} sh -c '${prefix} exec "$@"' sh "$@"`, 'sh', process.execPath, program, url, `${inFlight}`],
      {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      },
    );
    this.process.on('message', (message) => {
      this.told.push(message as Told);
      this.#wake();
    });
    this.exited = new Promise((resolve) => {
      this.process.on('exit', () => {
        resolve();
        this.#wake();
      });
    });
  }

  /** Waits until something told after position `from` fits. Rejects when the process ends before. */
  async until(fits: (told: Told) => boolean, from = 0): Promise<Told> {
    for (let i = from; ; ) {
      for (; i < this.told.length; i++) {
        const told = this.told[i];
        if (told !== undefined && fits(told)) return told;
      }
      if (this.process.exitCode !== null || this.process.signalCode !== null) {
        throw new Error(`the appender ended: ${JSON.stringify(this.told.at(-1))}`);
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** kill -9; waits until it is gone. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.exited;
  }
}
