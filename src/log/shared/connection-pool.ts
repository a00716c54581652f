import { invariant } from '../../base/invariant.ts';
import { LogError } from '../../mvcc/log.ts';
import { backoffMs } from './backoff.ts';
import { DatabaseAway } from './database-away.ts';
import type { DatabaseStats } from './database-stats.ts';
import type { EngineContext } from './engine-context.ts';

/** What the pool must know of a driver's connection. */
export interface PooledConnection {
  /** False once it is broken, or should not be used again. */
  readonly isUsable: boolean;
  /** Lets go of it; never rejects. */
  close(): Promise<void>;
}

export interface PoolLimits {
  readonly connectionsMax: number;
  /** How long a call waits for a connection, reconnecting included. */
  readonly waitMs: number;
  /** Calls that may wait at a time. */
  readonly waitersMax: number;
}

interface Waiter<C> {
  readonly resolve: (connection: C) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A few connections for many calls. They are made when needed, one attempt after the other with pauses while the
 * database is away. A call waits in line for `waitMs` at most.
 */
export class ConnectionPool<C extends PooledConnection> {
  readonly #connect: () => Promise<C>;
  readonly #limits: PoolLimits;
  readonly #context: EngineContext;
  readonly #stats: DatabaseStats;
  readonly #idle: C[] = [];
  readonly #busy = new Set<C>();
  readonly #waiters = new Set<Waiter<C>>();
  #connecting = 0;
  #failures = 0;
  #lastProblem = 'no connection could be made in time';
  #isClosed = false;
  #whenEmpty: (() => void)[] = [];

  constructor(connect: () => Promise<C>, limits: PoolLimits, context: EngineContext, stats: DatabaseStats) {
    this.#connect = connect;
    this.#limits = limits;
    this.#context = context;
    this.#stats = stats;
  }

  get counts(): { readonly open: number; readonly idle: number; readonly max: number; readonly waiting: number } {
    const idle = this.#idle.length;
    return { open: idle + this.#busy.size, idle, max: this.#limits.connectionsMax, waiting: this.#waiters.size };
  }

  /** Runs the work on a connection that is its own for the while. A connection that is unusable after it is dropped. */
  async use<T>(work: (connection: C) => Promise<T>): Promise<T> {
    const connection = await this.#acquire();
    try {
      return await work(connection);
    } finally {
      this.#release(connection);
    }
  }

  /** Drops idle connections, and those in use when their work is done: the next ones are made anew. */
  async renew(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map((connection) => connection.close()));
  }

  /** Refuses those who wait, waits for those who work, closes all. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const waiter of this.#waiters) waiter.reject(closed());
    this.#waiters.clear();
    await Promise.all(this.#idle.splice(0).map((connection) => connection.close()));
    if (this.#busy.size > 0 || this.#connecting > 0) {
      await new Promise<void>((resolve) => this.#whenEmpty.push(resolve));
    }
    this.#note();
  }

  #acquire(): Promise<C> {
    if (this.#isClosed) return Promise.reject(closed());
    const connection = this.#takeIdle();
    if (connection !== undefined) return Promise.resolve(connection);
    const { waitMs, waitersMax } = this.#limits;
    if (this.#waiters.size >= waitersMax) {
      return Promise.reject(new LogError('unavailable', `${waitersMax} calls already wait for the database`));
    }
    return new Promise((resolve, reject) => {
      const timer = this.#context.clock.after(waitMs, () => {
        this.#waiters.delete(waiter);
        this.#note();
        // All connections at work and answering is a queue too long, not a database that is away.
        const isFull = this.#busy.size >= this.#limits.connectionsMax;
        reject(
          isFull
            ? new LogError('unavailable', `all ${this.#busy.size} connections were busy for ${waitMs} ms`)
            : new DatabaseAway(this.#lastProblem),
        );
      });
      const waiter: Waiter<C> = {
        resolve: (found) => {
          timer.cancel();
          resolve(found);
        },
        reject: (error) => {
          timer.cancel();
          reject(error);
        },
      };
      this.#waiters.add(waiter);
      this.#note();
      this.#connectForWaiters();
    });
  }

  #takeIdle(): C | undefined {
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (connection.isUsable) {
        this.#busy.add(connection);
        this.#note();
        return connection;
      }
      void connection.close();
    }
    return undefined;
  }

  #release(connection: C): void {
    invariant(this.#busy.delete(connection), 'a connection is given back once');
    if (this.#isClosed || !connection.isUsable) {
      void connection.close().then(() => this.#emptied());
      this.#connectForWaiters();
      this.#note();
      return;
    }
    this.#hand(connection);
  }

  #hand(connection: C): void {
    const [waiter] = this.#waiters;
    if (waiter === undefined) this.#idle.push(connection);
    else {
      this.#waiters.delete(waiter);
      this.#busy.add(connection);
      waiter.resolve(connection);
    }
    this.#note();
  }

  #connectForWaiters(): void {
    const room = this.#limits.connectionsMax - this.#busy.size - this.#idle.length;
    // While attempts fail, one tries for all.
    const most = this.#failures > 0 ? 1 : Math.min(room, this.#waiters.size);
    while (!this.#isClosed && this.#waiters.size > 0 && room > 0 && this.#connecting < most) void this.#connectOne();
  }

  async #connectOne(): Promise<void> {
    this.#connecting += 1;
    try {
      const connection = await this.#connect();
      this.#failures = 0;
      this.#stats.connectionsMade.value += 1;
      if (this.#isClosed) await connection.close();
      else this.#hand(connection);
    } catch (error) {
      this.#failures += 1;
      this.#stats.connectFailures.value += 1;
      this.#lastProblem = error instanceof Error ? error.message : String(error);
      if (error instanceof LogError && error.code === 'refused') {
        for (const waiter of this.#waiters) waiter.reject(error);
        this.#waiters.clear();
      }
      const { clock, random } = this.#context;
      await new Promise<void>((resolve) => clock.after(backoffMs(this.#failures, random), resolve));
    } finally {
      this.#connecting -= 1;
      this.#emptied();
    }
    this.#connectForWaiters();
  }

  #emptied(): void {
    if (!this.#isClosed || this.#busy.size > 0 || this.#connecting > 0) return;
    for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }

  #note(): void {
    this.#stats.connectionsWaiting.value = this.#waiters.size;
  }
}

function closed(): LogError {
  return new LogError('closed', 'the log is closed');
}
