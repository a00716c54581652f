import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cpuSecondsOf, processesOf, residentMebibytesOf } from '../load/usage.ts';
import type { PeerProgram } from '../peers/peer.ts';

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A kedge whose log is read as it comes: what it says of its members is when they were noticed. */
export class KedgeMember {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #events: { readonly event: string; readonly member: string; readonly atMs: number }[] = [];
  #partLine = '';

  /** `flags`: those about peers; none: a store by itself. */
  constructor(name: string, program: PeerProgram, folder: string, port: number, flags: readonly string[]) {
    this.name = name;
    const data = mkdtempSync(join(folder, 'kedge-'));
    const [file = '', ...args] = program.command(data, port, 0);
    const more = [`--name=${name}`, '--log-format=json', '--log-outputs=stdout', ...flags];
    this.#child = spawn(file, [...args, ...more], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
    running.add(this.#child);
    this.#child.once('close', () => running.delete(this.#child));
    this.#child.stdout?.on('data', (data: Buffer) => this.#read(data.toString()));
  }

  /** When it logged the event (about that member) for the `nth` time; undefined: not yet. */
  when(event: string, member?: string, nth = 1): number | undefined {
    return this.#events.filter((seen) => seen.event === event && (member === undefined || seen.member === member))[
      nth - 1
    ]?.atMs;
  }

  /** Members that are linked by its log. */
  get linked(): number {
    const count = (event: string): number => this.#events.filter((seen) => seen.event === event).length;
    return count('member linked') - count('member lost') - count('member left');
  }

  get residentMebibytes(): number {
    return residentMebibytesOf(processesOf(this.#child.pid ?? 0));
  }

  get cpuSeconds(): number {
    return cpuSecondsOf(processesOf(this.#child.pid ?? 0));
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#child.pid !== undefined && running.has(this.#child)) process.kill(-this.#child.pid, signal);
  }

  #read(text: string): void {
    const lines = (this.#partLine + text).split('\n');
    this.#partLine = lines.pop() ?? '';
    for (const line of lines) {
      const entry = JSON.parse(line) as { msg?: string; member?: string };
      this.#events.push({ event: entry.msg ?? '', member: entry.member ?? '', atMs: performance.now() });
    }
  }
}

/** Starts kedges on loopback addresses of their own, all with the same list. */
export function startKedges(
  program: PeerProgram,
  folder: string,
  ports: readonly number[],
  peerPort: number,
): KedgeMember[] {
  const addresses = ports.map((_, i) => `127.0.4.${i + 1}:${peerPort}`);
  const secretFile = secretFileIn(folder);
  return ports.map(
    (port, i) => new KedgeMember(`m${i}`, program, folder, port, peerFlags(i, peerPort, addresses, secretFile)),
  );
}

/** Flags of the member number `i`. */
export function peerFlags(i: number, peerPort: number, addresses: readonly string[], secretFile: string): string[] {
  return [
    `--peer-listen=127.0.4.${i + 1}:${peerPort}`,
    `--peer=${addresses.join(',')}`,
    `--peer-secret-file=${secretFile}`,
    '--peer-cluster=bench',
  ];
}

export function secretFileIn(folder: string): string {
  const file = join(folder, 'peer-secret');
  writeFileSync(file, 'a secret of the benchmark, long enough\n', { mode: 0o600 });
  return file;
}
