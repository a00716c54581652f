import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { PEER_LIMITS } from './limits.ts';
import type { KnownMembers, MemberRecord } from './member-table.ts';
import type { Hello } from './types.ts';

/** Writes our entry into the store's table of members, once, and reads the others' every few seconds. */
export class TableSource {
  readonly #options: TableSourceOptions;
  readonly #startedMs: number;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(options: TableSourceOptions) {
    this.#options = options;
    this.#startedMs = options.clock.wallMs();
  }

  start(): void {
    void this.#enrol();
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  async #enrol(): Promise<void> {
    const { table, hello, clock, logger } = this.#options;
    const { id, name, addresses } = hello();
    try {
      await table.enrol({ id, name, addresses, startedMs: this.#startedMs });
    } catch (error) {
      logger.warn('the table of members cannot be written; trying again', { reason: (error as Error).message });
      if (!this.#isStopped) this.#timer = clock.after(PEER_LIMITS.tableMs, () => void this.#enrol());
      return;
    }
    await this.#read();
  }

  async #read(): Promise<void> {
    const { table, hello, clock, onAddresses } = this.#options;
    const { id } = hello();
    await table.refresh();
    if (this.#isStopped) return;
    const others = latestOfEachName(table.records).filter((record) => record.id !== id);
    onAddresses([...new Set(others.flatMap(({ addresses }) => addresses))]);
    this.#timer = clock.after(PEER_LIMITS.tableMs, () => void this.#read());
  }
}

/**
 * A member without a disk is another one at each start, and its old entries lead nowhere. Of those with one name the
 * latest counts; but the default name is anybody's.
 */
function latestOfEachName(records: readonly MemberRecord[]): readonly MemberRecord[] {
  const latest = new Map<string, MemberRecord>();
  for (const record of records) {
    const key = record.name === DEFAULT_NAME ? record.id : record.name;
    const known = latest.get(key);
    if (known === undefined || known.startedMs < record.startedMs) latest.set(key, record);
  }
  return [...latest.values()];
}

/** As etcd's --name. */
const DEFAULT_NAME = 'default';

export interface TableSourceOptions {
  readonly table: KnownMembers;
  readonly clock: Clock;
  readonly logger: Logger;
  hello(): Hello;
  /** `ip:port` each, of all others. */
  onAddresses(addresses: readonly string[]): void;
}
