import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BareMemberSettings, type FromMember, machineMs, type ToMember } from './bare-member.ts';

/** Members without stores, each a process on a loopback address of its own. */
export class BareFleet {
  readonly sentAtMs = new Map<number, number>();
  readonly hintedAtMs = new Map<number, number>();
  readonly #children: ChildProcess[] = [];
  readonly #linked: number[] = [];
  readonly #count: number;

  private constructor(count: number) {
    this.#count = count;
  }

  /** Resolves when all are linked. */
  static async start(folder: string, count: number, port: number): Promise<BareFleet> {
    const fleet = new BareFleet(count);
    const secretFile = join(mkdtempSync(join(folder, 'secret-')), 'secret');
    writeFileSync(secretFile, 'a secret of the benchmark, long enough\n', { mode: 0o600 });
    const addresses = Array.from({ length: count }, (_, i) => `127.0.3.${i + 1}:${port}`);
    for (let i = 0; i < count; i++) {
      const own = mkdtempSync(join(folder, 'member-'));
      fleet.#fork(i, { ip: `127.0.3.${i + 1}`, port, addresses, folder: own, secretFile });
    }
    await fleet.until(() => fleet.#linked.filter((linked) => linked === count - 1).length === count);
    return fleet;
  }

  hint(from: number, revision: number): void {
    this.#send(from, { kind: 'hint', revision });
  }

  async until(holds: () => boolean, withinMs = 60_000): Promise<void> {
    const giveUpAtMs = machineMs() + withinMs;
    while (!holds()) {
      if (machineMs() > giveUpAtMs)
        throw new Error(`members: not within ${withinMs} ms; linked: ${this.#linked.join()}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  stop(): void {
    for (const child of this.#children) {
      child.kill('SIGCONT');
      child.kill('SIGKILL');
    }
  }

  #fork(index: number, settings: BareMemberSettings): void {
    const file = fileURLToPath(new URL('bare-member.js', import.meta.url));
    const child = fork(file, [JSON.stringify(settings)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#children[index] = child;
    this.#linked[index] = this.#count === 1 ? 0 : -1;
    child.on('message', (message: FromMember) => this.#onMessage(index, message));
    child.on('error', () => child.kill('SIGKILL'));
  }

  #onMessage(index: number, message: FromMember): void {
    switch (message.kind) {
      case 'started':
        return;
      case 'linked':
        this.#linked[index] = message.count;
        return;
      case 'sent':
        this.sentAtMs.set(message.revision, message.atMs);
        return;
      case 'hinted':
        if (index === 1) this.hintedAtMs.set(message.revision, message.atMs);
        return;
    }
  }

  #send(index: number, message: ToMember): void {
    const child = this.#children[index];
    if (child?.connected) child.send(message, () => undefined);
  }
}
