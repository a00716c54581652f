import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * A door through which a member is dialled, and which can be shut without a sound: bytes of open connections vanish, new
 * connections are accepted and lead nowhere, as behind a firewall that drops.
 */
export class Door {
  readonly address: string;
  readonly #server: Server;
  readonly #pairs = new Set<{ readonly outer: Socket; readonly inner: Socket }>();
  #isShut = false;

  private constructor(address: string, server: Server) {
    this.address = address;
    this.#server = server;
  }

  /** `to` may be a promise of where it leads: who advertises the door starts after it. */
  static async open(ip: string, port: number, to: () => string): Promise<Door> {
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => server.listen(port, ip, resolve));
    const door = new Door(`${ip}:${(server.address() as { port: number }).port}`, server);
    server.on('connection', (outer) => door.#onConnection(outer, to()));
    return door;
  }

  shut(): void {
    this.#isShut = true;
  }

  /** What was lost stays lost: connections from before are as dead as they look. */
  reopen(): void {
    this.#isShut = false;
  }

  close(): void {
    this.#server.close();
    for (const { outer, inner } of this.#pairs) {
      outer.destroy();
      inner.destroy();
    }
  }

  #onConnection(outer: Socket, to: string): void {
    const [host = '', port = ''] = to.split(':');
    const wasShut = this.#isShut;
    const inner = connect(Number(port), host);
    const pair = { outer, inner };
    this.#pairs.add(pair);
    let isLost = wasShut;
    for (const [from, into] of [
      [outer, inner],
      [inner, outer],
    ] as const) {
      from.on('error', () => from.destroy());
      from.on('data', (bytes) => {
        isLost ||= this.#isShut;
        if (!isLost) into.write(bytes);
      });
      from.on('close', () => {
        isLost ||= this.#isShut;
        // A connection that is lost does not even end.
        if (!isLost) into.destroy();
      });
    }
  }
}
