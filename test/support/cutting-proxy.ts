import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Random } from './random.ts';

/**
 * What the proxy does to a connection that carries so many more bytes from the client: cut it before the server has
 * seen them (`lost`), after the server has them all and before its answer passes (`unanswered`), or in the middle.
 */
export type Cut = 'lost' | 'torn' | 'unanswered';

const CUTS: readonly Cut[] = ['lost', 'torn', 'unanswered'];

/** A TCP proxy on loopback that breaks connections at chosen moments. */
export class CuttingProxy {
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  readonly #target: number;
  #plan: { readonly cut: Cut; readonly bytesMin: number } | undefined;
  #cuts = 0;

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer((client) => this.#accept(client));
  }

  static async to(port: number): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(port);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', () => resolve()));
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return address.port;
  }

  /** How many connections it has cut. */
  get cuts(): number {
    return this.#cuts;
  }

  /** Cuts the next connection over which a chunk of at least so many bytes comes from the client. */
  cutNext(cut: Cut, bytesMin: number): void {
    this.#plan = { cut, bytesMin };
  }

  cutSometime(random: Random, bytesMin: number): void {
    this.cutNext(random.pick(CUTS), bytesMin);
  }

  async close(): Promise<void> {
    for (const [client, server] of this.#pairs) {
      client.destroy();
      server.destroy();
    }
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    const server = connect(this.#target, '127.0.0.1');
    const pair = [client, server] as const;
    this.#pairs.add(pair);
    let isMute = false;
    const end = (): void => {
      this.#pairs.delete(pair);
      client.destroy();
      // What the server was sent before, it gets.
      if (isMute) server.end();
      else server.destroy();
    };
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on('error', end);
      socket.on('close', end);
    }
    client.on('data', (chunk: Buffer) => {
      const plan = this.#plan;
      if (plan === undefined || chunk.length < plan.bytesMin) {
        server.write(chunk);
        return;
      }
      this.#plan = undefined;
      this.#cuts += 1;
      isMute = plan.cut !== 'lost';
      if (plan.cut === 'torn') server.write(chunk.subarray(0, Math.floor(chunk.length / 2)));
      if (plan.cut === 'unanswered') server.write(chunk);
      end();
    });
    server.on('data', (chunk: Buffer) => {
      if (!isMute) client.write(chunk);
    });
  }
}
