import type { Timer } from '../../base/clock.ts';
import { LogError } from '../../mvcc/log.ts';
import { backoffMs } from '../shared/backoff.ts';
import type { EngineContext } from '../shared/engine-context.ts';
import type { PgConnection } from './connection.ts';

/**
 * Hears the database's notifications on a connection of its own. While that is away nothing is heard; when it is back
 * the listener is called once, for what may have been missed.
 */
export class Listener {
  readonly #connect: () => Promise<PgConnection>;
  readonly #channel: string;
  readonly #context: EngineContext;
  readonly #onHint: (fromProcess: number, payload: string) => void;
  #connection: PgConnection | undefined;
  #failures = 0;
  #timer: Timer | undefined;
  #isStopped = false;
  #connecting: Promise<void> | undefined;

  constructor(
    connect: () => Promise<PgConnection>,
    channel: string,
    context: EngineContext,
    onHint: (fromProcess: number, payload: string) => void,
  ) {
    this.#connect = connect;
    this.#channel = channel;
    this.#context = context;
    this.#onHint = onHint;
  }

  get isListening(): boolean {
    return this.#connection?.isUsable === true;
  }

  start(): void {
    this.#connecting = this.#listen();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#connecting;
    await this.#connection?.close();
  }

  async #listen(): Promise<void> {
    try {
      const connection = await this.#connect();
      // What a server says that is the primary no more is a hint at best.
      connection.onNotification = (from, payload) => this.#onHint(from, connection.isUsable ? payload : '');
      connection.onLost = () => this.#again();
      await connection.run(`LISTEN "${this.#channel}"`);
      this.#connection = connection;
      this.#failures = 0;
      if (this.#isStopped) await connection.close();
      else this.#onHint(0, '');
    } catch (error) {
      if (!(error instanceof LogError)) this.#context.logger.warn('cannot listen for notifications', problemOf(error));
      this.#again();
    }
  }

  #again(): void {
    if (this.#isStopped) return;
    this.#failures += 1;
    const { clock, random } = this.#context;
    this.#timer?.cancel();
    this.#timer = clock.after(backoffMs(this.#failures, random), () => {
      if (!this.#isStopped) this.#connecting = this.#listen();
    });
  }
}

function problemOf(error: unknown): { readonly problem: string } {
  return { problem: error instanceof Error ? error.message : String(error) };
}
