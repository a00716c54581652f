import { connect } from './connection.ts';
import type { SqliteOptions } from './options.ts';
import type { CheckpointerCalls, Handlers, WriterCalls } from './protocol.ts';
import { ThreadClient } from './thread-client.ts';

/*
 * Bringing the write-ahead log home into the file takes tens of milliseconds, in which the writer would not commit.
 * So a thread of its own copies while the writer goes on, until only little is left; that little the writer copies
 * itself, because only with nothing left can it begin the log anew. Should all of this be late, the writer does it
 * alone when the log reaches its mark (wal_autocheckpoint): the log stays bounded in any case.
 *
 *   writer:        ──commit──commit──commit──commit──commit─┬finish┬─commit (at the log's start again)
 *   checkpointer:            └──── copy ──── copy ── copy ──┘
 */

/** So few frames are left to the writer. */
const FRAMES_LEFT_MAX = 64;

/** As long as each pass finds less than the one before, another is worth while. */
const PASSES_MAX = 6;

/** The thread's side. */
export function createCheckpointer(options: SqliteOptions): Handlers<CheckpointerCalls> {
  const db = connect(options);
  return {
    copy() {
      for (let pass = 0; pass < PASSES_MAX; pass++) {
        const [found] = db.pragma('wal_checkpoint(PASSIVE)') as { log: number; checkpointed: number }[];
        if (found === undefined || found.log - found.checkpointed <= FRAMES_LEFT_MAX) break;
      }
      return undefined;
    },
    close() {
      db.close();
      return undefined;
    },
  };
}

/** The main thread's side: one round at a time, the thread started at the first. */
export class Checkpointer {
  readonly #options: SqliteOptions;
  readonly #writer: ThreadClient<WriterCalls>;
  #thread: ThreadClient<CheckpointerCalls> | undefined;
  #round: Promise<void> | undefined;

  constructor(options: SqliteOptions, writer: ThreadClient<WriterCalls>) {
    this.#options = options;
    this.#writer = writer;
  }

  /** The writer says that its log is long. Does nothing when a round is under way. */
  start(): void {
    this.#round ??= this.#run();
  }

  /** Waits for a round under way and ends the thread. */
  async end(): Promise<void> {
    await this.#round;
    await this.#thread?.end();
  }

  async #run(): Promise<void> {
    this.#thread ??= new ThreadClient<CheckpointerCalls>({ role: 'checkpointer', options: this.#options });
    try {
      await this.#thread.call('copy', undefined);
      await this.#writer.call('finishCheckpoint', undefined);
    } catch {
      // A full or failing disk: commits tell of it, and the writer's own checkpoint is still there.
    } finally {
      this.#round = undefined;
    }
  }
}
