import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../support/ports.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** A DNS server of our own, whose records change when told so. */
export class Dnsmasq {
  readonly port: number;
  readonly #hostsFile: string;
  readonly #child: ChildProcess;

  private constructor(port: number, hostsFile: string, child: ChildProcess) {
    this.port = port;
    this.#hostsFile = hostsFile;
    this.#child = child;
  }

  /** `txt`: records of TXT, `name,text` each. */
  static async start(records: readonly string[], txt: readonly string[] = [], port?: number): Promise<Dnsmasq> {
    const at = port ?? (await freePort());
    const folder = temporaryFolder('dnsmasq');
    const hostsFile = join(folder, 'hosts');
    writeFileSync(hostsFile, hostsText(records));
    const child = spawn(
      'dnsmasq',
      [
        ...['--conf-file=/dev/null', '--keep-in-foreground', '--no-resolv', '--no-hosts', '--no-daemon'],
        ...[`--port=${at}`, '--listen-address=127.0.0.1', '--bind-interfaces', '--pid-file='],
        ...[`--addn-hosts=${hostsFile}`, '--local=/example/', '--local-ttl=1'],
        ...txt.map((record) => `--txt-record=${record}`),
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    running.add(child);
    let said = '';
    await new Promise<void>((resolve, reject) => {
      child.stderr?.on('data', (data: Buffer) => {
        said += data.toString();
        if (said.includes('read ')) resolve();
      });
      child.once('error', reject);
      child.once('close', (code) => reject(new Error(`dnsmasq ended (${code}): ${said}`)));
    });
    return new Dnsmasq(at, hostsFile, child);
  }

  get server(): { readonly ip: string; readonly port: number } {
    return { ip: '127.0.0.1', port: this.port };
  }

  /** `ip name` each. */
  setRecords(records: readonly string[]): void {
    writeFileSync(this.#hostsFile, hostsText(records));
    this.#child.kill('SIGHUP');
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'close');
    running.delete(this.#child);
  }
}

/** Whether there is one; in CI nothing may be missing. */
export function mustHaveDnsmasq(): boolean {
  try {
    execFileSync('dnsmasq', ['--version'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    if (process.env['CI'] !== undefined) throw new Error('no dnsmasq: bin/test installs it', { cause: error });
    return false;
  }
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

function hostsText(records: readonly string[]): string {
  return records.map((record) => `${record}\n`).join('');
}
