import { ProtobufError, Writer } from '../base/protobuf.ts';
import type { LeaseId, Revision } from '../mvcc/types.ts';
import type { StreamCall, StreamHandler } from '../wire/grpc.ts';
import type { Access } from './auth/access.ts';
import { toStatusError, undecodableInStream } from './errors.ts';
import type { HeaderCodec } from './header.ts';
import type { LeaseStore } from './lease.ts';
import { decodeLeaseId, writeLeaseTtlResponse } from './messages/lease.ts';
import type { OpenStreams } from './open-streams.ts';

/** Answers are small and copied by `send`, so all streams share it. */
const scratch = new Writer(128);

/**
 * One LeaseKeepAlive call: each message renews a lease and is answered in its turn, nearly always in the same step. A
 * client that does not read its answers, or that asks for a lease that is just ending, is not listened to meanwhile.
 */
export class LeaseKeepAliveStream implements StreamHandler {
  readonly #call: StreamCall;
  readonly #store: LeaseStore;
  readonly #header: HeaderCodec;
  readonly #open: OpenStreams | undefined;
  readonly #access: Access | undefined;
  #room: Promise<void> | undefined;
  #roomForMore: (() => void) | undefined;
  /** A lease is being waited for. */
  #waiting = false;
  #halfClosed = false;

  constructor(
    call: StreamCall,
    store: LeaseStore,
    header: HeaderCodec,
    open: OpenStreams | undefined,
    access: Access | undefined,
  ) {
    this.#call = call;
    this.#store = store;
    this.#header = header;
    this.#open = open;
    this.#access = access;
    open?.add(call);
  }

  onMessage(message: Uint8Array): void | Promise<void> {
    try {
      const id = decodeLeaseId(message);
      if (this.#access?.enabled === true) this.#access.leaseKeepAlive(this.#call, id);
      // Before the renewal: an answer must not seem newer than the lease's end.
      const { revision } = this.#store;
      const ttl = this.#store.leaseKeepAlive(id);
      if (typeof ttl !== 'number') return this.#answerLater(revision, id, ttl);
      this.#answer(revision, id, ttl);
    } catch (error) {
      this.#fail(error);
    }
    return this.#room;
  }

  onHalfClose(): void {
    this.#halfClosed = true;
    if (!this.#waiting) this.#call.end();
  }

  onDrain(): void {
    const more = this.#roomForMore;
    this.#roomForMore = undefined;
    this.#room = undefined;
    more?.();
  }

  onClose(): void {
    this.#open?.delete(this.#call);
    this.onDrain();
  }

  async #answerLater(revision: Revision, id: LeaseId, ttl: Promise<number>): Promise<void> {
    this.#waiting = true;
    try {
      this.#answer(revision, id, await ttl);
    } catch (error) {
      this.#fail(error);
    }
    this.#waiting = false;
    if (this.#halfClosed) this.#call.end();
    await this.#room;
  }

  #answer(revision: Revision, id: LeaseId, ttl: number): void {
    writeLeaseTtlResponse(scratch.begin(), this.#header, revision, id, ttl);
    if (this.#call.send(scratch.view()) || this.#room !== undefined) return;
    this.#room = new Promise((resolve) => {
      this.#roomForMore = resolve;
    });
  }

  #fail(error: unknown): void {
    this.#call.end(error instanceof ProtobufError ? undecodableInStream(error) : toStatusError(error));
  }
}
