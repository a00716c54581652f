/** Where a database may be found. */
export interface Host {
  /** A name, an address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
}

/**
 * The hosts of a URL. The one that last worked is tried first, so that all connections of a replica go to one server
 * as long as it is there.
 */
export class HostList {
  readonly #hosts: readonly Host[];
  #preferred = 0;

  constructor(hosts: readonly Host[]) {
    this.#hosts = hosts;
  }

  get preferred(): Host | undefined {
    return this.#hosts[this.#preferred];
  }

  /** In the order in which they should be tried. */
  inOrder(): readonly Host[] {
    return [...this.#hosts.slice(this.#preferred), ...this.#hosts.slice(0, this.#preferred)];
  }

  /** The host answered, and is what is wanted. */
  worked(host: Host): void {
    this.#preferred = Math.max(0, this.#hosts.indexOf(host));
  }
}

/** As people write it. */
export function showHost({ host, port }: Host): string {
  if (host.startsWith('/')) return host;
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
