/** A server under measurement: a child process group with a data folder of its own, on a free port of loopback. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../test/support/ports.ts';
import { keyTemplate } from '../etcd/keyspace.ts';
import { FixedMessage } from '../etcd/messages.ts';
import { path } from '../etcd/paths.ts';
import { bytesField } from '../etcd/protobuf.ts';
import { runToEnd } from '../load/measure.ts';
import { processesOf, residentMebibytesOf } from '../load/usage.ts';
import type { Workload } from '../load/workload.ts';

/** The command of a peer: program and arguments for its data folder and client port. */
export interface PeerProgram {
  readonly name: string;
  command(dataFolder: string, port: number, spare: number): readonly string[];
}

const startSecondsMax = 120;
const stopSecondsMax = 20;
const keptOutputBytes = 4000;
const running = new Set<Peer>();

export class Peer {
  readonly program: PeerProgram;
  readonly dataFolder: string;
  readonly port: number;
  readonly #child: ChildProcess;
  #output = '';
  #isEnding = false;
  pids: readonly number[] = [];

  private constructor(program: PeerProgram, dataFolder: string, port: number, spare: number) {
    this.program = program;
    this.dataFolder = dataFolder;
    this.port = port;
    const [file = '', ...args] = program.command(dataFolder, port, spare);
    // A group of its own, so that what a wrapper script starts is measured and ended with it.
    this.#child = spawn(file, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.on('error', (error) => this.#keep(`${error.message}\n`));
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (text) => this.#keep(String(text)));
    this.#child.once('exit', (code, signal) => this.#noteEnd(signal ?? code));
    running.add(this);
  }

  /** Starts the program on fresh data under `folder`, or on that of a peer that was stopped; resolves when it answers a get. */
  static async start(program: PeerProgram, folder: string, dataFolder?: string): Promise<Peer> {
    const data = dataFolder ?? mkdtempSync(join(folder, `${program.name}-`));
    const peer = new Peer(program, data, await freePort(), await freePort());
    const giveUpAt = performance.now() + startSecondsMax * 1000;
    for (;;) {
      try {
        await runToEnd(peer.port, { connections: 1, callsPerConnection: 1 }, new OneGet());
        break;
      } catch (error) {
        if (peer.#child.exitCode !== null || peer.#child.pid === undefined || performance.now() > giveUpAt) {
          peer.kill();
          throw new Error(`${program.name} did not start (${String(error)}); it said:\n${peer.#output}`);
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    peer.pids = processesOf(peer.#group());
    return peer;
  }

  residentMebibytes(): number {
    return residentMebibytesOf(this.pids);
  }

  /** Asks it to end, as a service manager does, and waits until it has. The data stay. */
  async stop(): Promise<void> {
    this.#isEnding = true;
    const ended = new Promise<void>((resolve) => {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) resolve();
      else this.#child.once('exit', () => resolve());
    });
    this.#signal('SIGTERM');
    const impatient = setTimeout(() => this.#signal('SIGKILL'), stopSecondsMax * 1000);
    await ended;
    clearTimeout(impatient);
    running.delete(this);
  }

  /** Ends it and removes its data. */
  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.dataFolder, { recursive: true, force: true });
  }

  /** It stands still until it is thawed; what is sent to it waits. */
  freeze(): void {
    this.#signal('SIGSTOP');
  }

  thaw(): void {
    this.#signal('SIGCONT');
  }

  /** Ends it at once. */
  kill(): void {
    this.#isEnding = true;
    this.#signal('SIGKILL');
    running.delete(this);
  }

  /** Without this a server that dies under load looks like one that closes connections. */
  #noteEnd(how: string | number | null): void {
    if (this.#isEnding && (how === 0 || how === 'SIGTERM' || how === 'SIGKILL')) return;
    process.stderr.write(`${this.program.name} has ended by itself (${how}); it said last:\n${this.#output}\n`);
  }

  #group(): number {
    return this.#child.pid ?? 0;
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#group() === 0) return;
    try {
      process.kill(-this.#group(), signal);
    } catch {
      // The group is gone already.
    }
  }

  #keep(text: string): void {
    this.#output = (this.#output + text).slice(-keptOutputBytes);
  }
}

/** Ends whatever still runs: for the way out after a failure or a signal. */
export function killAll(): void {
  for (const peer of running) peer.kill();
}

/** One get, which any state of the store can answer. */
class OneGet implements Workload {
  readonly kind = 'unary';
  #left = 1;

  next(): FixedMessage | undefined {
    return this.#left-- > 0 ? new FixedMessage(path.range, bytesField(1, keyTemplate)) : undefined;
  }

  check(): void {
    // Any answer will do.
  }
}
