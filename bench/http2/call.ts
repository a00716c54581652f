import type { Connection } from './connection.ts';
import { windowBytesDefault } from './frames.ts';

/** A request's message that writes itself into the connection's output: pre-encoded, patched with what changes. */
export interface Message {
  /** The method's path, `/etcdserverpb.KV/Put` say. */
  readonly path: string;
  /** No message of this kind is longer. Below 16 KiB, so that it fits one frame. */
  readonly bytesMax: number;
  /** Writes the protobuf message for `call` at `at` and returns its end. */
  write(call: Call, out: Buffer, at: number): number;
}

/** Who is told of a connection's answers. `bytes` is valid only during the call. */
export interface Handler {
  /** A whole message came. */
  answered(call: Call, bytes: Buffer, from: number, to: number): void;
  /** The call ended; `grpcStatus` 0 is success, -1 a stream that ended without a status. */
  ended(call: Call, grpcStatus: number, grpcMessage: string): void;
  /** The connection broke: nothing more comes of it. */
  broke(connection: Connection, error: Error): void;
}

/** A place on a connection that asks one request after another, or holds one stream open. Reused, never reallocated. */
export class Call {
  readonly connection: Connection;
  /** Its number among all calls of the load, from 0. */
  readonly place: number;
  /** The HTTP/2 stream in use; 0 while none is. */
  stream = 0;
  /** When the request was handed over, in milliseconds of `performance.now()`. */
  startedAt = 0;
  /** What the workload noted of this request: a key's number, a page, … */
  key = 0;
  revision = 0;
  messages = 0;

  // The connection's own notes.
  message: Message | undefined = undefined;
  isBlocked = false;
  endsAfterMessage = true;
  sendWindowBytes = windowBytesDefault;
  receivedBytes = 0;
  partial: Buffer | undefined = undefined;
  partialBytes = 0;

  constructor(connection: Connection, place: number) {
    this.connection = connection;
    this.place = place;
  }
}
