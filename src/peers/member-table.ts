import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { PEER_LIMITS } from './limits.ts';
import type { MemberId } from './types.ts';

/**
 * The seam to the store: its table of members. Whoever may write the store may be a member; an entry is written once
 * per start. Engines of shared databases implement it; `MemoryMemberTable` is the model.
 */
export interface MemberTable {
  /** Every entry. Rejects when the database does not answer. */
  list(): Promise<readonly MemberRecord[]>;
  /** Adds or replaces the entry of that id. */
  put(self: MemberRecord): Promise<void>;
}

export interface MemberRecord {
  readonly id: MemberId;
  readonly name: string;
  /** `ip:port`; dialled as one of several sources. */
  readonly addresses: readonly string[];
  /** Unix time in ms of the start that it was written at. */
  readonly startedMs: number;
}

export class MemoryMemberTable implements MemberTable {
  readonly #records = new Map<MemberId, MemberRecord>();

  async list(): Promise<readonly MemberRecord[]> {
    return [...this.#records.values()];
  }

  async put(self: MemberRecord): Promise<void> {
    this.#records.set(self.id, self);
  }
}

/** What was last read of the table: a database that is away takes nobody's trust. */
export class KnownMembers {
  readonly #table: MemberTable;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #records: readonly MemberRecord[] = [];
  #readAtMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  constructor(table: MemberTable, clock: Clock, logger: Logger) {
    this.#table = table;
    this.#clock = clock;
    this.#logger = logger;
  }

  get records(): readonly MemberRecord[] {
    return this.#records;
  }

  async has(id: MemberId): Promise<boolean> {
    if (!this.#knows(id)) await this.refresh();
    return this.#knows(id);
  }

  /** Writes our own entry. */
  async enrol(self: MemberRecord): Promise<void> {
    await this.#table.put(self);
  }

  /** Reads the table, unless that was done within the last second. Never rejects: what was known stays known. */
  refresh(): Promise<void> {
    if (this.#clock.monotonicMs() - this.#readAtMs < PEER_LIMITS.tableRefreshMinMs) return Promise.resolve();
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(): Promise<void> {
    try {
      this.#records = await this.#table.list();
    } catch (error) {
      this.#logger.warn('the table of members cannot be read; what was known of it stays', {
        reason: error instanceof Error ? error.message : String(error),
      });
    }
    this.#readAtMs = this.#clock.monotonicMs();
  }

  #knows(id: MemberId): boolean {
    return this.#records.some((record) => record.id === id);
  }
}
