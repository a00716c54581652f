import type { Connection } from './connection.ts';
import type { ErrorCode } from './frames.ts';
import type { RequestHead } from './request-head.ts';

/**
 * One HTTP/2 stream (RFC 9113, section 5): what gRPC calls and plain HTTP requests share. It begins with a request's
 * head; `idle` and `reserved` have no object, and a closed stream leaves its connection's map at once.
 *
 *   open ──remote ends──▶ half-closed (remote) ──our END_STREAM written──▶ closed
 *     └──our END_STREAM written: also RST_STREAM(NO_ERROR), for we need no more of the request──▶ closed
 */
export abstract class Stream {
  readonly id: number;
  readonly connection: Connection;
  readonly head: RequestHead;
  /** What the peer lets us send. May be negative (section 6.9.2). */
  sendWindow: number;
  /** What we let the peer send. */
  receiveWindow: number;
  /** Received and used, not yet given back. */
  receiveDebtBytes = 0;
  receivedBytes = 0;
  remoteEnded = false;
  closed = false;
  /** The whole answer is known: when the queue is empty, finish. */
  ending = false;
  headersSent = false;
  /** Waits in the sender's ready list. */
  isReady = false;
  /** Somebody was told to stop and waits for onDrain. */
  isWaiting = false;
  /** Pieces that wait for window or socket; the first is sent up to `queueOffset`. Made when first needed. */
  queue: Uint8Array[] | undefined = undefined;
  queueOffset = 0;
  queuedBytes = 0;
  /** When the queue last got shorter, or began. */
  progressMs = 0;

  constructor(id: number, connection: Connection, head: RequestHead, sendWindow: number, receiveWindow: number) {
    this.id = id;
    this.connection = connection;
    this.head = head;
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
  }

  /** No more of the request is wanted for now: the peer's window stays shut. */
  abstract get holdsBack(): boolean;
  /** Payload of a DATA frame, valid now only. `end`: the request is complete. */
  abstract onData(buffer: Buffer, from: number, to: number, end: boolean): void;
  /** The queue has room again. */
  abstract onRoom(): void;
  /** Writes what ends the answer; the queue is empty. */
  abstract writeEnd(): void;
  /** The stream is gone: reset by either side (`code`), its connection lost (undefined), or ended in order. */
  abstract onClosed(code: ErrorCode | undefined): void;
}
