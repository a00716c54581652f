import { systemClock } from '../../base/clock.ts';
import { invariant } from '../../base/invariant.ts';
import type { AppendBatch, AppendResult, Log, LogSize, LogSnapshot, LogState } from '../../mvcc/log.ts';
import { LogError } from '../../mvcc/log.ts';
import type { AlarmKind, Change, ChangeHead, Position, Revision } from '../../mvcc/types.ts';
import { AppendSlot, COMMITTED } from './append-slot.ts';
import { acquireLock, type Lock } from './lock.ts';
import type { SqliteOptions } from './options.ts';
import { PackedBatch, packChanges, packedBytes, packPositions } from './packed-batch.ts';
import type { AppendCall, PackedRows, ReaderCalls, WriterCalls } from './protocol.ts';
import { type OpenSnapshot, removeLeftSnapshots, takeSnapshot } from './snapshot.ts';
import { Spin } from './spin.ts';
import { ThreadClient } from './thread-client.ts';

/*
 * The embedded engine: one SQLite file, two threads.
 *
 *   main thread                      writer thread                     the file
 *   append ── packed batch ────────▶ BEGIN IMMEDIATE … COMMIT ───────▶ kedge.db-wal ──▶ kedge.db
 *   rows, changes, head, size ─────▶ reader thread ◀──────────────────┘ (readers never wait for the writer)
 *                                    which the first of these starts, size excepted: till then the writer answers it
 *   snapshot ──────────────────────▶ a thread for its while: VACUUM INTO
 *
 * The main thread packs and unpacks and never touches the file: no request waits for a disk. Commits are durable
 * when they are answered (synchronous=FULL). The lock is held by the process, not by a thread.
 */

/** The Log on SQLite. One per file and process; a second one is refused at open. */
export class SqliteLog implements Log {
  readonly #options: SqliteOptions;
  readonly #snapshots = new Set<OpenSnapshot>();
  /** Copies that are being made. */
  readonly #taking = new Set<Promise<unknown>>();
  readonly #slot: AppendSlot;
  /** Appends under way. */
  #appends = 0;
  #lock: Lock | undefined;
  #writer: ThreadClient<WriterCalls> | undefined;
  #reader: ThreadClient<ReaderCalls> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: SqliteOptions) {
    this.#options = options;
    this.#slot = new AppendSlot(new Spin(systemClock, options.spin));
  }

  async open(): Promise<LogState> {
    if (this.#closing !== undefined) throw this.#closed();
    invariant(this.#lock === undefined, 'a Log is opened once');
    const { file } = this.#options;
    this.#lock = acquireLock(file);
    try {
      await removeLeftSnapshots(file);
      this.#writer = new ThreadClient<WriterCalls>(
        { role: 'writer', options: this.#options, slot: this.#slot.shared },
        (why) => this.#slot.abandon(why),
      );
      return await this.#writer.call('open', undefined);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async load(visit: (rows: readonly ChangeHead[]) => void | Promise<void>): Promise<void> {
    // Nobody writes yet.
    const writer = this.#forWriting();
    let next = writer.call('heads', { revision: 0, sub: 0 });
    for (;;) {
      const heads = unpack(await next).heads();
      const last = heads.at(-1);
      if (last === undefined) return;
      // The thread gathers the next batch while this one is being visited.
      next = writer.call('heads', { revision: last.revision, sub: last.sub });
      next.catch(() => {});
      await visit(heads);
    }
  }

  async append(batch: AppendBatch): Promise<AppendResult> {
    const writer = this.#forWriting();
    const bytes = packedBytes(batch.changes);
    this.#appends += 1;
    try {
      // Only when no other append is on its way: by either way they arrive in order.
      if (this.#appends === 1 && writer.alive && this.#slot.fits(batch, bytes))
        return await this.#slot.append(batch, writer);
      return await this.#appendByMessage(batch, bytes, writer);
    } finally {
      this.#appends -= 1;
    }
  }

  async #appendByMessage(batch: AppendBatch, bytes: number, writer: ThreadClient<WriterCalls>): Promise<AppendResult> {
    const buffer = new ArrayBuffer(bytes);
    packChanges(batch.changes, buffer);
    const call: AppendCall = {
      expectedHead: batch.expected.revision,
      rows: batch.changes.length,
      buffer,
      notes: batch.notes.length === 0 ? undefined : batch.notes,
    };
    const result = await writer.call('append', call, [buffer]);
    return result === 'moved' ? { kind: 'moved' } : COMMITTED;
  }

  async head(): Promise<Revision> {
    return this.#forReading().call('head', undefined);
  }

  async changes(after: Revision, bytesMax: number): Promise<readonly Change[]> {
    return unpack(await this.#forReading().call('changes', { after, bytesMax })).changes() as Change[];
  }

  async rows(at: readonly Position[]): Promise<readonly (Change | undefined)[]> {
    const positions = packPositions(at);
    return unpack(await this.#forReading().call('rows', positions, [positions.buffer])).changes();
  }

  async compact(horizon: Revision): Promise<void> {
    await this.#forWriting().call('compact', horizon);
  }

  async sweep(positions: readonly Position[]): Promise<void> {
    const packed = packPositions(positions);
    await this.#forWriting().call('sweep', packed, [packed.buffer]);
  }

  async vacuum(bytes: number): Promise<number> {
    return this.#forWriting().call('vacuum', bytes);
  }

  async defragment(): Promise<void> {
    // Sizes are asked for meanwhile.
    this.#forReading();
    await this.#forWriting().call('defragment', undefined);
  }

  async alarm(kind: AlarmKind, raised: boolean): Promise<void> {
    await this.#forWriting().call('alarm', { kind, raised });
  }

  async size(): Promise<LogSize> {
    return this.#reader === undefined
      ? this.#forWriting().call('size', undefined)
      : this.#forReading().call('size', undefined);
  }

  async snapshot(): Promise<LogSnapshot> {
    this.#forWriting();
    const taking = takeSnapshot(this.#options.file, this.#snapshots);
    const done: Promise<unknown> = taking.then(
      () => this.#taking.delete(done),
      () => this.#taking.delete(done),
    );
    this.#taking.add(done);
    return taking;
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    try {
      await Promise.all(this.#taking);
      for (const snapshot of this.#snapshots) await snapshot.close();
      // The writer goes last: the last connection brings the write-ahead log home.
      await this.#reader?.end();
      await this.#writer?.end();
    } finally {
      this.#lock?.release();
    }
  }

  #forReading(): ThreadClient<ReaderCalls> {
    if (this.#writer === undefined || this.#closing !== undefined) throw this.#closed();
    // Started when first asked for, which is after the writer has made and checked the file.
    this.#reader ??= new ThreadClient<ReaderCalls>({ role: 'reader', options: this.#options, slot: undefined });
    return this.#reader;
  }

  #forWriting(): ThreadClient<WriterCalls> {
    if (this.#writer === undefined || this.#closing !== undefined) throw this.#closed();
    return this.#writer;
  }

  #closed(): LogError {
    return new LogError('closed', `${this.#options.file} is not open`);
  }
}

function unpack({ buffer, rows }: PackedRows): PackedBatch {
  return new PackedBatch(buffer, rows);
}
