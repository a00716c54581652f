import type { Clock } from '../base/clock.ts';
import type { Connection } from './connection.ts';
import { keepAlive } from './lease-keeper.ts';
import { LeaseMethod } from './lease-methods.ts';

/**
 * A lease that is kept alive as long as the session is: what is put with it says "somebody is there".
 * The recipe is that of clientv3's concurrency package, so that its users and ours exclude each other.
 */
export class Session {
  readonly lease: bigint;
  /** Settles when the lease is lost. */
  readonly lost: Promise<void>;
  private readonly connection: Connection;

  private constructor(connection: Connection, clock: Clock, lease: bigint) {
    this.connection = connection;
    this.lease = lease;
    this.lost = keepRenewing(connection, clock, lease);
  }

  static async open(connection: Connection, clock: Clock, ttlSeconds: number): Promise<Session> {
    const { ID } = await connection.call(LeaseMethod.grant, { TTL: ttlSeconds });
    return new Session(connection, clock, ID);
  }

  /** Ends the lease, and with it all that was put. */
  async close(): Promise<void> {
    await this.connection.call(LeaseMethod.revoke, { ID: this.lease });
  }
}

async function keepRenewing(connection: Connection, clock: Clock, lease: bigint): Promise<void> {
  try {
    for await (const _ of keepAlive(connection, clock, lease));
  } catch {
    // Refused for good, which is to be lost as well.
    return;
  }
}
