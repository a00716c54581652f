import type { LogSize, LogState } from '../../mvcc/log.ts';
import type { AlarmKind, Note, Position } from '../../mvcc/types.ts';
import type { SharedSlot } from './append-slot.ts';
import type { ErrorMessage } from './errors.ts';
import type { SqliteOptions } from './options.ts';

/*
 * What the main thread asks of the two threads, and what they answer. Every call is one message and one answer,
 * matched by id; a thread works on one call at a time, in order.
 */

/** What a thread is started with. */
export interface ThreadStart {
  readonly role: 'writer' | 'reader';
  readonly options: SqliteOptions;
  /** One shared word, raised and rung after each message to the thread. */
  readonly bell: Int32Array<SharedArrayBuffer>;
  /** The writer's way for small appends. */
  readonly slot: SharedSlot | undefined;
}

/** Rows as PackedBatch reads them. */
export interface PackedRows {
  readonly rows: number;
  readonly buffer: ArrayBuffer;
}

/** An append as the writer takes it, wherever its rows lie. */
export interface PackedAppend {
  readonly rows: number;
  readonly buffer: ArrayBufferLike;
  readonly expectedHead: number;
  readonly notes: readonly Note[] | undefined;
}

/** The writer thread's calls: name → [arguments, answer]. */
export interface WriterCalls {
  open: [undefined, LogState];
  /** Rows after a position, without values. */
  heads: [Position, PackedRows];
  size: [undefined, LogSize];
  /** undefined: committed. */
  append: [AppendCall, 'moved' | undefined];
  compact: [number, undefined];
  sweep: [Float64Array<ArrayBuffer>, undefined];
  vacuum: [number, number];
  defragment: [undefined, undefined];
  alarm: [{ readonly kind: AlarmKind; readonly raised: boolean }, undefined];
  close: [undefined, undefined];
}

export interface AppendCall extends PackedAppend {
  readonly buffer: ArrayBuffer;
}

/** The reader thread's calls. */
export interface ReaderCalls {
  head: [undefined, number];
  changes: [{ readonly after: number; readonly bytesMax: number }, PackedRows];
  rows: [Float64Array<ArrayBuffer>, PackedRows];
  size: [undefined, LogSize];
  close: [undefined, undefined];
}

/** A table of calls: what a thread understands. */
export type Calls = Record<string, [unknown, unknown]>;

/** The functions behind a table of calls. */
export type Handlers<C> = {
  readonly [K in keyof C]: C[K] extends [infer A, infer R] ? (argument: A) => R : never;
};

export interface CallMessage {
  readonly id: number;
  readonly call: string;
  readonly argument: unknown;
}

/** The id alone: done, nothing to tell. */
export type AnswerMessage =
  | number
  | { readonly id: number; readonly answer: unknown; readonly error: ErrorMessage | undefined };
