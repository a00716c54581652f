import { LogError } from '../../mvcc/log.ts';
import { backoffMs } from '../shared/backoff.ts';
import { DatabaseAway } from '../shared/database-away.ts';
import type { EngineContext } from '../shared/engine-context.ts';
import type { PgConnection } from './connection.ts';

/**
 * The one connection on which appends leave, in the order in which they came: the next one is on its way before the
 * last one is answered, and never overtakes it.
 */
export class AppendLane {
  readonly #connect: () => Promise<PgConnection>;
  readonly #waitMs: number;
  readonly #context: EngineContext;
  #connection: PgConnection | undefined;
  #connecting: Promise<PgConnection> | undefined;
  #working = 0;
  #isClosed = false;
  #whenIdle: (() => void)[] = [];

  constructor(connect: () => Promise<PgConnection>, waitMs: number, context: EngineContext) {
    this.#connect = connect;
    this.#waitMs = waitMs;
    this.#context = context;
  }

  /** The server's process behind it; 0 when there is none. */
  get processId(): number {
    return this.#connection?.processId ?? 0;
  }

  get isConnected(): boolean {
    return this.#connection?.isUsable === true;
  }

  /** `work` must send before it waits for anything. Rejects with DatabaseAway when there is no connection in time. */
  async use<T>(work: (connection: PgConnection) => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new LogError('closed', 'the log is closed');
    this.#working += 1;
    try {
      const connection = this.#connection;
      if (connection?.isUsable === true) return await work(connection);
      this.#connecting ??= this.#connectInTime();
      return await work(await this.#connecting);
    } finally {
      this.#working -= 1;
      if (this.#working === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
    }
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#working > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    await this.#connection?.close();
  }

  async #connectInTime(): Promise<PgConnection> {
    const { clock, random } = this.#context;
    const untilMs = clock.monotonicMs() + this.#waitMs;
    try {
      await this.#connection?.close();
      for (let failures = 1; ; failures += 1) {
        try {
          this.#connection = await this.#connect();
          return this.#connection;
        } catch (error) {
          const delayMs = backoffMs(failures, random);
          if (!(error instanceof DatabaseAway) || clock.monotonicMs() + delayMs > untilMs) throw error;
          await new Promise<void>((resolve) => clock.after(delayMs, resolve));
        }
      }
    } finally {
      this.#connecting = undefined;
    }
  }
}
