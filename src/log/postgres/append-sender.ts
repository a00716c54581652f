import type { BatchesBelow } from '../../mvcc/batches-below.ts';
import type { AppendBatch, AppendResult } from '../../mvcc/log.ts';
import { DatabaseAway } from '../shared/database-away.ts';
import type { DatabaseStats } from '../shared/database-stats.ts';
import { whenCommitted } from '../shared/when-committed.ts';
import { type PackedAppend, packAppend, sendAppend, sendEarly } from './append.ts';
import type { PgConnection } from './connection.ts';
import { nothingWasWritten } from './errors.ts';
import type { Statements } from './statements.ts';
import type { Step } from './transaction-query.ts';

/** Sends appends, early where it can, and tells of those that fail whether their fate is known. */
export class AppendSender {
  readonly #statements: Statements;
  readonly #stats: DatabaseStats;
  readonly #inLane: InLane;

  constructor(statements: Statements, stats: DatabaseStats, inLane: InLane) {
    this.#statements = statements;
    this.#stats = stats;
    this.#inLane = inLane;
  }

  /** As SharedLog.append. Nothing of the batch is read any more when it returns. */
  append(batch: AppendBatch, below?: BatchesBelow): Promise<AppendResult> {
    const packed = packAppend(batch, this.#statements);
    const { early } = packed;
    if (below === undefined || early === undefined) return whenCommitted(below, () => this.#send(packed));
    return this.#sendEarly(early, packed, below);
  }

  /** Where it has overtaken the commit below, it is sent once more. */
  async #sendEarly(early: readonly Step[], packed: PackedAppend, below: BatchesBelow): Promise<AppendResult> {
    const outcome = await this.#known((connection) => sendEarly(connection, early));
    if (outcome === 'committed') return { kind: 'committed' };
    const result = await whenCommitted(below, () => this.#send(packed));
    return result.kind === 'committed' ? { kind: 'committed', overtook: true } : result;
  }

  async #send(packed: PackedAppend): Promise<AppendResult> {
    const result = await this.#known((connection) => sendAppend(connection, packed, this.#statements));
    if (result.kind === 'moved') this.#stats.appendsMoved.value += 1;
    return result;
  }

  /** Rejects with DatabaseAway `ambiguous` when it may have been done. */
  #known<T>(send: (connection: PgConnection) => Promise<T>): Promise<T> {
    return this.#inLane(async (connection) => {
      try {
        return await send(connection);
      } catch (error) {
        if (nothingWasWritten(error)) throw error;
        this.#stats.appendsAmbiguous.value += 1;
        const text = error instanceof Error ? error.message : String(error);
        throw new DatabaseAway(`${text} (an append was on its way)`, 'ambiguous', { cause: error });
      }
    });
  }
}

/** Has it done on the connection for appends, in the order of the calls. `work` must send before it waits for anything. */
export type InLane = <T>(work: (connection: PgConnection) => Promise<T>) => Promise<T>;
