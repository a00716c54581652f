import { connect, createServer, type Server, type Socket } from 'node:net';

/*
 * A wire between a client and a server that a test can cut, hold or slow down at the byte it wants.
 *
 *   client ──up──▶ TcpProxy ──up──▶ server
 *   client ◀─down─ TcpProxy ◀─down─ server
 */

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  /** What was held back on the way up. */
  held: Buffer[];
  isHolding: boolean;
}

/** Forwards connections to a port of 127.0.0.1, listening there too or elsewhere. Faults that are armed happen to whatever passes next, and only once. */
export class TcpProxy {
  readonly host: string;
  readonly #targetPort: number;
  readonly #from: string;
  readonly #pairs = new Set<Pair>();
  readonly #server: Server;
  /** Bytes that still pass upwards before the cut; undefined: no cut. */
  #upLeft: number | undefined;
  #downLeft: number | undefined;
  #willHold = false;
  #isPaused = false;
  #refuses = false;
  delayMs = 0;
  /** So many bytes passed upwards. */
  upBytes = 0;
  /** Times that something was sent upwards after something came down: round trips, when one client asks. */
  turns = 0;
  #lastWasDown = true;

  private constructor(targetPort: number, host: string, from: string) {
    this.host = host;
    this.#from = from;
    this.#targetPort = targetPort;
    this.#server = createServer((client) => this.#accept(client));
  }

  /** `from`: the address that the server sees. */
  static async start(targetPort: number, host = '127.0.0.1', from = '127.0.0.1'): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort, host, from);
    await new Promise<void>((resolve) => proxy.#server.listen(0, host, resolve));
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy is not listening');
    return address.port;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** The connection on which the next bytes go up is cut after so many of them. */
  cutUpAfter(bytes: number): void {
    this.#upLeft = bytes;
  }

  /** What goes up is let through; the connection is cut when so many bytes of the answer have passed. */
  cutDownAfter(bytes: number): void {
    this.#downLeft = bytes;
  }

  /** What goes up next is held, and all that follows on that connection. */
  hold(): void {
    this.#willHold = true;
  }

  /** So many bytes are held. */
  get heldBytes(): number {
    let bytes = 0;
    for (const { held } of this.#pairs) for (const chunk of held) bytes += chunk.length;
    return bytes;
  }

  /** Takes the clients of held connections away; the server notices nothing. */
  dropHeldClients(): void {
    for (const pair of this.#pairs) if (pair.isHolding) pair.client.destroy();
  }

  /** Lets the server have what was held; resolves when it has answered or ended. Answers how many bytes that were. */
  async releaseHeld(): Promise<number> {
    this.#willHold = false;
    let bytes = 0;
    for (const pair of [...this.#pairs]) {
      if (!pair.isHolding) continue;
      pair.isHolding = false;
      const answered = new Promise<void>((resolve) => {
        pair.server.once('data', () => resolve());
        pair.server.once('close', () => resolve());
      });
      for (const chunk of pair.held.splice(0)) {
        bytes += chunk.length;
        pair.server.write(chunk);
      }
      await answered;
      if (pair.client.destroyed) this.#cut(pair);
    }
    return bytes;
  }

  /** Nothing passes, nothing is lost. */
  pause(): void {
    this.#isPaused = true;
    for (const { client, server } of this.#pairs) {
      client.pause();
      server.pause();
    }
  }

  resume(): void {
    this.#isPaused = false;
    for (const { client, server } of this.#pairs) {
      client.resume();
      server.resume();
    }
  }

  /** New connections are closed at once, or no longer. */
  refuse(refuses: boolean): void {
    this.#refuses = refuses;
  }

  cutAll(): void {
    for (const pair of [...this.#pairs]) this.#cut(pair);
  }

  /** As cutAll, so that the server cannot even write to who has gone. */
  resetAll(): void {
    for (const pair of [...this.#pairs]) {
      pair.server.resetAndDestroy();
      this.#cut(pair);
    }
  }

  /** No fault is armed any more. */
  disarm(): void {
    this.#upLeft = undefined;
    this.#downLeft = undefined;
    this.#willHold = false;
  }

  async stop(): Promise<void> {
    this.cutAll();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    client.on('error', () => {});
    if (this.#refuses) {
      client.destroy();
      return;
    }
    const server = connect({ port: this.#targetPort, host: '127.0.0.1', localAddress: this.#from });
    server.on('error', () => {});
    client.setNoDelay(true);
    server.setNoDelay(true);
    const pair: Pair = { client, server, held: [], isHolding: false };
    this.#pairs.add(pair);
    client.on('data', (chunk) => this.#later(() => this.#up(pair, chunk)));
    server.on('data', (chunk) => this.#later(() => this.#down(pair, chunk)));
    client.on('close', () => {
      if (!pair.isHolding) this.#later(() => this.#cut(pair));
    });
    server.on('close', () => this.#later(() => this.#cut(pair)));
    if (this.#isPaused) this.pause();
  }

  #later(task: () => void): void {
    if (this.delayMs === 0) task();
    else setTimeout(task, this.delayMs);
  }

  #up(pair: Pair, chunk: Buffer): void {
    if (this.#willHold) {
      this.#willHold = false;
      pair.isHolding = true;
    }
    if (pair.isHolding) {
      pair.held.push(chunk);
      return;
    }
    if (this.#lastWasDown) this.turns += 1;
    this.#lastWasDown = false;
    this.upBytes += chunk.length;
    const left = this.#upLeft;
    if (left === undefined) {
      pair.server.write(chunk);
      return;
    }
    if (chunk.length < left) {
      this.#upLeft = left - chunk.length;
      pair.server.write(chunk);
      return;
    }
    this.#upLeft = undefined;
    // What passed before the cut does reach the server.
    pair.server.end(chunk.subarray(0, left));
    pair.client.destroy();
  }

  #down(pair: Pair, chunk: Buffer): void {
    this.#lastWasDown = true;
    const left = this.#downLeft;
    if (left === undefined) {
      pair.client.write(chunk);
      return;
    }
    if (chunk.length < left) {
      this.#downLeft = left - chunk.length;
      pair.client.write(chunk);
      return;
    }
    this.#downLeft = undefined;
    pair.client.write(chunk.subarray(0, left), () => this.#cut(pair));
  }

  #cut(pair: Pair): void {
    this.#pairs.delete(pair);
    pair.client.destroy();
    pair.server.destroy();
  }
}
