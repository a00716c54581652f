import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';

/**
 * A network of its own: a switch, and hosts that are namespaces with one cable each. A cable that is pulled from the
 * switch loses every packet without a word, as a broken path between two racks does: no RST, no carrier that goes away.
 */
export class Network {
  readonly #switch: string;
  readonly #hosts: string[] = [];

  /** For root on Linux. `name`: at most eight letters. */
  constructor(name: string) {
    this.#switch = `${name}-${process.pid}`;
    namespace('add', this.#switch);
    this.#ip(this.#switch, 'link', 'add', 'switch', 'type', 'bridge');
    this.#ip(this.#switch, 'link', 'set', 'switch', 'up');
  }

  /** A host with that address in 10.99.0.0/24; `hosts` is its /etc/hosts. */
  host(number: number, hosts: string): Host {
    const name = `${this.#switch}-${number}`;
    const ip = `10.99.0.${number}`;
    // "ip netns exec" lays these over /etc.
    mkdirSync(`/etc/netns/${name}`, { recursive: true });
    writeFileSync(`/etc/netns/${name}/hosts`, hosts);
    // A DNS server that no packet reaches.
    writeFileSync(`/etc/netns/${name}/resolv.conf`, 'nameserver 10.99.0.254\n');
    namespace('add', name);
    this.#hosts.push(name);
    const plug = `plug${number}`;
    this.#ip(this.#switch, 'link', 'add', plug, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    this.#ip(this.#switch, 'link', 'set', plug, 'up', 'master', 'switch');
    this.#ip(name, 'link', 'set', 'lo', 'up');
    this.#ip(name, 'link', 'set', 'eth0', 'up');
    this.#ip(name, 'address', 'add', `${ip}/24`, 'dev', 'eth0');
    const blackHole = (address: string): void =>
      this.#ip(name, 'neigh', 'replace', address, 'lladdr', '02:00:00:00:00:fe', 'dev', 'eth0', 'nud', 'permanent');
    blackHole('10.99.0.254');
    return {
      ip,
      inside: ['ip', 'netns', 'exec', name],
      pull: () => this.#ip(this.#switch, 'link', 'set', plug, 'nomaster'),
      plugIn: () => this.#ip(this.#switch, 'link', 'set', plug, 'master', 'switch'),
      blackHole,
    };
  }

  /** When nothing runs in it any more. */
  remove(): void {
    for (const name of [...this.#hosts, this.#switch]) {
      namespace('delete', name);
      rmSync(`/etc/netns/${name}`, { recursive: true, force: true });
    }
  }

  #ip(where: string, ...words: readonly string[]): void {
    execFileSync('ip', ['-netns', where, ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
  }
}

export interface Host {
  readonly ip: string;
  /** What to put before a command so that it runs there. */
  readonly inside: readonly string[];
  pull(): void;
  plugIn(): void;
  /** What is sent to that address is sent, and arrives nowhere. */
  blackHole(address: string): void;
}

/** Whether there can be one; in CI nothing may be missing. */
export function hasNamespaces(): boolean {
  const name = `probe-${process.pid}`;
  try {
    namespace('add', name);
    namespace('delete', name);
    return true;
  } catch (error) {
    if (process.env['CI'] !== undefined)
      throw new Error('no network namespaces: they need root and "ip"', { cause: error });
    return false;
  }
}

function namespace(verb: 'add' | 'delete', name: string): void {
  execFileSync('ip', ['netns', verb, name], { stdio: ['ignore', 'ignore', 'pipe'] });
}
