import { execFileSync } from 'node:child_process';

/**
 * A network namespace on this machine with two wires to it: one by which what runs in it is called, one by which it
 * calls others. The second one can be cut without a sound: frames go to an address that nobody has, so nothing arrives,
 * nothing is refused, and connections stay as they are. Needs root; firewalls are not needed.
 *
 *   test ── outer 10.251.N.1 ─────────── 10.251.N.2 inner ── kedge
 *   database ── outer 10.252.N.1 ──/ /── 10.252.N.2 inner ──┘
 */
export class NetworkNamespace {
  readonly name: string;
  /** Where what runs in it is reached. */
  readonly innerHost: string;
  /** Where it reaches the outside, by the wire that can be cut. */
  readonly outerHost: string;
  readonly #callWire: Wire;
  readonly #cutWire: Wire;

  private constructor(name: string, callWire: Wire, cutWire: Wire) {
    this.#callWire = callWire;
    this.name = name;
    this.innerHost = callWire.inner.address;
    this.outerHost = cutWire.outer.address;
    this.#cutWire = cutWire;
  }

  /** Whether this machine lets us. */
  static isAllowed(): boolean {
    const name = `kedge-may-${process.pid}`;
    try {
      ip('netns', 'add', name);
      ip('netns', 'del', name);
      return true;
    } catch {
      return false; // Not root, no ip, or a container that may not.
    }
  }

  static make(): NetworkNamespace {
    const name = `kedge-${process.pid}-${made}`;
    const number = (process.pid + made) % 250;
    made += 1;
    ip('netns', 'add', name);
    try {
      const callWire = addWire(name, 'a', `10.251.${number}`);
      const cutWire = addWire(name, 'b', `10.252.${number}`);
      ip('-n', name, 'link', 'set', 'lo', 'up');
      return new NetworkNamespace(name, callWire, cutWire);
    } catch (error) {
      ip('netns', 'del', name);
      throw error;
    }
  }

  /** What to put before a command that is to run in it. */
  get prefix(): readonly string[] {
    return ['ip', 'netns', 'exec', this.name];
  }

  cut(): void {
    const { inner, outer } = this.#cutWire;
    ip('-n', this.name, ...lead(outer.address, NOBODY, inner.device));
    ip(...lead(inner.address, NOBODY, outer.device));
  }

  heal(): void {
    const { inner, outer } = this.#cutWire;
    ip('-n', this.name, 'neigh', 'del', outer.address, 'dev', inner.device);
    ip('neigh', 'del', inner.address, 'dev', outer.device);
  }

  /** Whatever runs in it must have ended; what its sockets still have to say would keep it for minutes, but for the wires. */
  remove(): void {
    for (const { outer } of [this.#callWire, this.#cutWire]) ip('link', 'del', outer.device);
    ip('netns', 'del', this.name);
  }
}

interface End {
  readonly device: string;
  readonly address: string;
}

interface Wire {
  readonly inner: End;
  readonly outer: End;
}

/** A hardware address of nobody. */
const NOBODY = '02:00:00:00:de:ad';

let made = 0;

function addWire(namespace: string, letter: string, network: string): Wire {
  // A device's name has fifteen characters at most.
  const device = `kd${process.pid % 1_000_000}${letter}${made}`;
  const inner = { device: `${device}i`, address: `${network}.2` };
  const outer = { device: `${device}o`, address: `${network}.1` };
  ip('link', 'add', outer.device, 'type', 'veth', 'peer', 'name', inner.device, 'netns', namespace);
  ip('addr', 'add', `${outer.address}/30`, 'dev', outer.device);
  ip('link', 'set', outer.device, 'up');
  ip('-n', namespace, 'addr', 'add', `${inner.address}/30`, 'dev', inner.device);
  ip('-n', namespace, 'link', 'set', inner.device, 'up');
  return { inner, outer };
}

function lead(address: string, to: string, device: string): string[] {
  return ['neigh', 'replace', address, 'lladdr', to, 'dev', device, 'nud', 'permanent'];
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: 'pipe' });
}
