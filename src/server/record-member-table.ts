import type { RecordsRequest } from '../mvcc/requests.ts';
import type { StoredRecord } from '../mvcc/types.ts';
import type { MemberRecord, MemberTable } from '../peers/member-table.ts';
import type { MemberId } from '../peers/types.ts';

/** The part of a store that keeps records. */
export interface RecordStore {
  readonly records: { get(name: string): Uint8Array | undefined; list(prefix: string): readonly StoredRecord[] };
  writeRecords(request: RecordsRequest): Promise<boolean>;
}

const PREFIX = 'members/';
/** Of more, those that started longest ago are forgotten: members without a disk are others at each start. */
const MEMBERS_MAX = 64;
const ATTEMPTS_MAX = 5;

/**
 * The table of members among the store's records, one each: `members/<id>`. Whoever may write the store may be a member.
 * A record is written once per start, so it says who may be there, not who is.
 */
export class RecordMemberTable implements MemberTable {
  readonly #store: RecordStore;

  constructor(store: RecordStore) {
    this.#store = store;
  }

  async list(): Promise<readonly MemberRecord[]> {
    return this.#entries();
  }

  /** As far as the log is followed here. */
  has(id: MemberId): boolean {
    return this.#store.records.get(`${PREFIX}${id}`) !== undefined;
  }

  async put(self: MemberRecord): Promise<void> {
    const name = `${PREFIX}${self.id}`;
    const value = Buffer.from(JSON.stringify(self));
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const others = this.#entries().filter(({ id }) => id !== self.id);
      const forgotten = others.sort((a, b) => b.startedMs - a.startedMs).slice(MEMBERS_MAX - 1);
      const written = await this.#store.writeRecords({
        kind: 'records',
        changes: [
          { kind: 'record', name, value },
          ...forgotten.map((record) => ({
            kind: 'record' as const,
            name: `${PREFIX}${record.id}`,
            value: undefined,
          })),
        ],
        guard: { name, value: this.#store.records.get(name) },
      });
      if (written) return;
    }
    throw new Error('the record of this member changes all the time: do two processes have its key?');
  }

  /** What cannot be read is no member. */
  #entries(): MemberRecord[] {
    return this.#store.records.list(PREFIX).flatMap(({ name, value }) => {
      const entry = recordOf(Buffer.from(value).toString('utf8'));
      return entry === undefined || name !== `${PREFIX}${entry.id}` ? [] : [entry];
    });
  }
}

function recordOf(text: string): MemberRecord | undefined {
  let value: Partial<MemberRecord> | null;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (value === null) return undefined;
  const { id, name, addresses, startedMs } = value;
  if (typeof id !== 'string' || typeof name !== 'string' || typeof startedMs !== 'number') return undefined;
  if (!Array.isArray(addresses)) return undefined;
  return { id, name, startedMs, addresses: addresses.filter((address: unknown) => typeof address === 'string') };
}
