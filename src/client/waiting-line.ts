import type { KeyValue } from '../etcd/messages/kv-table.ts';
import type { Value } from '../etcd/messages/schema.ts';
import type { Connection } from './connection.ts';
import { ClientExit, ExitError } from './exit-error.ts';
import { prefixEnd } from './key-range.ts';
import { KvMethod } from './kv-methods.ts';
import type { Session } from './session.ts';
import { Watcher } from './watcher.ts';

/**
 * One place in a line of keys `<name>/<lease>`: whose key was created first is its head. Locks and elections are such
 * lines, and those of clientv3's concurrency package are the same, key by key.
 */
export class WaitingLine {
  readonly key: string;
  private readonly connection: Connection;
  private readonly session: Session;
  private readonly prefix: string;
  private createRevision = 0;
  /** The revision at which we knew to be the head. */
  headRevision = 0;
  private watcher: Watcher | undefined;

  constructor(connection: Connection, session: Session, name: string) {
    this.connection = connection;
    this.session = session;
    this.prefix = `${name}/`;
    this.key = `${this.prefix}${session.lease.toString(16)}`;
  }

  /** Takes a place and waits until it is the head. Rejects with RpcError; `leave` ends the waiting. */
  async enter(value: string): Promise<void> {
    const key = Buffer.from(this.key);
    const put = { request_put: { key, value: Buffer.from(value), lease: this.session.lease } };
    const { header, succeeded, responses } = await this.connection.call(KvMethod.txn, {
      compare: [{ key, target: 1, result: 0, create_revision: 0 }],
      success: [put],
      failure: [{ request_range: { key } }],
    });
    const there = responses[0]?.response_range?.kvs?.[0];
    this.createRevision = succeeded ? (header?.revision ?? 0) : (there?.create_revision ?? 0);
    this.headRevision = await this.untilHead(header?.revision ?? 0);
    // The lease may have run out while we waited.
    const { kvs } = await this.connection.call(KvMethod.range, { key });
    if (kvs.length === 0) throw new ExitError(ClientExit.error, 'mutex: session is expired');
  }

  /** Those before us leave one after the other, the last of them last: only that one is watched. */
  private async untilHead(revision: number): Promise<number> {
    for (;;) {
      const response = await this.connection.call(KvMethod.range, {
        key: Buffer.from(this.prefix),
        range_end: prefixEnd(Buffer.from(this.prefix)),
        max_create_revision: this.createRevision - 1,
        sort_order: 2,
        sort_target: 2,
        limit: 1,
      });
      const before = response.kvs[0];
      if (before === undefined) return revision;
      revision = response.header?.revision ?? revision;
      await this.untilDeleted(before, revision);
    }
  }

  private async untilDeleted({ key }: Partial<Value<typeof KeyValue>>, revision: number): Promise<void> {
    this.watcher = new Watcher(this.connection, { key: key ?? new Uint8Array(0), start_revision: revision + 1 });
    for await (const { response } of this.watcher.events()) {
      if (response.canceled || response.events.some(({ type }) => type === 1)) break;
    }
    this.watcher.cancel();
    this.watcher = undefined;
  }

  /** Gives up the place, at the head or not, and ends the session. */
  async leave(): Promise<void> {
    this.watcher?.cancel();
    await this.connection.call(KvMethod.deleteRange, { key: Buffer.from(this.key) });
    await this.session.close();
  }
}
