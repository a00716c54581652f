import type { Value } from '../etcd/messages/schema.ts';
import type { WatchCreateRequest, WatchResponse } from '../etcd/messages/watch-table.ts';
import type { Connection } from './connection.ts';
import { CLIENT_LIMITS } from './limits.ts';
import { RpcCode, type RpcError, rpcErrorOf } from './rpc-error.ts';
import { WatchMethod } from './watch-methods.ts';

type Response = Value<typeof WatchResponse>;

/** What a watcher tells: an answer of the server's, and why it is the last one. */
export interface Watched {
  readonly response: Response;
  /** Set when `response.canceled`: why. */
  readonly reason: string | undefined;
}

/**
 * One watch, as clientv3 keeps it: when its stream breaks it goes on at another server from the next revision, so that
 * no event is missed or told twice. It ends when a server cancels it, or answers that it may not be.
 */
export class Watcher {
  private readonly connection: Connection;
  private readonly request: Partial<Value<typeof WatchCreateRequest>>;
  private nextRevision: number;
  private stream: Awaited<ReturnType<typeof this.open>> | undefined;

  constructor(connection: Connection, request: Partial<Value<typeof WatchCreateRequest>>) {
    this.connection = connection;
    this.request = request;
    this.nextRevision = request.start_revision ?? 0;
  }

  /** Asks for a progress notification, which comes as an answer without events. */
  requestProgress(): void {
    this.stream?.write({ progress_request: {} });
  }

  /** Ends it: `events` returns. */
  cancel(): void {
    this.cancelled = true;
    this.stream?.cancel();
  }
  private cancelled = false;

  /** Answers with events, progress notifications, and the last one when it was cancelled. */
  async *events(): AsyncGenerator<Watched> {
    while (!this.cancelled) {
      try {
        for await (const response of await this.opened()) {
          const told = this.told(response as Response);
          if (told !== undefined) yield told;
          if (told?.response.canceled === true) return;
        }
      } catch (error) {
        if (this.cancelled) return;
        const failed = rpcErrorOf(error);
        if (!isPassing(failed)) return yield refused(failed);
      }
      this.connection.preferNext();
      await this.connection.pause(CLIENT_LIMITS.retryDelayMs);
    }
  }

  private async opened() {
    this.stream = await this.open();
    // Whoever reads it is told of errors; after that nobody need be.
    this.stream.on('error', () => undefined);
    this.stream.write({ create_request: { ...this.request, start_revision: this.nextRevision } });
    return this.stream;
  }

  private open() {
    return this.connection.openStream(WatchMethod.watch, { timeoutMs: Number.POSITIVE_INFINITY, requireLeader: true });
  }

  private told(response: Response): Watched | undefined {
    const revision = response.header?.revision ?? 0;
    if (response.canceled) {
      this.stream?.end();
      return { response, reason: reasonOf(response) };
    }
    if (response.created) {
      // From now on it is known where to go on, even if nothing happened yet.
      if (this.nextRevision === 0) this.nextRevision = revision + 1;
      return undefined;
    }
    const last = response.events.at(-1)?.kv?.mod_revision;
    if (last !== undefined) this.nextRevision = last + 1;
    else if (revision >= this.nextRevision) this.nextRevision = revision + 1;
    return { response, reason: undefined };
  }
}

/** What a stream breaks with that may well work at another server, or later. */
function isPassing({ code }: RpcError): boolean {
  return code === RpcCode.unavailable || code === RpcCode.internal || code === RpcCode.deadlineExceeded;
}

function reasonOf({ compact_revision, cancel_reason }: Response): string {
  if (compact_revision !== 0) return 'etcdserver: mvcc: required revision has been compacted';
  if (cancel_reason === '') return 'etcdserver: mvcc: required revision is a future revision';
  return cancel_reason.startsWith('etcdserver: ')
    ? cancel_reason
    : `rpc error: code = FailedPrecondition desc = ${cancel_reason}`;
}

function refused(error: RpcError): Watched {
  return {
    reason: error.message,
    response: {
      header: {},
      watch_id: 0n,
      created: false,
      canceled: true,
      compact_revision: 0,
      cancel_reason: '',
      fragment: false,
      events: [],
    },
  };
}
